"""The resources that tasks wait for or hold, described for people."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import FrameType
from typing import Any, Final

from greenloop import _native
from greenloop.thread_queue import ThreadQueue
from greenloop.watching import foreign_locks, frames, outsiders
from greenloop.watching.names import Names


def _of_queue(queue: Any) -> str:
    most = queue.maxsize
    items = f"{queue.qsize()} of {most}" if most > 0 else f"{queue.qsize()}"
    unfinished = getattr(queue, "_unfinished_tasks", None)
    if unfinished is None:
        unfinished = getattr(queue, "_unfinished", 0)
    text = f"{items} items, {unfinished} unfinished"
    if isinstance(queue, ThreadQueue):
        text += f", {outsiders.threads_in_line(queue)}"
    return text


def _of_lock(lock: Any) -> str:
    text = "locked" if lock.locked() else "free"
    return f"a {type(lock).__name__}, {text}" if foreign_locks.is_lock(lock) else text


def _of_semaphore(semaphore: Any) -> str:
    return f"{semaphore._value} free"


def _of_event(event: Any) -> str:
    return "set" if event.is_set() else "not set"


def _of_barrier(barrier: Any) -> str:
    return f"{barrier.n_waiting} of {barrier.parties}"


_TEXTS: Final[dict[str, Callable[[Any], str]]] = {
    "queue": _of_queue,
    "lock": _of_lock,
    "semaphore": _of_semaphore,
    "event": _of_event,
    "barrier": _of_barrier,
}
"""What is told of a resource, by its kind."""

CLASSES: Final[tuple[tuple[str, type[Any]], ...]] = (
    ("queue", asyncio.Queue),
    ("lock", asyncio.Lock),
    ("semaphore", asyncio.Semaphore),
    ("event", asyncio.Event),
    ("condition", asyncio.Condition),
    ("barrier", asyncio.Barrier),
    ("task-group", asyncio.TaskGroup),
)
"""The kinds of resources and asyncio's classes of them. Greenloop's are told by their names."""

_KINDS: Final = {
    "Queue": "queue",
    "PriorityQueue": "queue",
    "LifoQueue": "queue",
    "ThreadQueue": "queue",
    "Lock": "lock",
    "Semaphore": "semaphore",
    "BoundedSemaphore": "semaphore",
    "Event": "event",
    "Condition": "condition",
    "Barrier": "barrier",
    "TaskGroup": "task-group",
    "StreamReader": "stream-reader",
    "StreamWriter": "stream-writer",
}


def in_words(resource: dict[str, Any]) -> str:
    """Name a resource of a report: its kind and its name."""
    kind, name = resource["kind"], resource["name"]
    if name:
        return f"{kind} {name!r}"
    return f"an {kind}" if kind[0] in "aeiou" else f"a {kind}"


def kind_of(resource: object) -> str | None:
    """Return the kind of a resource, if it is one."""
    for kind, known in CLASSES:
        if isinstance(resource, known):
            return kind
    for base in type(resource).__mro__:
        if base.__module__.startswith(("greenloop", "asyncio")) and base.__name__ in _KINDS:
            return _KINDS[base.__name__]
    return "lock" if foreign_locks.is_lock(resource) else None


class Resources:
    """The resources of a report in the making."""

    def __init__(self, names: Names) -> None:
        self._names = names
        self._shown: dict[int, dict[str, Any]] = {}
        self._kept: list[object] = []
        """Keeps the identities of those without a number apart."""
        self._foreign = 0

    def add(self, resource: object, number: int, stack: list[FrameType]) -> dict[str, Any]:
        """Describe a resource that a task waits for.

        Args:
            resource: The object.
            number: Its number, or 0 if it has none.
            stack: The frames of the task.
        """
        key = number or -id(resource)
        known = self._shown.get(key)
        if known is not None:
            known["name"] = known["name"] or self._names.of(resource, stack)
            return known
        if not number:
            self._foreign -= 1
            self._kept.append(resource)
        kind = kind_of(resource) or "future"
        shown = self._shown[key] = {
            "id": number or self._foreign,
            "kind": kind,
            "name": self._names.of(resource, stack),
            "class": type(resource).__name__,
            "text": _text_of(kind, resource),
            "holders": _holders_of(number) if number else [],
            "waiters": [],
        }
        return shown

    def all(self) -> list[dict[str, Any]]:
        """Return all of them."""
        return list(self._shown.values())

    def name_tasks(self, waiters: dict[int, list[int]], names: dict[int, str]) -> None:
        """Tell which tasks wait for each resource, and name those that hold it.

        Args:
            waiters: The numbers of the tasks, by the numbers of the resources.
            names: The names of all tasks by their numbers.
        """
        for shown in self._shown.values():
            shown["waiters"] = waiters.get(shown["id"], [])
            for holder in shown["holders"]:
                holder["name"] = names.get(holder["task"])


def _text_of(kind: str, resource: object) -> str:
    describe = _TEXTS.get(kind)
    if describe is None:
        return ""
    try:
        return describe(resource)
    except Exception as error:  # The methods of a subclass may do anything.
        return f"not to be described: {type(error).__name__}"


def _holders_of(number: int) -> list[dict[str, Any]]:
    holders = _native._look_at_holders(number) or []
    return [
        {
            "task": task or None,
            "name": None,
            "since": since / 1000,
            "place": None if code is None else frames.of_code(code, line),
        }
        for task, since, code, line in holders
    ]
