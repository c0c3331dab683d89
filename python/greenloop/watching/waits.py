"""What a task waits for, in words: the kind of wait, the resource, the tasks behind it."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from dataclasses import dataclass
from types import FrameType
from typing import Any, Final

from greenloop import _native
from greenloop.watching import foreign_locks, frames, outsiders, tasks
from greenloop.watching.resources import Resources, in_words, kind_of

_FOR_TASKS: Final = {"task", "gather", "wait", "task-group", "timeout", "shield"}
"""The kinds of wait for other tasks."""

_ON_RESOURCES: Final = {
    "queue.get": "queue",
    "queue.put": "queue",
    "queue.join": "queue",
    "lock": "lock",
    "semaphore": "semaphore",
    "event": "event",
    "condition": "condition",
    "barrier": "barrier",
    "task-group": "task-group",
    "stream.read": "stream-reader",
    "stream.drain": "stream-writer",
}
"""The kinds of wait for a resource, and the kind of that."""

_FUNCTIONS: Final = {
    "Queue.get": "queue.get",
    "Queue.put": "queue.put",
    "Queue.join": "queue.join",
    "Lock.acquire": "lock",
    "Semaphore.acquire": "semaphore",
    "Event.wait": "event",
    "Condition.wait": "condition",
    "Barrier._block": "barrier",
    "Barrier._wait": "barrier",
    "ThreadQueue.get": "queue.get",
    "ThreadQueue.put": "queue.put",
    "ThreadQueue.join": "queue.join",
    "TaskGroup.__aexit__": "task-group",
    "TaskGroup._aexit": "task-group",
    "StreamReader._wait_for_data": "stream.read",
    "FlowControlMixin._drain_helper": "stream.drain",
    "_wait": "wait",
    "sleep": "sleep",
    "BaseEventLoop.getaddrinfo": "name-lookup",
    "BaseSelectorEventLoop.sock_connect": "connect",
    "BaseSelectorEventLoop.sock_accept": "accept",
    "BaseSelectorEventLoop.sock_recv": "socket",
    "BaseSelectorEventLoop.sock_sendall": "socket",
    "Process.wait": "subprocess",
    "BaseSubprocessTransport._wait": "subprocess",
}
"""The kinds of wait of asyncio's own functions, for tasks that wait in these."""

_WORDS: Final = {
    "queue.get": "an item of {}",
    "queue.put": "room in {}",
    "queue.join": "all items of {} to be done",
    "lock": "{}",
    "semaphore": "a permit of {}",
    "event": "{}",
    "condition": "a notification of {}",
    "barrier": "{}",
    "task-group": "the tasks of {}",
    "stream.read": "bytes of {}",
    "stream.drain": "room in {}",
    "sleep": "time to pass",
    "yield": "its next turn",
    "gather": "several tasks",
    "wait": "several tasks",
    "task": "a task",
    "timeout": "what it gives a limited time",
    "shield": "what it shields",
    "socket": "a socket",
    "connect": "a connection",
    "accept": "a client",
    "name-lookup": "the look-up of a name",
    "executor": "a job of an executor",
    "subprocess": "a child process",
    "rust-future": "a future of Rust",
    "future": "a future",
    "foreign": "a foreign awaitable",
}


_WITH_PEER: Final = {"stream.drain", "stream.read", "socket"}
"""The kinds of wait for another end of a connection."""


@dataclass
class Found:
    """The facts of a wait."""

    kind: str
    resource: int
    remaining: float | None
    awaited: Any
    task: Any
    stack: list[FrameType]


@dataclass
class Described:
    """A wait as a report shows it, and the tasks that it is for."""

    shown: dict[str, Any]
    tasks: list[Any]


