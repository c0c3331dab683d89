"""Callbacks: call_soon in a chain, in batches, in contexts, and call_soon_threadsafe in floods."""

from __future__ import annotations

import asyncio
import contextvars
import threading

from .definition import workload

BATCH = 1000


class _Arrivals:
    """A callback that counts its calls and says when the expected number has come."""

    def __init__(self, expected: int) -> None:
        self.count = 0
        self.complete = asyncio.get_running_loop().create_future()
        self._expected = expected

    def arrive(self) -> None:
        self.count += 1
        if self.count == self._expected:
            self.complete.set_result(None)


@workload("call-soon-chain", "call_soon chain", operation="one callback", operations=100_000)
async def chain(operations: int) -> int:
    loop = asyncio.get_running_loop()
    end = loop.create_future()
    called = 0

    def step() -> None:
        nonlocal called
        called += 1
        if called == operations:
            end.set_result(None)
        else:
            loop.call_soon(step)

    loop.call_soon(step)
    await end
    return called


@workload("call-soon-batch", "call_soon, 1000 a turn", operation="one callback", operations=100_000)
async def batches(operations: int) -> int:
    loop = asyncio.get_running_loop()
    arrivals = _Arrivals(operations)
    arrive = arrivals.arrive
    for _ in range(operations // BATCH):
        for _ in range(BATCH):
            loop.call_soon(arrive)
        await asyncio.sleep(0)
    await arrivals.complete
    return arrivals.count


_written = contextvars.ContextVar("_written", default=0)


@workload(
    "call-soon-context",
    "call_soon in a context copy",
    operation="one context copied, one callback that writes to it",
    operations=50_000,
)
async def in_context_copies(operations: int) -> int:
    loop = asyncio.get_running_loop()
    end = loop.create_future()
    written = 0

    def write() -> None:
        nonlocal written
        _written.set(_written.get() + 1)
        # 1 every time: what an earlier callback wrote stays in that callback's context.
        written += _written.get()
        if written == operations:
            end.set_result(None)

    for _ in range(operations // BATCH):
        for _ in range(BATCH):
            loop.call_soon(write, context=contextvars.copy_context())
        await asyncio.sleep(0)
    await end
    return written


@workload(
    "threadsafe-own-thread",
    "call_soon_threadsafe flood, loop's thread",
    operation="one callback",
    operations=50_000,
)
async def flood_from_the_loops_thread(operations: int) -> int:
    loop = asyncio.get_running_loop()
    arrivals = _Arrivals(operations)
    arrive = arrivals.arrive
    for _ in range(operations):
        loop.call_soon_threadsafe(arrive)
    await arrivals.complete
    return arrivals.count


@workload(
    "threadsafe-other-thread",
    "call_soon_threadsafe flood, other thread",
    operation="one callback, the calling thread's share included",
    operations=50_000,
)
async def flood_from_another_thread(operations: int) -> int:
    loop = asyncio.get_running_loop()
    arrivals = _Arrivals(operations)
    arrive = arrivals.arrive

    def flood() -> None:
        for _ in range(operations):
            loop.call_soon_threadsafe(arrive)

    thread = threading.Thread(target=flood)
    thread.start()
    await arrivals.complete
    thread.join()
    return arrivals.count
