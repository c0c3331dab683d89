"""Futures: waking another task through one, and awaiting one that is already done."""

from __future__ import annotations

import asyncio

from .definition import workload


@workload(
    "future-ping-pong",
    "Future ping-pong",
    operation="one hand-over: a future created, set by one task, awaited by the other",
    operations=50_000,
)
async def ping_pong(operations: int) -> int:
    loop = asyncio.get_running_loop()
    awaited = [loop.create_future(), loop.create_future()]

    async def play(mine: int, theirs: int, rounds: int) -> int:
        received = 0
        for _ in range(rounds):
            ball = awaited[mine] = loop.create_future()
            awaited[theirs].set_result(1)
            received += await ball
        if not awaited[theirs].done():  # The other player's last ball.
            awaited[theirs].set_result(1)
        return received

    rounds = operations // 2
    return sum(await asyncio.gather(play(0, 1, rounds), play(1, 0, rounds)))


@workload("done-future", "await a done future", operation="one await", operations=500_000)
async def await_done_future(operations: int) -> int:
    future = asyncio.get_running_loop().create_future()
    future.set_result(1)
    done = 0
    for _ in range(operations):
        done += await future
    return done
