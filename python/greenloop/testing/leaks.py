"""`no_leaks`: a block that leaves no task, no descriptor and no event loop behind."""

from __future__ import annotations

import asyncio
import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from greenloop.testing.errors import Leaked


@contextmanager
def no_leaks(*, tasks: bool = True, descriptors: bool = True, loops: bool = True) -> Iterator[None]:
    """Raise `Leaked` if a block has made something that is still there when it ends.

    It is for `with`, in a coroutine or outside of one. What only garbage holds is collected before.
    A block that raises is not checked.

    Args:
        tasks: Whether tasks of the running loop that have not ended are leaks.
        descriptors: Whether open file descriptors of the process are.
        loops: Whether event loops that were not closed are.

    Raises:
        Leaked: Something was left behind. The text names each.
    """
    kinds = [
        found
        for is_asked, found in ((tasks, _tasks), (descriptors, _descriptors), (loops, _loops))
        if is_asked
    ]
    gc.collect()
    before = [found() for found in kinds]
    yield
    gc.collect()
    left = [
        text
        for found, earlier in zip(kinds, before, strict=True)
        for key, text in found().items()
        if key not in earlier
    ]
    if left:
        raise Leaked("\n".join(["the block has left behind:", *left]))


def _tasks() -> dict[object, str]:
    """Return the other tasks of the running loop, and what to call them."""
    try:
        this = asyncio.current_task()
    except RuntimeError:
        return {}
    return {task: f"  {task!r}" for task in asyncio.all_tasks() if task is not this}


def _descriptors() -> dict[object, str]:
    """Return the open descriptors with what they are of."""
    found: dict[object, str] = {}
    for name in os.listdir("/proc/self/fd"):
        try:
            of = os.readlink(f"/proc/self/fd/{name}")
        except FileNotFoundError:
            # It is the one by which the folder was read.
            continue
        found[name, of] = f"  descriptor {name} of {of}"
    return found


def _loops() -> dict[object, str]:
    """Return the event loops that are not closed."""
    loops: list[Any] = [
        each for each in gc.get_objects() if isinstance(each, asyncio.AbstractEventLoop)
    ]
    return {id(loop): f"  {loop!r}" for loop in loops if not loop.is_closed()}
