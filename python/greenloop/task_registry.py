"""Shows our tasks to `asyncio.all_tasks()` of Python 3.11 to 3.13.

Those versions keep tasks in a WeakSet, which costs more per task than everything else together.
Ours stand in a native list, and the set that asyncio reads is given an `__iter__` that reads both.
It remains the same object, since others hold it already. From 3.14 on asyncio's list is cheap, and
our tasks are in it.
"""

import asyncio.tasks
import sys
import weakref
from collections.abc import Iterator
from typing import Any

from greenloop import _native


class _TaskSet(weakref.WeakSet[Any]):
    """asyncio's set of tasks, and ours in front of it."""

    def __iter__(self) -> Iterator[Any]:
        yield from _native.registered_tasks()
        yield from super().__iter__()


def show_native_tasks() -> None:
    """Have asyncio see our tasks. Done when the first loop or task is made, not at import."""
    if sys.version_info >= (3, 14):
        return
    name = "_scheduled_tasks" if sys.version_info >= (3, 12) else "_all_tasks"
    tasks = getattr(asyncio.tasks, name)
    if type(tasks) is weakref.WeakSet:
        tasks.__class__ = _TaskSet
