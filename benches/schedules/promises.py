"""Correct programs that rely on an order which asyncio promises or has always had.

A tester that runs ready jobs in any order fails them, with an order that production never has. Each
is named by what it relies on.
"""

from __future__ import annotations

import asyncio


async def callbacks_run_in_the_order_of_call_soon() -> None:
    loop, seen = asyncio.get_running_loop(), []
    for number in range(3):
        loop.call_soon(seen.append, number)
    await asyncio.sleep(0.001)
    assert seen == [0, 1, 2], seen


async def tasks_start_in_the_order_of_their_making() -> None:
    seen: list[int] = []

    async def start(number: int) -> None:
        seen.append(number)

    await asyncio.gather(*(start(number) for number in range(3)))
    assert seen == [0, 1, 2], seen


async def a_task_has_started_after_a_turn() -> None:
    seen: list[str] = []

    async def start() -> None:
        seen.append("started")

    task = asyncio.create_task(start())
    await asyncio.sleep(0)
    assert seen == ["started"]
    await task


async def a_cancelled_task_has_ended_after_a_turn() -> None:
    task = asyncio.create_task(asyncio.sleep(1))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.sleep(0)
    assert task.cancelled()


async def tasks_take_turns() -> None:
    seen: list[str] = []

    async def work(name: str) -> None:
        for _ in range(3):
            seen.append(name)
            await asyncio.sleep(0)

    await asyncio.gather(work("a"), work("b"))
    assert "".join(seen) == "ababab", seen


async def a_lock_is_fair() -> None:
    lock, seen = asyncio.Lock(), []

    async def work(number: int) -> None:
        async with lock:
            seen.append(number)
            await asyncio.sleep(0.001)

    tasks = []
    for number in range(3):
        tasks.append(asyncio.create_task(work(number)))
        await asyncio.sleep(0.0001)
    await asyncio.gather(*tasks)
    assert seen == [0, 1, 2], seen


async def waiters_of_an_event_wake_in_their_order() -> None:
    event, seen = asyncio.Event(), []

    async def wait(number: int) -> None:
        await event.wait()
        seen.append(number)

    tasks = []
    for number in range(3):
        tasks.append(asyncio.create_task(wait(number)))
        await asyncio.sleep(0.001)
    event.set()
    await asyncio.gather(*tasks)
    assert seen == [0, 1, 2], seen


async def done_callbacks_run_in_their_order() -> None:
    future, seen = asyncio.get_running_loop().create_future(), []
    for number in range(3):
        future.add_done_callback(lambda _, number=number: seen.append(number))
    future.set_result(None)
    await asyncio.sleep(0)
    assert seen == [0, 1, 2], seen


async def the_earlier_timer_comes_first() -> None:
    loop, seen = asyncio.get_running_loop(), []
    # Not by `sleep`: a process that stands still in between has later deadlines than it meant.
    start = loop.time()
    for number in (3, 2, 1):
        loop.call_at(start + number / 1000, seen.append, number)
    await asyncio.sleep(0.01)
    assert seen == [1, 2, 3], seen


async def calls_of_one_thread_stay_in_order() -> None:
    loop, seen, all_seen = asyncio.get_running_loop(), [], asyncio.Event()

    def call() -> None:
        for number in range(3):
            loop.call_soon_threadsafe(seen.append, number)
        loop.call_soon_threadsafe(all_seen.set)

    await loop.run_in_executor(None, call)
    await all_seen.wait()
    assert seen == [0, 1, 2], seen


PROMISES = {
    promise.__name__: promise
    for promise in (
        callbacks_run_in_the_order_of_call_soon,
        tasks_start_in_the_order_of_their_making,
        a_task_has_started_after_a_turn,
        a_cancelled_task_has_ended_after_a_turn,
        tasks_take_turns,
        a_lock_is_fair,
        waiters_of_an_event_wake_in_their_order,
        done_callbacks_run_in_their_order,
        the_earlier_timer_comes_first,
        calls_of_one_thread_stay_in_order,
    )
}
