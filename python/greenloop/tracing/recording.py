"""Recording the running process: from the extension's ring of events to a `Trace`.

The extension numbers tasks, resources, places and names while it records. What the numbers stand
for is put together here, when the trace is asked for.
"""

from __future__ import annotations

import array
import asyncio
import linecache
import os
import platform
import struct
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any, Final

import greenloop
from greenloop import _native
from greenloop.tracing.document import Trace
from greenloop.tracing.kinds import Kind, Wait
from greenloop.tracing.naming import Finder

DEFAULT_EVENTS: Final = 1 << 20
"""How many events a recording keeps if it is not told: 32 MiB of memory."""

_EVENT: Final = struct.Struct("<QqIIIBB2x")
"""One event of the ring: time, value, task, other, site, kind, detail."""

_TYPES: Final = {
    Wait.QUEUE_GET: "Queue",
    Wait.QUEUE_PUT: "Queue",
    Wait.QUEUE_JOIN: "Queue",
    Wait.LOCK: "Lock",
    Wait.SEMAPHORE: "Semaphore",
    Wait.EVENT: "Event",
    Wait.CONDITION: "Condition",
    Wait.BARRIER: "Barrier",
    Wait.TASK_GROUP: "TaskGroup",
    Wait.FUTURE: "Future",
    Wait.GATHER: "Future",
    Wait.STREAM_READ: "StreamReader",
    Wait.STREAM_DRAIN: "StreamWriter",
}
"""The class of a resource whose name was not found, by the kind of wait that it is for."""


class Recording:
    """A recording of all loops of the process, which keeps the latest events.

    Args:
        events: How many events are kept. Older ones are overwritten, and counted as lost.

    Raises:
        ValueError: The number of events is below 1 or above 2**26.
        RuntimeError: The process is recorded already.
    """

    def __init__(self, events: int = DEFAULT_EVENTS) -> None:
        self._finder = Finder()
        self._started = time.time()
        _native._start_recording(events, libraries(), self._finder)

    def trace(self) -> Trace:
        """Return what is recorded so far.

        Raises:
            RuntimeError: The recording was stopped.
        """
        read = _native._read_recording(0, 0, 0)
        if read is None:
            raise RuntimeError("the recording was stopped")
        _, lost, events, places, names = read
        return _trace(lost, events, places, names, self._finder, self._started)

    def stop(self) -> Trace:
        """Record no more, and return what was recorded.

        Raises:
            RuntimeError: The recording was stopped before.
        """
        trace = self.trace()
        _native._stop_recording()
        return trace


def libraries() -> list[str]:
    """Return the folders whose frames are not the program's."""
    files = (str(asyncio.__file__), str(greenloop.__file__))
    return [os.path.dirname(file) + os.sep for file in files]


def _trace(
    lost: int,
    events: bytes,
    places: list[tuple[Any, int]],
    names: list[str],
    finder: Finder,
    started: float,
) -> Trace:
    tasks = _tasks(events, names)
    events = _without_names(events)
    columns = _columns(events)
    head = {
        "format": "greenloop-trace",
        "version": 1,
        "process": {
            "pid": os.getpid(),
            "argv": sys.argv,
            "python": platform.python_version(),
            "greenloop": greenloop.__version__,
            "thread": threading.current_thread().name,
        },
        "started": started,
        "events": len(events) // _EVENT.size,
        "lost": lost,
        "tasks": {str(number): task for number, task in tasks.items()},
        "resources": _resources(events, tasks, finder),
        "sites": [None, *map(_site, places)],
    }
    return Trace(head, b"".join(column.tobytes() for column in columns.values()))


def _positions(events: bytes, kind: int) -> Iterator[int]:
    """Yield where the events of a kind begin."""
    kinds = events[28 :: _EVENT.size]
    position = kinds.find(kind)
    while position >= 0:
        yield position * _EVENT.size
        position = kinds.find(kind, position + 1)


