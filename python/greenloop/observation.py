"""Seeing what a program does and runs on: `trace`, `watch`, `name`, `doctor` and their like.

What these need is imported when they are used, so that a program that is not looked at does not pay
for it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Collection
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Literal, Self

if TYPE_CHECKING:
    from opentelemetry.metrics import Meter

    from greenloop.diagnosis import Report
    from greenloop.tracing.document import Trace
    from greenloop.tracing.flight import FlightRecorder
    from greenloop.tracing.recording import Recording
    from greenloop.watching.session import Session


WATCH_VARIABLE: Final = "GREENLOOP_WATCH"
"""The variable of the environment by which a process is watched from its first loop on."""


def watch_if_asked() -> None:
    """Watch the process if the environment asks for it: any value but "" and "0" does.

    So is the child of a fork whose parent is watched. A watch that cannot begin is logged, and the
    program goes on.
    """
    if (watching := sys.modules.get("greenloop.watching.session")) is not None:
        watching.begin_in_child()
    if os.environ.get(WATCH_VARIABLE, "") not in ("", "0"):
        from greenloop.watching import session

        session.begin_if_possible()


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
            (Perfetto), `.svg`, `.mmd` and `.txt` (the sequence diagram), `.jsonl`, `.trace`; or
            None.
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


def flight_recorder(
    folder: str | os.PathLike[str] = ".",
    *,
    events: int | None = None,
    form: str = "html",
    on: Collection[str] = ("stall", "deadlock", "exception"),
    on_signal: int | None = None,
    most_files: int = 20,
) -> FlightRecorder:
    """Keep the latest of what tasks do, and write it into a file when something happens.

    The process is recorded in bounded memory until `stop`. `dump` writes a file at once.

    Args:
        folder: Where the files are written, as `greenloop-PID-NUMBER-REASON.FORM`.
        events: How many events are kept, 32 bytes each; 262,144 if it is not told.
        form: The form of the files, by the end of their names: see `trace`.
        on: For which reasons a file is written: `"exception"`, one that nobody has handled;
            `"stall"` and `"deadlock"`, if the recorder is given to `watch`. For each reason there
            is one file in ten seconds at most.
        on_signal: The number of a signal for which a file is written, or None. The main thread only
            can ask for that.
        most_files: How many files are written at most.

    Raises:
        ValueError: The form, a reason or a number is none.
        NotADirectoryError: The folder is none.
        RuntimeError: The process is recorded already.
    """
    from greenloop.tracing.flight import DEFAULT_EVENTS, FlightRecorder

    count = DEFAULT_EVENTS if events is None else events
    return FlightRecorder(folder, count, form, on, on_signal, most_files)


def stats() -> list[dict[str, Any]]:
    """Return figures of each loop that runs, as docs/report-format.md has them in `loops`.

    Steps and lag are counted only while the process is watched. Any thread may ask.
    """
    from greenloop.watching import snapshot

    return snapshot.loops()


class watch:  # noqa: N801  # It is called like a function, as `contextlib.suppress` is.
    """Watch what the tasks of all loops of the process do, until `stop` or to the end.

    Other processes of the user can ask from now on: `python -m greenloop ps PID`. Steps that take
    too long are logged while they do, as `greenloop.watchdog`, and so are deadlocks. Used as a
    context manager, it stops at the end of the block.

    Args:
        threshold: How many seconds a step may take before it is reported as a stall.
        on_stall: Called in the watching thread when a stall begins, and when it is over, with its
            description as docs/report-format.md has it.
        on_deadlock: What is done, besides logging, when tasks can never go on: nothing (`"log"`);
            `"raise"`, by which `Deadlock` is thrown into the tasks that wait for each other; or a
            function that is called in the watching thread with the description.
        recorder: A `flight_recorder`, which writes a file after a stall and at a deadlock.

    Raises:
        RuntimeError: The process is watched already.
        ValueError: The threshold is no positive number, or `on_deadlock` is something else.
        OSError: The socket for those who ask cannot be made.
    """

    def __init__(
        self,
        threshold: float = 0.1,
        *,
        on_stall: Callable[[dict[str, Any]], object] | None = None,
        on_deadlock: Literal["log", "raise"] | Callable[[dict[str, Any]], object] = "log",
        recorder: FlightRecorder | None = None,
    ) -> None:
        from greenloop.watching import session

        self._session: Session = session.begin(threshold, on_stall, on_deadlock, recorder)

    def report(self) -> dict[str, Any]:
        """Return the report of this moment, as docs/report-format.md describes it."""
        return self._session.report()

    def instrument(self, meter: Meter | None = None) -> None:
        """Have OpenTelemetry ask for the numbers of the program whenever it collects.

        They are those of `python -m greenloop metrics`: `greenloop_loop_steps_total` there is
        `greenloop.loop.steps` here. A collection takes one report, in the thread that collects.
        After the end of the watch the steps of loops and their lag are not counted any more.
        `pip install greenloop[opentelemetry]` brings what this needs.

        Args:
            meter: What makes the instruments, or None for the meter `greenloop` of the global
                provider.

        Raises:
            ModuleNotFoundError: OpenTelemetry is not installed.
        """
        from greenloop.monitoring import telemetry

        telemetry.instrument(self.report, meter)

    def stop(self) -> None:
        """Watch no more. A second call does nothing."""
        from greenloop.watching import session

        session.end(self._session)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def doctor() -> Report:
    """Report what this program runs on, for a report of a bug.

    It tells versions, the build of the interpreter, which native parts are active and why one is
    not, on which level the program uses Greenloop, and what it has overridden. Called in a
    coroutine, it describes the running loop. `print(greenloop.doctor())` shows it as text, and its
    method `json` returns it as JSON; `python -m greenloop doctor` prints it.
    """
    from greenloop.diagnosis.facts import gather

    return gather()
