"""Shows our tasks to `asyncio.all_tasks()` of Python 3.11 to 3.13.

Those versions keep tasks in a WeakSet, which costs more per task than everything else together.
Ours are in a native list, and the set that asyncio reads gets an `__iter__` that reads both. It
remains the same object, since others hold it already, and becomes an instance of `TaskSet` when our
first loop or task is made, not at import. From 3.14 on asyncio's list is cheap, and our
tasks are in it.
"""

import weakref
from collections.abc import Iterator
from typing import Any

from greenloop import _native


class TaskSet(weakref.WeakSet[Any]):
    """asyncio's set of tasks, and ours in front of it."""

    def __iter__(self) -> Iterator[Any]:
        yield from _native.registered_tasks()
        yield from super().__iter__()
