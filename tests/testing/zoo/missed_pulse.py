"""An event is set and cleared at once, and a task that waits a moment later is never woken.

The bug shows as a deadlock when the database is ready before the worker waits for it. An event
that stays set mends it: readiness is a state, not a moment.
"""

import asyncio

ROUND_TRIP = 0.01


async def worker(ready):
    await asyncio.sleep(ROUND_TRIP)  # The settings are read.
    await ready.wait()
    return "worked"


async def start_database(announce):
    await asyncio.sleep(ROUND_TRIP)  # The database replays its log.
    announce()


async def broken():
    ready = asyncio.Event()

    def announce():
        ready.set()
        ready.clear()

    await two_workers(ready, announce)


async def mended():
    ready = asyncio.Event()
    await two_workers(ready, ready.set)


async def two_workers(ready, announce):
    results = await asyncio.gather(worker(ready), worker(ready), start_database(announce))
    assert results == ["worked", "worked", None]
