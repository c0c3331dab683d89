"""`greenloop.trace()`: recording a part of a program."""

from __future__ import annotations

import os
from types import TracebackType
from typing import Self

from greenloop.tracing.document import Trace
from greenloop.tracing.files import form_of, write
from greenloop.tracing.recording import DEFAULT_EVENTS, Recording


class trace:  # noqa: N801  # It is called like a function, as `contextlib.suppress` is.
    """Record what the tasks of all loops of the process do inside of a `with` block.

    At the end of the block the trace is written into a file, if one is named, and is in `result`.
    The program runs on as fast as before. An exception of the block goes on; the trace is written
    all the same.

    Args:
        path: The file to write, in the form that the end of its name asks for: `.html`, `.json`
            (Perfetto), `.svg` and `.mmd` (the sequence diagram), `.jsonl`, `.trace`; or None.
        events: How many events are kept, 32 bytes each; older ones are overwritten and counted.

    Raises:
        ValueError: The name of the file stands for no form, or the number of events is below 1 or
            above 2**26.
        RuntimeError: When the block is entered: the process is recorded already.
        OSError: When the block is left: the file cannot be written. `result` is there.
    """

    result: Trace | None
    """The trace, after the block."""

    def __init__(
        self, path: str | os.PathLike[str] | None = None, *, events: int = DEFAULT_EVENTS
    ) -> None:
        if path is not None:
            form_of(path)
        self.result = None
        self._path = path
        self._events = events
        self._recording: Recording | None = None

    def __enter__(self) -> Self:
        self._recording = Recording(self._events)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        recording, self._recording = self._recording, None
        if recording is None:
            raise RuntimeError("the block of this trace was left already")
        self.result = recording.stop()
        if self._path is not None:
            write(self.result, self._path)
