"""Locks that are written in Python, such as anyio's: found by what they are like.

Who holds one is not known, since each keeps that in its own way. But all of them say whether they
are locked, and keep the futures of those who wait in a container of their own.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from types import FrameType
from typing import Any, Final

from greenloop import _native

_METHODS: Final = ("acquire", "release", "locked")

_CONTAINERS: Final = (deque, list, set, dict, OrderedDict)

_MOST_WAITERS: Final = 10_000


def is_lock(resource: object) -> bool:
    """Tell whether an object is a lock of a class that is neither asyncio's nor Greenloop's."""
    cls = type(resource)
    if cls.__module__.partition(".")[0] in ("greenloop", "asyncio", "_thread", "threading"):
        return False
    return all(callable(getattr(cls, method, None)) for method in _METHODS)


def lock_of(awaited: object, stack: list[FrameType]) -> Any | None:
    """Return the lock whose method waits for a future, if the future is in the line of that lock.

    Args:
        awaited: The future.
        stack: The frames of the task that waits, the outermost first.
    """
    for frame in stack[-1:]:
        owner = _native._locals_of(frame).get("self")
        if owner is not None and is_lock(owner) and _has_in_line(owner, awaited):
            return owner
    return None


def _has_in_line(lock: object, awaited: object) -> bool:
    for held in _attributes(lock):
        if not isinstance(held, _CONTAINERS) or len(held) > _MOST_WAITERS:
            continue
        items = [*held, *held.values()] if isinstance(held, dict) else list(held)
        for item in items:
            # Many put the task beside its future.
            if item is awaited or (type(item) is tuple and any(one is awaited for one in item)):
                return True
    return False


def _attributes(lock: object) -> list[object]:
    found = list(getattr(lock, "__dict__", {}).values())
    for cls in type(lock).__mro__:
        slots = cls.__dict__.get("__slots__", ())
        for slot in (slots,) if isinstance(slots, str) else slots:
            held = getattr(lock, slot, None)
            if held is not None:
                found.append(held)
    return found
