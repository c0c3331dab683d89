"""Queues: one put and one get are one operation, whoever blocks."""

from __future__ import annotations

import asyncio

from .definition import workload


async def _produce(queue: asyncio.Queue[int], count: int) -> None:
    for _ in range(count):
        await queue.put(1)


async def _consume(queue: asyncio.Queue[int], count: int) -> int:
    taken = 0
    for _ in range(count):
        taken += await queue.get()
    return taken


async def _hand_over(queue: asyncio.Queue[int], operations: int, pairs: int) -> int:
    each = operations // pairs
    producers = [_produce(queue, each) for _ in range(pairs)]
    consumers = [_consume(queue, each) for _ in range(pairs)]
    return sum((await asyncio.gather(*producers, *consumers))[pairs:])


@workload("queue-unbounded", "Queue unbounded", operation="one put + get", operations=100_000)
async def unbounded(operations: int) -> int:
    return await _hand_over(asyncio.Queue(), operations, pairs=1)


@workload(
    "queue-priority",
    "PriorityQueue, 100 numbers",
    operation="one put + get",
    operations=20_000,
)
async def by_priority(operations: int) -> int:
    queue: asyncio.PriorityQueue[int] = asyncio.PriorityQueue()
    numbers = [number * 7919 % 1000 for number in range(1000)]
    for number in numbers[:100]:
        queue.put_nowait(number)
    done = 0
    for number in range(operations):
        await queue.put(numbers[number % 1000])
        await queue.get()
        done += 1
    return done


@workload("queue-1", "Queue(1)", operation="one put + get", operations=20_000)
async def bounded_by_one(operations: int) -> int:
    return await _hand_over(asyncio.Queue(maxsize=1), operations, pairs=1)


@workload(
    "queue-1-join",
    "Queue(1) with join",
    operation="one put + get + task_done; join at the end",
    operations=20_000,
)
async def joined(operations: int) -> int:
    queue: asyncio.Queue[int] = asyncio.Queue(maxsize=1)
    done = 0

    async def consume_for_ever() -> None:
        nonlocal done
        while True:
            done += await queue.get()
            queue.task_done()

    consumer = asyncio.create_task(consume_for_ever())
    await _produce(queue, operations)
    await queue.join()
    consumer.cancel()
    await asyncio.wait([consumer])
    return done


@workload(
    "queue-1-join-each",
    "Queue(1), join after each put",
    operation="one put + join, one get + task_done",
    operations=20_000,
)
async def joined_after_each_put(operations: int) -> int:
    queue: asyncio.Queue[int] = asyncio.Queue(maxsize=1)

    async def produce_and_join() -> None:
        for _ in range(operations):
            await queue.put(1)
            await queue.join()

    async def consume() -> int:
        taken = 0
        for _ in range(operations):
            taken += await queue.get()
            queue.task_done()
        return taken

    return (await asyncio.gather(produce_and_join(), consume()))[1]


@workload(
    "queue-100-10x10",
    "Queue(100), 10 producers, 10 consumers",
    operation="one put + get",
    operations=100_000,
)
async def ten_by_ten(operations: int) -> int:
    return await _hand_over(asyncio.Queue(maxsize=100), operations, pairs=10)
