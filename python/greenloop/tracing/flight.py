"""The flight recorder: the latest events are kept in bounded memory, and written on occasion."""

from __future__ import annotations

import itertools
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Collection
from types import FrameType, TracebackType
from typing import Any, Final

from greenloop.tracing.files import form_of, write
from greenloop.tracing.recording import Recording

log: Final = logging.getLogger("greenloop.flight")

DEFAULT_EVENTS: Final = 1 << 18
"""How many events are kept if it is not told: 8 MiB of memory."""

REASONS: Final = ("stall", "deadlock", "exception")
"""What has a file written by itself: see `FlightRecorder`."""

_BETWEEN_FILES: Final = 10.0
"""Seconds that pass at least between two files for the same reason."""


class FlightRecorder:
    """Records the process, and writes the latest events into a file when something happens.

    Args:
        folder: Where the files are written: `greenloop-PID-NUMBER-REASON.FORM`.
        events: How many events are kept, 32 bytes each.
        form: The form of the files: `"html"`, `"json"`, `"jsonl"`, `"svg"`, `"mmd"` or `"trace"`.
        on: For which reasons a file is written: `"stall"` and `"deadlock"`, as a watch finds them;
            `"exception"`, one that nobody has handled, as asyncio logs it or the interpreter prints
            it.
        on_signal: The number of a signal for which a file is written, or None.
        most_files: How many files are written at most.

    Raises:
        ValueError: The form, a reason or a number is none.
        NotADirectoryError: The folder is none.
        RuntimeError: The process is recorded already.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        events: int = DEFAULT_EVENTS,
        form: str = "html",
        on: Collection[str] = REASONS,
        on_signal: int | None = None,
        most_files: int = 20,
    ) -> None:
        form_of(f"trace.{form}")
        for reason in on:
            if reason not in REASONS:
                raise ValueError(f"a file is written for {', '.join(REASONS)}, not for {reason!r}")
        self._folder = os.fspath(folder)
        if not os.path.isdir(self._folder):
            raise NotADirectoryError(f"{self._folder!r} is no folder")
        self._form = form
        self._on = frozenset(on)
        self._left = most_files
        self._numbers = itertools.count(1)
        self._last: dict[str, float] = {}
        self._lock = threading.Lock()
        self._recording: Recording | None = Recording(events)
        self._undo: list[Callable[[], object]] = []
        if "exception" in self._on:
            self._listen_to_exceptions()
        if on_signal is not None:
            self._listen_to(on_signal)

    def dump(self, reason: str = "request") -> str:
        """Write what was recorded of late, and return the path of the file.

        Raises:
            RuntimeError: The recorder was stopped.
            OSError: The file cannot be written.
        """
        with self._lock:
            if self._recording is None:
                raise RuntimeError("the flight recorder was stopped")
            trace = self._recording.trace()
            name = f"greenloop-{os.getpid()}-{next(self._numbers)}-{reason}.{self._form}"
            path = os.path.join(self._folder, name)
            write(trace, path)
            return path

    def happened(self, reason: str) -> None:
        """Write a file for one of the reasons, in a thread of its own, if it is time for one."""
        now = time.monotonic()
        if reason not in self._on and reason != "signal":
            return
        if self._left <= 0 or now - self._last.get(reason, -_BETWEEN_FILES) < _BETWEEN_FILES:
            return
        self._last[reason] = now
        self._left -= 1
        threading.Thread(target=self._dump, args=(reason,), name="greenloop-flight").start()

    def stop(self) -> None:
        """Record no more. A second call does nothing."""
        with self._lock:
            recording, self._recording = self._recording, None
        if recording is not None:
            recording.stop()
        while self._undo:
            self._undo.pop()()

    def _dump(self, reason: str) -> None:
        try:
            log.warning("because of %s: %s", reason, self.dump(reason))
        except (OSError, RuntimeError):
            log.exception("no file was written because of %s", reason)

    def _listen_to_exceptions(self) -> None:
        before = sys.excepthook

        def excepthook(
            kind: type[BaseException], value: BaseException, traceback: TracebackType | None
        ) -> None:
            before(kind, value, traceback)
            if isinstance(value, Exception):
                self.happened("exception")

        def put_back() -> None:
            if sys.excepthook is excepthook:
                sys.excepthook = before

        handler = _Errors(self)
        logger = logging.getLogger("asyncio")
        logger.addHandler(handler)
        sys.excepthook = excepthook
        self._undo += [put_back, lambda: logger.removeHandler(handler)]

    def _listen_to(self, number: int) -> None:
        def handler(_number: int, _frame: FrameType | None) -> None:
            self.happened("signal")

        before: Any = signal.signal(number, handler)
        self._undo.append(lambda: signal.signal(number, before))


class _Errors(logging.Handler):
    """Takes note of the exceptions that asyncio logs because nobody has handled them."""

    def __init__(self, recorder: FlightRecorder) -> None:
        super().__init__(logging.ERROR)
        self._recorder = recorder

    def emit(self, record: logging.LogRecord) -> None:
        """Have a file written, if the record is of an exception."""
        if record.exc_info:
            self._recorder.happened("exception")
