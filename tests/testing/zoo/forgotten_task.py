"""A background task that nobody refers to is not finished when its result is needed.

The bug shows when the last answer is acknowledged before the journal is written: nothing waits
for the task that writes it. A task group around the program mends it.
"""

import asyncio

ROUND_TRIP = 0.01


async def write(journal, entry):
    await asyncio.sleep(ROUND_TRIP)  # The disk confirms.
    journal.append(entry)


async def answer():
    await asyncio.sleep(0)  # The answer is written to the socket.
    await asyncio.sleep(ROUND_TRIP)  # The client acknowledges.


async def handle(request, journal, create_task):
    create_task(write(journal, request))
    await answer()


async def broken():
    journal = []
    await handle("order 1", journal, asyncio.create_task)
    await handle("order 2", journal, asyncio.create_task)
    check(journal)


async def mended():
    journal = []
    async with asyncio.TaskGroup() as background:
        await handle("order 1", journal, background.create_task)
        await handle("order 2", journal, background.create_task)
    check(journal)


def check(journal):
    assert sorted(journal) == ["order 1", "order 2"], f"the journal has only {journal}"