def describe(found: Found, resources: Resources) -> Described:
    """Describe a wait."""
    kind, owner = kind_and_resource(found)
    behind = tasks.behind(found.awaited, found.task) if kind in _FOR_TASKS else []
    resource = None
    if owner is not None:
        number = found.resource if found.kind in _ON_RESOURCES else 0
        resource = resources.add(owner, number, found.stack)
    text = _in_words(kind, resource)
    if kind == "future" and owner is None:
        text = _future_in_words(found)
    elif kind == "future":
        text = _WORDS["lock"].format(_with_text(resource))
    elif kind in _OUTSIDERS:
        text = _OUTSIDERS[kind](found) or text
    elif peer := _peer_of(found.awaited) if kind in _WITH_PEER else None:
        text += f" ({peer})"
    shown: dict[str, Any] = {
        "kind": kind,
        "resource": None if resource is None else resource["id"],
        "text": text,
        "tasks": [],
        "line": None,
        "ends_in": found.remaining,
    }
    return Described(shown, behind)


def kind_and_resource(found: Found) -> tuple[str, Any | None]:
    """Return the kind of a wait, and the resource that it is for, if it can be found."""
    if found.kind in ("future", "foreign"):
        return _kind_by_frames(found)
    if found.kind in _ON_RESOURCES:
        return found.kind, _owner_of(found.awaited, _ON_RESOURCES[found.kind])
    return found.kind, None


def _in_words(kind: str, resource: dict[str, Any] | None) -> str:
    words = _WORDS.get(kind, kind)
    if resource is None:
        return words.format("a " + _ON_RESOURCES.get(kind, kind))
    return words.format(_with_text(resource))


def _with_text(resource: dict[str, Any] | None) -> str:
    if resource is None:
        return ""
    text = f" ({resource['text']})" if resource["text"] else ""
    return in_words(resource) + text


def _owner_of(awaited: object, kind: str) -> Any | None:
    """Return the resource that an awaitable of Greenloop's is for."""
    for held in gc.get_referents(awaited):
        found = kind_of(held)
        if found == kind:
            return held
        if found == "condition" and kind == "lock":
            return held._lock
    return None


def _kind_by_frames(found: Found) -> tuple[str, Any | None]:
    """Return the kind of wait that the innermost function of asyncio's says, and its resource."""
    for frame in reversed(found.stack):
        if not frames.is_of_library(frame):
            break
        kind = _FUNCTIONS.get(frame.f_code.co_qualname)
        if kind is not None:
            owner = _native._locals_of(frame).get("self")
            return kind, owner if kind_of(owner) is not None else None
    if outsiders.job_of(found.awaited) is not None:
        return "executor", None
    return found.kind, foreign_locks.lock_of(found.awaited, found.stack)


def _future_in_words(found: Found) -> str:
    name = type(found.awaited).__name__
    if isinstance(found.awaited, asyncio.Future):
        return "a future" if name == "Future" else f"a future, {name}"
    return f"a foreign awaitable, {name}"


def _peer_of(awaited: object) -> str | None:
    """Return the other end of the connection that an awaitable is for."""
    for held in gc.get_referents(awaited):
        transport = getattr(held, "transport", None) or getattr(held, "_transport", None)
        try:
            if transport is not None:
                if transport.get_extra_info("subprocess") is not None:
                    return f"of {outsiders.child_in_words(transport)}"
                peer = transport.get_extra_info("peername")
                pending = transport.get_write_buffer_size()
                return f"to {peer}, {pending} bytes pending" if peer or pending else None
            if hasattr(held, "getpeername"):
                return f"to {held.getpeername()}"
        except Exception:  # A foreign transport, or a socket that is not connected.
            return None
    return None


def _job_in_words(found: Found) -> str:
    job = outsiders.job_of(found.awaited)
    return _WORDS["executor"] if job is None else outsiders.job_in_words(job)


_OUTSIDERS: Final[dict[str, Callable[[Found], str | None]]] = {
    "executor": _job_in_words,
    "subprocess": lambda found: outsiders.child_of(found.stack),
}
"""The kinds of wait for a thread or a child, and what tells of these."""
