"""Switching: tasks that do nothing but let the others run."""

from __future__ import annotations

import asyncio

from .definition import workload


async def _yield_repeatedly(times: int) -> int:
    for _ in range(times):
        await asyncio.sleep(0)
    return times


@workload("sleep0-1", "sleep(0), 1 task", operation="one sleep(0)", operations=100_000)
async def one_task(operations: int) -> int:
    return await _yield_repeatedly(operations)


@workload("sleep0-1000", "sleep(0), 1000 tasks", operation="one sleep(0)", operations=100_000)
async def thousand_tasks(operations: int) -> int:
    each = operations // 1000
    return sum(await asyncio.gather(*(_yield_repeatedly(each) for _ in range(1000))))
