"""The watch of this process: a thread that answers clients and reports stalls and deadlocks.

A native thread, which needs no GIL, looks at the loops and lets clients in; what needs Python it
orders from the thread here. Nothing runs in the threads of the loops.
"""

from __future__ import annotations

import atexit
import json
import logging
import os
import stat
import threading
import time
from collections.abc import Callable
from typing import Any, Final

from greenloop import _native
from greenloop.tracing.recording import libraries
from greenloop.watching import place, snapshot
from greenloop.watching.stall_reports import StallReports

log: Final = logging.getLogger("greenloop.watchdog")

DEFAULT_THRESHOLD: Final = 0.1
"""How many seconds a step may take before it is a stall."""


class Session:
    """A watch of all loops of the process.

    Args:
        threshold: How many seconds a step may take before it is reported as a stall.
        on_stall: Called with the description of a stall, a dictionary, in the watching thread: when
            it begins, and when it is over.

    Raises:
        RuntimeError: The process is watched already.
        ValueError: The threshold is no positive number.
        OSError: The socket cannot be made.
    """

    def __init__(
        self,
        threshold: float = DEFAULT_THRESHOLD,
        on_stall: Callable[[dict[str, Any]], object] | None = None,
    ) -> None:
        if not threshold > 0:
            raise ValueError(f"the threshold has to be a positive number, not {threshold!r}")
        self.threshold = threshold
        self.on_stall = on_stall
        self.began = time.monotonic()
        self.stalls = StallReports()
        self.path = _socket_path()
        _native._start_watch(self.path, float(threshold), libraries())
        self._thread = threading.Thread(target=self._serve, name="greenloop-watch", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the watch. Clients that wait get no answer."""
        _native._stop_watch()
        if self._thread is not threading.current_thread():
            self._thread.join()

    def report(self) -> dict[str, Any]:
        """Return the report of this moment, as `docs/report-format.md` describes it."""
        report = snapshot.take()
        report["watched_for"] = time.monotonic() - self.began
        report["stalls"] = self.stalls.all()
        report["counters"]["stalls"] = self.stalls.count()
        return report

    def _serve(self) -> None:
        while (order := _native._next_order()) is not None:
            try:
                self._carry_out(order)
            except Exception:
                log.exception("an order of the watch failed: %r", order)

    def _carry_out(self, order: tuple[Any, ...]) -> None:
        match order:
            case ("answer", ticket, request):
                answer, is_report = self._answer(request)
                _native._answer(ticket, json.dumps(answer).encode(), is_report)
            case ("stall", number):
                self._tell_stall(self.stalls.begin(number), log.warning)
            case ("stall-over", number):
                self._tell_stall(self.stalls.end(number), log.warning)

    def _answer(self, request: bytes) -> tuple[dict[str, Any], bool]:
        """Answer a client; and whether the answer is a report."""
        try:
            asked = json.loads(request)
            want = asked["want"]
        except (ValueError, TypeError, KeyError):
            return {"error": "the request is no JSON object that says what it wants"}, False
        try:
            match want:
                case "report":
                    return self.report(), True
                case "stalls":
                    return {"stalls": self.stalls.all()}, False
        except Exception as error:
            log.exception("a client could not be answered")
            return {"error": f"{type(error).__name__}: {error}"}, False
        return {"error": f"nothing is known of {want!r}"}, False

    def _tell_stall(self, stall: dict[str, Any] | None, say: Callable[..., object]) -> None:
        if stall is None:
            return
        say("%s", self.stalls.in_words(stall))
        if self.on_stall is not None:
            self.on_stall(stall)


def _socket_path() -> str:
    """Return the path of this process's socket, in a folder that only the user may enter.

    Raises:
        OSError: The folder cannot be made.
        PermissionError: It belongs to somebody else, or others may enter it.
    """
    path = place.socket_path(os.getpid())
    folder = os.path.dirname(path)
    os.makedirs(folder, mode=0o700, exist_ok=True)
    found = os.lstat(folder)
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
        raise PermissionError(f"{folder} has to be a folder of the user alone, with mode 0700")
    return path


_lock = threading.Lock()
_session: Session | None = None


def begin(
    threshold: float = DEFAULT_THRESHOLD,
    on_stall: Callable[[dict[str, Any]], object] | None = None,
) -> Session:
    """Begin the watch of the process.

    Raises:
        RuntimeError: The process is watched already.
        ValueError: The threshold is no positive number.
        OSError: The socket cannot be made.
    """
    global _session
    with _lock:
        _session = Session(threshold, on_stall)
        return _session


def end(session: Session) -> None:
    """End a watch; one that has ended already stays so."""
    global _session
    with _lock:
        if _session is not session:
            return
        _session = None
    session.stop()


def current() -> Session | None:
    """Return the watch of the process, if there is one."""
    return _session


@atexit.register
def _end_at_exit() -> None:
    if _session is not None:
        end(_session)


def _begin_again() -> None:
    """Watch the child of a fork as its parent: the threads of the watch are not in it."""
    global _session, _lock
    if _session is None:
        return
    before = _session
    _lock = threading.Lock()
    _native._forget_watch()
    try:
        _session = Session(before.threshold, before.on_stall)
    except OSError:
        _session = None
        log.exception("the child of a fork is not watched")


os.register_at_fork(after_in_child=_begin_again)
