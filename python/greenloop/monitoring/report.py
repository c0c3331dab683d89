"""A report: what the tasks of a process did at one moment, as objects with the document's fields.

`docs/report-format.md` defines the document. It comes from another process, perhaps of another
version: fields that are not known are let pass, those that are missing or of another type get the
value that says nothing, and every text can be shown in a terminal.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

from greenloop.monitoring.untrusted import (
    count,
    fields,
    integer,
    integers,
    lines,
    number,
    objects,
    text,
    text_or_none,
    texts,
)

FORMAT: Final = "greenloop-report/1"


class ReportError(ValueError):
    """The document is no report; the message says what was found and what was expected."""


@dataclass(frozen=True, slots=True)
class Place:
    """A place in the source."""

    file: str
    line: int
    """Counted from 1; 0 if it is not known."""
    function: str


@dataclass(frozen=True, slots=True)
class Wait:
    """What a task waits for."""

    kind: str
    """The name of the kind of wait, as in a trace."""
    resource: int | None
    """The number of the queue, lock and so on; None if it waits for none, or it is not known."""
    text: str
    """The same for people."""
    tasks: tuple[int, ...]
    """The numbers of the tasks that have to end before it goes on."""
    line: int | None
    """Its place in the resource's line: 1 is next."""
    ends_in: float | None
    """Seconds until it ends by itself."""


@dataclass(frozen=True, slots=True)
class Task:
    """A task that has not ended."""

    id: int
    """Its number: below 0 if its class is none of Greenloop's."""
    loop: int
    name: str
    coroutine: str
    """The qualified name of its coroutine."""
    state: str
    """`running`, `ready` or `waiting`."""
    since: float | None
    """Seconds that it has been in this state."""
    steps: int | None
    """How often it has run."""
    wait: Wait | None
    timeout: float | None
    """Seconds until the next time limit around it ends."""
    place: Place | None
    """The innermost place that is the program's own."""
    awaited_by: tuple[int, ...]
    """The numbers of the tasks that wait for its end."""
    frames: Any = field(repr=False, compare=False)
    """The stack as it is in the document."""

    @property
    def stack(self) -> tuple[Place, ...]:
        """The places that the task is in, the outermost first.

        They are read when somebody asks: of ten thousand tasks hardly one is looked at.
        """
        return _stack(self.frames)


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a lock, or a permit of a semaphore."""

    task: int | None
    """The number of the task; None if it was taken outside of any."""
    name: str
    since: float | None
    """Seconds that it has held it."""
    place: Place | None
    """Where it took it."""


@dataclass(frozen=True, slots=True)
class Resource:
    """A queue, a lock, a future: what tasks wait for."""

    id: int
    kind: str
    name: str | None
    cls: str
    """The name of its class: `class` in the document."""
    text: str
    """Its state for people, such as `0 of 1 items`."""
    holders: tuple[Holder, ...]
    waiters: tuple[int, ...]
    """The numbers of the tasks that wait for it, the next one first."""


@dataclass(frozen=True, slots=True)
class Held:
    """What a party of a deadlock holds."""

    resource: int | None
    text: str
    place: Place | None
    """Where it was taken."""


@dataclass(frozen=True, slots=True)
class Party:
    """A task in a deadlock."""

    task: int
    name: str
    coroutine: str
    wait: Wait | None
    place: Place | None
    holds: tuple[Held, ...]


@dataclass(frozen=True, slots=True)
class Deadlock:
    """Tasks of which none can ever go on."""

    id: int
    found: float | None
    """When it was found: Unix time in seconds."""
    why: str
    """`cycle`, `nothing-can-happen`, `unreachable` or `broken-hand-over`."""
    parties: tuple[Party, ...]
    behind: tuple[int, ...]
    """The numbers of the tasks that wait for the parties, and are lost with them."""
    text: tuple[str, ...]
    """The lines that the process itself says about it."""


@dataclass(frozen=True, slots=True)
class Stall:
    """A step that has kept a loop from running anything else for too long."""

    id: int
    loop: int
    began: float | None
    """Unix time in seconds."""
    length: float | None
    """Seconds, so far if it is not over."""
    over: bool
    kind: str
    """`python`, `native`, `system-call`, `gil`, `starved` or `unknown`."""
    text: str
    task: int | None
    name: str | None
    awaited_by: tuple[str, ...]
    """The names of the tasks that wait for the task."""
    place: Place | None
    stack: tuple[Place, ...]
    """The outermost place first."""


@dataclass(frozen=True, slots=True)
class Lag:
    """How long the loop left its input waiting: the times between two polls, in seconds."""

    count: int
    p50: float | None
    p99: float | None
    max: float | None


@dataclass(frozen=True, slots=True)
class Loop:
    """An event loop."""

    id: int
    thread: int | None
    """The system's number of its thread."""
    state: str
    """`idle`, `running` or `stopped`."""
    task: int | None
    """The number of the task whose step runs."""
    ready: int
    """Jobs that wait for their turn."""
    timers: int
    descriptors: int
    steps: int
    lag: Lag


@dataclass(frozen=True, slots=True)
class Stale:
    """That the report is older than it should be."""

    age: float | None
    """Seconds."""
    because: str


@dataclass(frozen=True, slots=True)
class Report:
    """All of a report."""

    pid: int
    program: tuple[str, ...]
    """The words of its command line."""
    python: str
    greenloop: str
    time: float | None
    """When it was made: Unix time in seconds."""
    watched_for: float | None
    """Seconds."""
    stale: Stale | None
    loops: tuple[Loop, ...]
    tasks: tuple[Task, ...]
    resources: tuple[Resource, ...]
    deadlocks: tuple[Deadlock, ...]
    stalls: tuple[Stall, ...]
    counters: Mapping[str, float]


