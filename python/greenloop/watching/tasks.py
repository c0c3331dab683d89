"""The tasks of all loops, as the watching thread finds them."""

from __future__ import annotations

import asyncio
import contextlib
import gc
from collections import deque
from collections.abc import Iterable
from typing import Any, Final

from greenloop import _native

_DEEPEST: Final = 4
"""How far behind an awaited object the tasks are that it waits for."""

_MOST: Final = 2_000
"""How many objects are looked at for one wait."""


def all_tasks() -> list[Any]:
    """Return the pending tasks of all loops that run, of any class."""
    found = {id(task): task for task in _native.registered_tasks()}
    for event_loop, *_ in _native._look_at_loops():
        try:
            found |= {id(task): task for task in asyncio.all_tasks(event_loop)}
        except RuntimeError:
            continue  # Tasks were made faster than they could be listed.
    return list(found.values())


def wake_loops() -> None:
    """Have loops that sleep look whether there is something to do.

    Whoever looks at objects may be the last to let one of them go, and so have its finaliser run:
    in a thread whose calls wake no loop. The same holds for the garbage collector, which runs in
    whichever thread has made the last object that it waits for.
    """
    for event_loop, _, _, is_idle, _, _, ready, *_ in _native._look_at_loops():
        if is_idle and ready:
            # It may be closed by now.
            with contextlib.suppress(RuntimeError, OSError):
                event_loop._write_to_self()


def name_of(task: Any) -> str:
    """Return the name of a task of any class."""
    try:
        return str(task.get_name())
    except Exception:
        return f"a {type(task).__name__}"


def coroutine_of(task: Any) -> str:
    """Return what the function of a task is called."""
    try:
        coroutine = task.get_coro()
        return str(getattr(coroutine, "__qualname__", None) or type(coroutine).__qualname__)
    except Exception:
        return "?"


def by_number(number: int) -> Any | None:
    """Return the pending task with this number."""
    for task in all_tasks():
        look = _native._look_at_task(task)
        if look is not None and look[0] == number:
            return task
    return None


def waiting_for(awaited: Any) -> list[Any]:
    """Return the tasks that wait for a task, directly or among others."""
    waiting = []
    for task in all_tasks():
        look = _native._look_at_task(task)
        if look is not None and look[6] is not None and awaited in behind(look[6], task):
            waiting.append(task)
    return waiting


def behind(awaited: object, waiter: object) -> list[Any]:
    """Return the pending tasks for which a wait is, through `gather`, a task group and the like.

    Args:
        awaited: The object that a task awaits.
        waiter: That task, which is not among them.
    """
    if isinstance(awaited, asyncio.Task):
        return [awaited]
    found: dict[int, Any] = {}
    seen = {id(awaited)}
    level: Iterable[object] = [awaited]
    for _ in range(_DEEPEST):
        ahead: deque[object] = deque()
        for held in gc.get_referents(*level):
            if id(held) in seen or len(seen) > _MOST:
                continue
            seen.add(id(held))
            if isinstance(held, asyncio.Task):
                if held is not waiter and not held.done():
                    found[id(held)] = held
            elif _leads_on(held):
                ahead.append(held)
        level = ahead
    return list(found.values())


def _leads_on(held: object) -> bool:
    """Tell whether tasks that are waited for may be behind an object."""
    if type(held) in (list, tuple, set, frozenset, dict):
        return True
    return type(held).__module__.startswith(
        ("greenloop", "asyncio", "_asyncio")
    ) and not isinstance(held, asyncio.AbstractEventLoop)
