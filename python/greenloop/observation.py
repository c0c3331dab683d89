"""Seeing what a program does and runs on: `greenloop.trace`, `greenloop.name`, `greenloop.doctor`.

What these need is imported when they are used, so that a program that is not looked at does not pay
for it.
"""

from __future__ import annotations

import os
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from greenloop.diagnosis import Report
    from greenloop.tracing.document import Trace
    from greenloop.tracing.recording import Recording


def name(resource: object, name: str) -> None:
    """Name a queue, lock, task group or the like, for traces.

    Without a name a resource is called by the variable or attribute that holds it.

    Args:
        resource: Any object that can be referred to weakly, as all of Greenloop's classes can.
        name: The name; a later one takes its place.

    Raises:
        TypeError: The name is no string, or the object cannot be referred to weakly.
    """
    from greenloop.tracing import naming

    naming.name(resource, name)


class trace:  # noqa: N801  # It is called like a function, as `contextlib.suppress` is.
    """Record what the tasks of all loops of the process do inside of a `with` block.

    At the end of the block the trace is written into a file, if one is named, and is in `result`.
    The program runs on as fast as before. An exception of the block goes on; the trace is written
    all the same.

    Args:
        path: The file to write, in the form that the end of its name asks for: `.html`, `.json`
            (Perfetto), `.svg` and `.mmd` (the sequence diagram), `.jsonl`, `.trace`; or None.
        events: How many events are kept, 32 bytes each; 1,048,576 if it is not told. Older ones are
            overwritten, and counted as lost.

    Raises:
        ValueError: The name of the file stands for no form, or the number of events is below 1 or
            above 2**26.
        RuntimeError: When the block is entered: the process is recorded already.
        OSError: When the block is left: the file cannot be written. `result` is there.
    """

    result: Trace | None
    """The trace, after the block."""

    def __init__(
        self, path: str | os.PathLike[str] | None = None, *, events: int | None = None
    ) -> None:
        if path is not None:
            from greenloop.tracing.files import form_of

            form_of(path)
        self.result = None
        self._path = path
        self._events = events
        self._recording: Recording | None = None

    def __enter__(self) -> Self:
        from greenloop.tracing.recording import DEFAULT_EVENTS, Recording

        events = DEFAULT_EVENTS if self._events is None else self._events
        self._recording = Recording(events)
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
            from greenloop.tracing.files import write

            write(self.result, self._path)


def doctor() -> Report:
    """Report what this program runs on, for a report of a bug.

    It tells versions, the build of the interpreter, which native parts are active and why one is
    not, on which level the program uses Greenloop, and what it has overridden. Called in a
    coroutine, it describes the running loop. `print(greenloop.doctor())` shows it as text, and its
    method `json` returns it as JSON; `python -m greenloop doctor` prints it.
    """
    from greenloop.diagnosis.facts import gather

    return gather()
