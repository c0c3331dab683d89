"""Memory: how far the resident set grows per object that is kept waiting."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from .definition import workload


def _nothing() -> None:
    pass


@workload(
    "memory-task",
    "memory of a pending task",
    operation="one task that awaits a future of its own",
    operations=50_000,
    measure="memory",
)
async def pending_tasks(operations: int) -> Sequence[object]:
    loop = asyncio.get_running_loop()

    async def wait(future: asyncio.Future[None]) -> None:
        await future

    tasks = [asyncio.create_task(wait(loop.create_future())) for _ in range(operations)]
    await asyncio.sleep(0)  # Every task has reached its await.
    return tasks


@workload(
    "memory-timer",
    "memory of a pending timer",
    operation="one call_later, its handle kept",
    operations=50_000,
    measure="memory",
)
async def pending_timers(operations: int) -> Sequence[object]:
    loop = asyncio.get_running_loop()
    return [loop.call_later(3600, _nothing) for _ in range(operations)]


async def _blocked_tasks(
    wait: Callable[[], Awaitable[object]], count: int
) -> list[asyncio.Task[None]]:
    async def wait_once() -> None:
        await wait()

    tasks = [asyncio.create_task(wait_once()) for _ in range(count)]
    await asyncio.sleep(0)  # Every task has reached its await.
    return tasks


@workload(
    "memory-getter",
    "memory of a task blocked in Queue.get",
    operation="one task that waits for an item of a common queue",
    operations=50_000,
    measure="memory",
)
async def blocked_getters(operations: int) -> Sequence[object]:
    return await _blocked_tasks(asyncio.Queue().get, operations)


@workload(
    "memory-event-waiter",
    "memory of a task blocked in Event.wait",
    operation="one task that waits for a common event",
    operations=50_000,
    measure="memory",
)
async def blocked_event_waiters(operations: int) -> Sequence[object]:
    return await _blocked_tasks(asyncio.Event().wait, operations)


@workload(
    "memory-lock-waiter",
    "memory of a task blocked in Lock.acquire",
    operation="one task that waits for a common lock",
    operations=50_000,
    measure="memory",
)
async def blocked_lock_waiters(operations: int) -> Sequence[object]:
    lock = asyncio.Lock()
    await lock.acquire()
    return await _blocked_tasks(lock.acquire, operations)


@workload(
    "memory-sleeper",
    "memory of a task blocked in sleep",
    operation="one task that sleeps",
    operations=50_000,
    measure="memory",
)
async def sleepers(operations: int) -> Sequence[object]:
    return await _blocked_tasks(lambda: asyncio.sleep(3600), operations)
