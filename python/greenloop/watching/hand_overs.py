"""Broken hand-overs: tasks that wait for what is free, because nobody was told when it became so.

```text
    release ──► the lock is free ──► wakes the next in line, which was cancelled just now
                                      and the others wait on
```
A task that is not served while its loop has nothing to do is never served, unless a timer or a
thread does it. So nothing is said of a lock or a future that a timer leads to.
"""

from __future__ import annotations

import gc
from typing import Any, Final

from greenloop import _native
from greenloop.tracing.kinds import Wait
from greenloop.watching import foreign_locks, frames, tasks
from greenloop.watching.waits import Found, kind_and_resource

_KINDS: Final = {"queue.get", "queue.put", "lock", "semaphore", "event", "future", "foreign"}
"""The kinds of wait for what may be free."""

_MOST_TASKS: Final = 2_000
"""How many tasks are looked at."""

_NEAR: Final = 100
"""How many objects are looked at from a timer on."""


def broken(everything: list[Any], age: int) -> list[int]:
    """Return the numbers of the tasks that wait for what is free.

    Args:
        everything: All tasks.
        age: For how many milliseconds they have to have waited.
    """
    idle = {id(each.event_loop) for each in tasks.loops() if each.is_idle and not each.ready}
    if not idle:
        return []
    found = []
    for task in everything[:_MOST_TASKS]:
        look = _native._look_at_task(task)
        if look is None or look[1] != 2 or look[2] is None or look[2] < age or look[3] == 0:
            continue
        label = Wait(look[3]).label
        if label in _KINDS and id(task.get_loop()) in idle and _is_free(task, label, look):
            found.append(look[0])
    return found


def _is_free(task: Any, label: str, look: tuple[Any, ...]) -> bool:
    found = Found(label, look[4], look[5], look[6], task, frames.of_task(task))
    kind, resource = kind_and_resource(found)
    if resource is None:
        return False
    if not foreign_locks.is_lock(resource) and not _is_of_library(resource):
        return False  # A subclass may mean something else by the same word.
    if not _says_free(kind, resource):
        return False
    return not _is_near_timer(task.get_loop(), look[6], resource)


def _is_of_library(resource: object) -> bool:
    return type(resource).__module__.startswith(("asyncio.", "greenloop"))


def _says_free(kind: str, resource: Any) -> bool:
    try:
        match kind:
            case "queue.get":
                return not resource.empty()
            case "queue.put":
                return not resource.full()
            case "semaphore":
                return bool(resource._value > 0)
            case "event":
                return bool(resource.is_set())
            case "lock" | "future":
                return resource.locked() is False
            case _:
                return False
    except Exception:  # It is code of the program, which may do anything.
        return False


def _is_near_timer(event_loop: Any, *wanted: object) -> bool:
    """Tell whether a timer that is set leads to one of these objects."""
    identities = {id(each) for each in wanted}
    for timer in event_loop._timer_handles():
        seen = {id(timer)}
        ahead = [timer]
        while ahead and len(seen) < _NEAR:
            for held in gc.get_referents(ahead.pop(0)):
                if id(held) in identities:
                    return True
                if id(held) not in seen and held is not event_loop and gc.is_tracked(held):
                    seen.add(id(held))
                    ahead.append(held)
    return False
