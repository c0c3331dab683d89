"""A semaphore loses a permit when a task is cancelled between acquire() and its `try`.

The bug shows when the user gives up before the connection is established: no `finally` is in
force yet. `async with` mends it, for it leaves no gap between the permit and its release.
"""

import asyncio

ROUND_TRIP = 0.01


async def connect():
    await asyncio.sleep(ROUND_TRIP)


async def transfer():
    await asyncio.sleep(ROUND_TRIP)


async def download(permits):
    await permits.acquire()
    await connect()
    try:
        await transfer()
    finally:
        permits.release()


async def careful_download(permits):
    async with permits:
        await connect()
        await transfer()


async def give_up(task):
    await asyncio.sleep(ROUND_TRIP)  # The user loses patience.
    task.cancel()


async def cancelled_download(download):
    permits = asyncio.Semaphore(1)
    task = asyncio.create_task(download(permits))
    await asyncio.gather(task, give_up(task), return_exceptions=True)
    assert not permits.locked(), "the cancelled download kept its permit"


async def broken():
    await cancelled_download(download)


async def mended():
    await cancelled_download(careful_download)
