"""Timeouts that do not expire: the usual case, in which only their upkeep is paid.

"Ready" is a body that never suspends; "pending" suspends once, so that the timer is really armed
across a turn of the loop.
"""

from __future__ import annotations

import asyncio

from .definition import workload

LIMIT = 10.0
"""Seconds; far beyond what any of these bodies takes."""


@workload("timeout-ready", "timeout(), ready", operation="one timeout block", operations=20_000)
async def timeout_ready(operations: int) -> int:
    passed = 0
    for _ in range(operations):
        async with asyncio.timeout(LIMIT):
            passed += 1
    return passed


@workload("timeout-pending", "timeout(), pending", operation="one timeout block", operations=20_000)
async def timeout_pending(operations: int) -> int:
    passed = 0
    for _ in range(operations):
        async with asyncio.timeout(LIMIT):
            await asyncio.sleep(0)
            passed += 1
    return passed


@workload("wait-for-ready", "wait_for, ready", operation="one wait_for", operations=20_000)
async def wait_for_ready(operations: int) -> int:
    future = asyncio.get_running_loop().create_future()
    future.set_result(1)
    done = 0
    for _ in range(operations):
        done += await asyncio.wait_for(future, LIMIT)
    return done


@workload("wait-for-pending", "wait_for, pending", operation="one wait_for", operations=20_000)
async def wait_for_pending(operations: int) -> int:
    loop = asyncio.get_running_loop()
    done = 0
    for _ in range(operations):
        future = loop.create_future()
        loop.call_soon(future.set_result, 1)
        done += await asyncio.wait_for(future, LIMIT)
    return done
