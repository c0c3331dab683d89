"""Memory: how far the resident set grows per object that is kept waiting."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

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