def _tasks(events: bytes, names: list[str]) -> dict[int, dict[str, Any]]:
    """Find the tasks that were made during the recording, and those that are pending now."""
    tasks: dict[int, dict[str, Any]] = {}
    for position in _positions(events, Kind.TASK_CREATED):
        _, _, parent, number, site, _, _ = _EVENT.unpack_from(events, position)
        tasks[number] = {"name": f"Task #{number}", "parent": parent, "site": site}
    for position in _positions(events, Kind.NAMED):
        _, value, _, number, name, _, _ = _EVENT.unpack_from(events, position)
        task = tasks.setdefault(number, {})
        task["name"] = f"Task-{value}" if value >= 0 else names[-value - 1]
        task["coroutine"] = names[name - 1] if name else ""
    for pending in _native.registered_tasks():
        number = _native._number_of(pending)
        if number and number not in tasks:
            coroutine = pending.get_coro()
            tasks[number] = {
                "name": pending.get_name(),
                "coroutine": getattr(coroutine, "__qualname__", type(coroutine).__qualname__),
            }
    return tasks


def _without_names(events: bytes) -> bytes:
    """Return the events less those by which the ring says the names of tasks."""
    view = memoryview(events)
    pieces = []
    start = 0
    for position in _positions(events, Kind.NAMED):
        pieces.append(view[start:position])
        start = position + _EVENT.size
    pieces.append(view[start:])
    return b"".join(pieces)


def _columns(events: bytes) -> dict[str, array.array[Any]]:
    """Return the columns of `docs/trace-format.md`, in their order."""
    wide = array.array("q", events)
    words = array.array("I", events)
    if sys.byteorder == "big":
        wide.byteswap()
        words.byteswap()
    columns: dict[str, array.array[Any]] = {
        "time": array.array("d", wide[0::4]),
        "value": array.array("d", wide[1::4]),
        "task": words[4::8],
        "other": words[5::8],
        "site": words[6::8],
        "kind": array.array("B", events[28 :: _EVENT.size]),
        "detail": array.array("B", events[29 :: _EVENT.size]),
    }
    if sys.byteorder == "big":
        for column in columns.values():
            column.byteswap()
    return columns


def _resources(events: bytes, tasks: dict[int, Any], finder: Finder) -> dict[str, dict[str, Any]]:
    """Describe what the events speak of that is no task.

    What turned up at the same line has the same name: it is looked for once.
    """
    resources: dict[int, dict[str, Any]] = {}
    for position in _positions(events, Kind.RESOURCE_MADE):
        _, _, maker, number, site, _, detail = _EVENT.unpack_from(events, position)
        resources[number] = {"kind": Wait(detail), "maker": maker, "site": site}
    for position in _positions(events, Kind.WAIT_BEGAN):
        _, _, _, number, _, _, detail = _EVENT.unpack_from(events, position)
        if number:
            resources.setdefault(number, {"kind": Wait(detail)})
    by_site = {
        (resource["kind"], resource.get("site")): finder.found[number]
        for number, resource in resources.items()
        if number in finder.found
    }
    described = {}
    peers = _peers(finder.ends)
    for number, resource in resources.items():
        if number in tasks:
            continue
        wait = resource["kind"]
        type_of_kind = _TYPES.get(wait, wait.label)
        name, class_name = finder.found.get(number) or by_site.get(
            (wait, resource.get("site")), (f"{type_of_kind}-{number}", type_of_kind)
        )
        described[str(number)] = resource | {
            "kind": wait.label,
            "type": class_name,
            "name": name,
        }
        if number in peers:
            described[str(number)]["peer"] = peers[number]
    return described


def _peers(ends: dict[int, tuple[object, object]]) -> dict[int, int]:
    """Return the other ends of those connections that have both ends in the recording.

    An address may be used again by a later connection, so that of several the latest counts.
    """
    numbers = {addresses: number for number, addresses in ends.items() if all(addresses)}
    others = {number: numbers.get(addresses[::-1]) for addresses, number in numbers.items()}
    return {number: other for number, other in others.items() if other is not None}


def _site(place: tuple[Any, int]) -> dict[str, Any]:
    code, line = place
    return {
        "file": code.co_filename,
        "line": line,
        "function": code.co_qualname,
        "text": linecache.getline(code.co_filename, line).strip() if line else "",
    }
