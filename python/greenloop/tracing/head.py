"""The head of a trace: the tasks, resources and places that the numbers of its events stand for.

The head comes from a file, so it is checked here, once; all other code sees objects with fields.
`docs/trace-format.md` defines its JSON. Fields that are not known are let pass.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any, TypeVar, cast, get_type_hints

FORMAT = "greenloop-trace"
VERSION = 1


class TraceError(ValueError):
    """The bytes are no trace; the message says what was found and what was expected."""


@dataclass(frozen=True, slots=True)
class Task:
    """A task that a trace speaks of."""

    name: str
    coroutine: str = ""
    """The qualified name of its coroutine."""
    parent: int = 0
    """The number of the task that made it, or 0."""
    site: int = 0
    """The index of the place where it was made."""


@dataclass(frozen=True, slots=True)
class Resource:
    """A queue, a lock, a connection: a thing that tasks meet at or wait for."""

    kind: str
    """The name of the kind of wait that it is for."""
    type: str
    """The name of its class."""
    name: str
    maker: int = 0
    """The number of the task that made it, or 0."""
    site: int = 0
    """The index of the place where it was made."""
    capacity: int = 0
    """How much it holds: items of a queue, permits of a semaphore. 0 means that nothing is said."""
    peer: int = 0
    """The number of the other end of a connection, or 0 if that is not in the trace."""


@dataclass(frozen=True, slots=True)
class Site:
    """A place in the source."""

    file: str
    line: int = 0
    """Counted from 1; 0 if it is not known."""
    function: str = ""
    text: str = ""
    """The line itself, without the spaces around it."""


@dataclass(frozen=True, slots=True)
class Process:
    """The process that was recorded."""

    pid: int = 0
    argv: tuple[str, ...] = ()
    python: str = ""
    greenloop: str = ""
    thread: str = ""
    """The name of the thread in which the loop ran."""


@dataclass(frozen=True, slots=True)
class Head:
    """All of a trace but its events."""

    events: int
    """How many there are."""
    tasks: Mapping[int, Task]
    resources: Mapping[int, Resource]
    sites: tuple[Site | None, ...]
    process: Process
    started: float
    """When the recording began: Unix time in seconds."""
    lost: int
    """How many events were dropped while it was recorded."""


def head_of(found: Any) -> Head:
    """Return the head that a JSON object stands for.

    Raises:
        TraceError: It is not the head of a trace of this version.
    """
    if not isinstance(found, Mapping) or found.get("format") != FORMAT:
        was = found.get("format") if isinstance(found, Mapping) else found
        raise TraceError(f"not a trace: its format is {was!r:.60}, expected {FORMAT!r}")
    if found.get("version") != VERSION:
        raise TraceError(f"a trace of version {found.get('version')!r:.60}, expected {VERSION}")
    started = found.get("started", 0.0)
    if not _is_int(started) and not isinstance(started, float):
        raise TraceError(f"started of the trace is {started!r:.60}, expected seconds")
    sites = found.get("sites", [None])
    if not isinstance(sites, list) or sites[:1] != [None]:
        raise TraceError(f"sites of the trace is {sites!r:.60}, expected a list that begins null")
    return Head(
        events=_count("events", found.get("events")),
        tasks=_table(Task, "tasks", found.get("tasks", {})),
        resources=_table(Resource, "resources", found.get("resources", {})),
        sites=(None, *(_record(Site, f"sites[{i}]", each) for i, each in enumerate(sites[1:], 1))),
        process=_record(Process, "process", found.get("process", {})),
        started=float(started),
        lost=_count("lost", found.get("lost", 0)),
    )


_Record = TypeVar("_Record")


def _is_int(found: Any) -> bool:
    return isinstance(found, int) and not isinstance(found, bool)


def _count(where: str, found: Any) -> int:
    if not _is_int(found) or found < 0:
        raise TraceError(f"{where} of the trace is {found!r:.60}, expected a number from 0")
    return int(found)


def _table(of: type[_Record], where: str, found: Any) -> dict[int, _Record]:
    if not isinstance(found, Mapping):
        raise TraceError(f"{where} of the trace is {found!r:.60}, expected an object")
    table = {}
    for key, each in found.items():
        if not str(key).isdecimal() or int(key) < 1:
            raise TraceError(f"{where} of the trace has the key {key!r:.60}, expected a number")
        table[int(key)] = _record(of, f"{where}[{key}]", each)
    return table


def _record(of: type[_Record], where: str, found: Any) -> _Record:
    """Make the object with these fields: a list becomes a tuple, null is an absent field."""
    if not isinstance(found, Mapping):
        raise TraceError(f"{where} of the trace is {found!r:.60}, expected an object")
    values: dict[str, Any] = {}
    types = _TYPES[of]
    for field in fields(cast("type[Task]", of)):
        value = found.get(field.name)
        if value is None:
            if field.default is MISSING:
                raise TraceError(f"{where} of the trace has no field {field.name!r}")
            continue
        expected = types[field.name]
        if expected in (int, str):
            if not isinstance(value, expected) or isinstance(value, bool):
                raise TraceError(
                    f"{where}.{field.name} of the trace is {value!r:.60},"
                    f" expected {'a number' if expected is int else 'text'}"
                )
        elif not isinstance(value, list | tuple) or not all(isinstance(it, str) for it in value):
            raise TraceError(f"{where}.{field.name} of the trace is {value!r:.60}, expected texts")
        else:
            value = tuple(value)
        values[field.name] = value
    return of(**values)


_TYPES: dict[type, dict[str, Any]] = {
    of: get_type_hints(of) for of in (Task, Resource, Site, Process)
}