def report_of(found: Mapping[str, Any]) -> Report:
    """Return the report that a document stands for.

    Args:
        found: The JSON object that a process has answered.

    Raises:
        ReportError: It says that it is something else, or a report of another version.
    """
    if found.get("format") != FORMAT:
        was = text(found.get("format")) or "nothing"
        raise ReportError(f"the answer is of the format {was:.60}, expected {FORMAT}")
    stale = found.get("stale")
    return Report(
        pid=count(found.get("pid")),
        program=texts(found.get("program")),
        python=text(found.get("python")),
        greenloop=text(found.get("greenloop")),
        time=number(found.get("time")),
        watched_for=number(found.get("watched_for")),
        stale=Stale(number(stale.get("age")), text(stale.get("because")))
        if isinstance(stale, dict)
        else None,
        loops=tuple(map(_loop, objects(found.get("loops")))),
        tasks=tuple(map(_task, objects(found.get("tasks")))),
        resources=tuple(map(_resource, objects(found.get("resources")))),
        deadlocks=tuple(map(_deadlock, objects(found.get("deadlocks")))),
        stalls=stalls_of(found),
        counters={
            text(name): value
            for name, each in fields(found.get("counters")).items()
            if (value := number(each)) is not None
        },
    )


def stalls_of(found: Mapping[str, Any]) -> tuple[Stall, ...]:
    """Return the stalls of a report, or of the document that has nothing but stalls.

    Args:
        found: The JSON object that a process has answered.
    """
    return tuple(map(_stall, objects(found.get("stalls"))))


def _loop(found: Mapping[str, Any]) -> Loop:
    lag = fields(found.get("lag"))
    return Loop(
        id=count(found.get("id")),
        thread=integer(found.get("thread")),
        state=text(found.get("state")),
        task=integer(found.get("task")),
        ready=count(found.get("ready")),
        timers=count(found.get("timers")),
        descriptors=count(found.get("descriptors")),
        steps=count(found.get("steps")),
        lag=Lag(
            count(lag.get("count")),
            number(lag.get("p50")),
            number(lag.get("p99")),
            number(lag.get("max")),
        ),
    )


def _task(found: Mapping[str, Any]) -> Task:
    return Task(
        id=integer(found.get("id")) or 0,
        loop=count(found.get("loop")),
        name=text(found.get("name")),
        coroutine=text(found.get("coroutine")),
        state=text(found.get("state")),
        since=number(found.get("since")),
        steps=integer(found.get("steps")),
        wait=_wait(found.get("wait")),
        timeout=number(found.get("timeout")),
        place=_place(found.get("place")),
        awaited_by=integers(found.get("awaited_by")),
        frames=found.get("stack"),
    )


def _wait(found: Any) -> Wait | None:
    if not isinstance(found, dict):
        return None
    return Wait(
        kind=text(found.get("kind")),
        resource=integer(found.get("resource")),
        text=text(found.get("text")),
        tasks=integers(found.get("tasks")),
        line=integer(found.get("line")),
        ends_in=number(found.get("ends_in")),
    )


def _resource(found: Mapping[str, Any]) -> Resource:
    return Resource(
        id=integer(found.get("id")) or 0,
        kind=text(found.get("kind")),
        name=text_or_none(found.get("name")),
        cls=text(found.get("class")),
        text=text(found.get("text")),
        holders=tuple(
            Holder(
                integer(each.get("task")),
                text(each.get("name")),
                number(each.get("since")),
                _place(each.get("place")),
            )
            for each in objects(found.get("holders"))
        ),
        waiters=integers(found.get("waiters")),
    )


def _deadlock(found: Mapping[str, Any]) -> Deadlock:
    return Deadlock(
        id=count(found.get("id")),
        found=number(found.get("found")),
        why=text(found.get("why")),
        parties=tuple(map(_party, objects(found.get("parties")))),
        behind=integers(found.get("behind")),
        text=lines(found.get("text")),
    )


def _party(found: Mapping[str, Any]) -> Party:
    return Party(
        task=integer(found.get("task")) or 0,
        name=text(found.get("name")),
        coroutine=text(found.get("coroutine")),
        wait=_wait(found.get("wait")),
        place=_place(found.get("place")),
        holds=tuple(
            Held(integer(each.get("resource")), text(each.get("text")), _place(each.get("place")))
            for each in objects(found.get("holds"))
        ),
    )


def _stall(found: Mapping[str, Any]) -> Stall:
    return Stall(
        id=count(found.get("id")),
        loop=count(found.get("loop")),
        began=number(found.get("began")),
        length=number(found.get("length")),
        over=found.get("over") is True,
        kind=text(found.get("kind")),
        text=text(found.get("text")),
        task=integer(found.get("task")),
        name=text_or_none(found.get("name")),
        awaited_by=texts(found.get("awaited_by")),
        place=_place(found.get("place")),
        stack=_stack(found.get("stack")),
    )


def _stack(found: Any) -> tuple[Place, ...]:
    if not found:
        return ()
    return tuple(place for place in map(_place, objects(found)) if place is not None)


def _place(found: Any) -> Place | None:
    if not isinstance(found, dict):
        return None
    values = (found.get("file"), found.get("line"), found.get("function"))
    try:
        return _shared_place(*values)
    except TypeError:  # A list is no key.
        return _shared_place(text(values[0]), count(values[1]), text(values[2]))


@lru_cache(4096)
def _shared_place(file: Any, line: Any, function: Any) -> Place:
    """Make a place once: ten thousand tasks of a few coroutines wait at a few places."""
    return Place(text(file), count(line), text(function))
