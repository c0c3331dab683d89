"""The tasks of all loops, as the watching thread finds them."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import sys
from collections import deque
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from greenloop import _native

_DEEPEST: Final = 4
"""How far behind an awaited object the tasks are that it waits for."""

_MOST: Final = 50_000
"""How many objects are looked at for one wait."""


class LoopFigures(NamedTuple):
    """A loop that runs, and figures of it. Times are nanoseconds."""

    event_loop: Any
    number: int
    thread: int
    is_idle: bool
    steps: int
    ready: int
    timers: int
    descriptors: int
    lags: int
    median_lag: int
    p99_lag: int
    longest_lag: int


def loops() -> list[LoopFigures]:
    """Return the loops that run."""
    return [LoopFigures(*figures) for figures in _native._look_at_loops()]


def all_tasks() -> list[Any]:
    """Return the pending tasks of all loops that run, of any class."""
    found: dict[int, Any] = {id(task): task for task in _native.registered_tasks()}
    for figures in loops():
        try:
            found |= {id(task): task for task in asyncio.all_tasks(figures.event_loop)}
        except RuntimeError:
            continue  # Tasks were made faster than they could be listed.
    return list(found.values())


def own_tasks() -> list[Any]:
    """Return the pending tasks of this package, and from 3.14 on those of other classes as well."""
    return all_tasks() if sys.version_info >= (3, 14) else _native.registered_tasks()


def wake_loops() -> None:
    """Have loops that sleep look whether there is something to do.

    Whoever looks at objects may be the last to let one of them go, and so have its finaliser run:
    in a thread whose calls wake no loop. The same holds for the garbage collector, which runs in
    whichever thread has made the last object that it waits for.
    """
    for figures in loops():
        if figures.is_idle and figures.ready:
            # It may be closed by now.
            with contextlib.suppress(RuntimeError, OSError):
                figures.event_loop._write_to_self()


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


def current(event_loop: Any) -> Any | None:
    """Return the task whose step a loop runs, of any class."""
    try:
        return asyncio.current_task(event_loop)
    except RuntimeError:
        return None


def current_number(event_loop: Any) -> int | None:
    """Return the number of the task whose step a loop runs, if it is one of this package."""
    look = _native._look_at_task(current(event_loop))
    return None if look is None else int(look[0])


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
