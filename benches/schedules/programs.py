"""The programs whose steps are counted, in plain asyncio."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Program:
    """A program that does a number of operations and returns how many it did."""

    name: str
    title: str
    operation: str
    """What is counted."""
    main: Callable[[int], Coroutine[Any, Any, int]]
    operations: int = 20_000


SWITCHING_TASKS = 10

SLEEPERS = 100

LONGEST_SLEEP = 10
"""In milliseconds. asyncio, which is the yardstick, really sleeps."""


async def switching(operations: int) -> int:
    """Ten tasks take turns."""

    async def spin(rounds: int) -> int:
        for _ in range(rounds):
            await asyncio.sleep(0)
        return rounds

    rounds = operations // SWITCHING_TASKS
    return sum(await asyncio.gather(*(spin(rounds) for _ in range(SWITCHING_TASKS))))


async def ping_pong(operations: int) -> int:
    """Two tasks hand an item to and fro."""
    there: asyncio.Queue[int] = asyncio.Queue(1)
    back: asyncio.Queue[int] = asyncio.Queue(1)

    async def answer(rounds: int) -> None:
        for _ in range(rounds):
            await back.put(await there.get())

    async def ask(rounds: int) -> int:
        done = 0
        for number in range(rounds):
            await there.put(number)
            done += 2 * (await back.get() == number)
        return done

    done, _ = await asyncio.gather(ask(operations // 2), answer(operations // 2))
    return done


async def sleeping(operations: int) -> int:
    """A hundred tasks sleep for a few milliseconds, again and again."""

    async def sleep(first: int, rounds: int) -> int:
        for number in range(first, first + rounds):
            await asyncio.sleep((1 + number % LONGEST_SLEEP) / 1000)
        return rounds

    rounds = operations // SLEEPERS
    return sum(await asyncio.gather(*(sleep(first, rounds) for first in range(SLEEPERS))))


async def nothing(operations: int) -> int:
    """Hardly anything, so that making and closing the loop is what a run costs."""
    await asyncio.sleep(0)
    return operations


WHOLE_RUN = "run"
"""The operation of a program that is measured from outside, with all that its run needs."""

PROGRAMS: dict[str, Program] = {
    program.name: program
    for program in (
        Program("switching", "sleep(0) in 10 tasks", "sleep", switching),
        Program("ping-pong", "Queue(1), ping-pong", "hand-over", ping_pong),
        Program("sleepers", "100 tasks that sleep 1 to 10 ms", "sleep", sleeping),
        Program("nothing", "a run that does nothing", WHOLE_RUN, nothing, 1),
    )
}
