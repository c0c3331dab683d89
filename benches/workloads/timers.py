"""Timers: set and cancelled, set and fired, and tasks that sleep."""

from __future__ import annotations

import asyncio
import random

from .definition import workload


def _nothing() -> None:
    pass


@workload(
    "timers-cancelled",
    "100k timers, create + cancel",
    operation="one timer created and cancelled",
    operations=100_000,
)
async def created_and_cancelled(operations: int) -> int:
    loop = asyncio.get_running_loop()
    handles = [loop.call_later(10, _nothing) for _ in range(operations)]
    for handle in handles:
        handle.cancel()
    # Two turns, so that nobody's cleaning-up falls outside the timed section.
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return len(handles)


@workload(
    "timers-fired",
    "100k timers firing",
    operation="one timer created and fired",
    operations=100_000,
)
async def created_and_fired(operations: int) -> int:
    # Deadlines lie in random order within the next millisecond and creating the timers takes
    # longer than that: all are due when the creation ends, so every loop does the same work
    # and none is charged for turns that a finer clock would give it.
    loop = asyncio.get_running_loop()
    delays = [i * 1e-3 / operations for i in range(operations)]
    random.Random(1).shuffle(delays)
    end = loop.create_future()
    fired = 0

    def fire() -> None:
        nonlocal fired
        fired += 1
        if fired == operations:
            end.set_result(None)

    start = loop.time()
    for delay in delays:
        loop.call_at(start + delay, fire)
    await end
    return fired


@workload(
    "sleep-short-1000",
    "sleep(0.5 ms), 1000 tasks",
    operation="one sleep",
    operations=20_000,
)
async def short_sleeps(operations: int) -> int:
    async def sleep_repeatedly(times: int) -> int:
        for _ in range(times):
            await asyncio.sleep(0.0005)
        return times

    each = operations // 1000
    return sum(await asyncio.gather(*(sleep_repeatedly(each) for _ in range(1000))))


@workload(
    "sleepers-10000",
    "10 000 sleepers, 0-50 ms",
    operation="one task created that sleeps once",
    operations=10_000,
)
async def many_sleepers(operations: int) -> int:
    async def sleep_once(delay: float) -> int:
        await asyncio.sleep(delay)
        return 1

    delays = [(i + 1) * 0.05 / operations for i in range(operations)]
    random.Random(1).shuffle(delays)
    return sum(await asyncio.gather(*map(sleep_once, delays)))
