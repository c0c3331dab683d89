"""Synchronisation: Event, Lock, Semaphore, Condition, contended and not."""

from __future__ import annotations

import asyncio

from .definition import workload


@workload(
    "event-ping-pong",
    "Event ping-pong",
    operation="one hand-over: one set, one wait that blocks, one clear",
    operations=40_000,
)
async def event_ping_pong(operations: int) -> int:
    events = [asyncio.Event(), asyncio.Event()]

    async def play(mine: asyncio.Event, theirs: asyncio.Event, rounds: int) -> int:
        for _ in range(rounds):
            await mine.wait()
            mine.clear()
            theirs.set()
        return rounds

    events[0].set()
    first, second = events
    rounds = operations // 2
    return sum(await asyncio.gather(play(first, second, rounds), play(second, first, rounds)))


async def _pass_through(gate: asyncio.Lock | asyncio.Semaphore, times: int) -> int:
    for _ in range(times):
        async with gate:
            await asyncio.sleep(0)
    return times


@workload(
    "lock-100",
    "Lock, 100 tasks",
    operation="one acquire and release with a sleep(0) between",
    operations=20_000,
)
async def contended_lock(operations: int) -> int:
    lock = asyncio.Lock()
    each = operations // 100
    return sum(await asyncio.gather(*(_pass_through(lock, each) for _ in range(100))))


@workload(
    "lock-uncontended",
    "Lock uncontended",
    operation="one acquire and release",
    operations=200_000,
)
async def uncontended_lock(operations: int) -> int:
    lock = asyncio.Lock()
    passed = 0
    for _ in range(operations):
        async with lock:
            passed += 1
    return passed


@workload(
    "semaphore-100",
    "Semaphore(10), 100 tasks",
    operation="one acquire and release with a sleep(0) between",
    operations=20_000,
)
async def contended_semaphore(operations: int) -> int:
    semaphore = asyncio.Semaphore(10)
    each = operations // 100
    return sum(await asyncio.gather(*(_pass_through(semaphore, each) for _ in range(100))))


@workload(
    "semaphore-uncontended",
    "Semaphore uncontended",
    operation="one acquire and release",
    operations=200_000,
)
async def uncontended_semaphore(operations: int) -> int:
    semaphore = asyncio.Semaphore(1)
    passed = 0
    for _ in range(operations):
        async with semaphore:
            passed += 1
    return passed


@workload(
    "condition-100",
    "Condition, 100 tasks",
    operation="one wait that blocks, notified together with the others",
    operations=20_000,
)
async def crowded_condition(operations: int) -> int:
    condition = asyncio.Condition()
    passed = 0

    async def wait_repeatedly(times: int) -> int:
        nonlocal passed
        for _ in range(times):
            async with condition:
                await condition.wait()
                passed += 1
        return times

    async def notify_repeatedly() -> None:
        while passed < operations:
            async with condition:
                condition.notify_all()
            await asyncio.sleep(0)

    each = operations // 100
    notifier = asyncio.create_task(notify_repeatedly())
    completed = sum(await asyncio.gather(*(wait_repeatedly(each) for _ in range(100))))
    await notifier
    return completed


@workload(
    "condition-ping-pong",
    "Condition ping-pong",
    operation="one hand-over: one notify, one wait that blocks",
    operations=20_000,
)
async def condition_ping_pong(operations: int) -> int:
    condition = asyncio.Condition()
    turn = 0

    async def play(mine: int, rounds: int) -> int:
        nonlocal turn
        for _ in range(rounds):
            async with condition:
                while turn != mine:
                    await condition.wait()
                turn = 1 - mine
                condition.notify()
        return rounds

    rounds = operations // 2
    return sum(await asyncio.gather(play(0, rounds), play(1, rounds)))
