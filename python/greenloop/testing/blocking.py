"""Waiting until tasks wait, and putting the steps of several tasks into an order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from greenloop import _native

_SUSPENDED = 2


def is_blocked(task: asyncio.Task[Any]) -> bool:
    """Return whether a task waits for something: it neither runs, nor is ready, nor has ended.

    A task that waits for a timer is blocked, too.
    """
    look = _native._look_at_task(task)
    if look is not None:
        return bool(look[1] == _SUSPENDED)
    return not task.done() and getattr(task, "_fut_waiter", None) is not None


def assert_blocked(task: asyncio.Task[Any]) -> None:
    """Raise AssertionError unless a task waits for something."""
    if not is_blocked(task):
        state = "has ended" if task.done() else "can run"
        raise AssertionError(f"{task!r} should wait, but {state}")


async def wait_until_blocked(*tasks: asyncio.Task[Any]) -> None:
    """Return when each of the tasks waits for something or has ended.

    Other tasks run meanwhile, and no time passes on a virtual clock.
    """
    while not all(task.done() or is_blocked(task) for task in tasks):
        await asyncio.sleep(0)


async def wait_all_tasks_blocked() -> None:
    """Return when every other task of the running loop waits for something."""
    this = asyncio.current_task()
    while True:
        others = [task for task in asyncio.all_tasks() if task is not this]
        if all(task.done() or is_blocked(task) for task in others):
            return
        await asyncio.sleep(0)


class Sequencer:
    """Blocks of several tasks that run in the order of their numbers, whichever task has them.

    A task enters its block by `async with sequencer(number):`. The block with the number 0 begins
    at once; any other one begins when the one before it has ended.
    """

    def __init__(self) -> None:
        """Begin with the block that has the number 0."""
        self._next = 0
        self._waiting: dict[int, asyncio.Event] = {}
        self._begun: set[int] = set()

    @asynccontextmanager
    async def __call__(self, number: int) -> AsyncIterator[None]:
        """Wait until the blocks with all lower numbers have ended.

        Raises:
            ValueError: The number is below 0.
            RuntimeError: A block with that number has begun already.
        """
        if number < 0:
            raise ValueError(f"blocks are numbered from 0, not {number!r}")
        if number in self._begun:
            raise RuntimeError(f"there are two blocks with the number {number}")
        self._begun.add(number)
        if number != self._next:
            event = self._waiting[number] = asyncio.Event()
            await event.wait()
        try:
            yield
        finally:
            self._next = number + 1
            following = self._waiting.pop(self._next, None)
            if following is not None:
                following.set()
