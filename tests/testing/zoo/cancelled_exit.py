"""A session stays locked because a cancellation arrives while `__aexit__` awaits.

The bug shows when the body ends just before the cancellation: the flush in `__aexit__` is
cancelled, and the line after it never runs. A `finally` around the flush mends it.
"""

import asyncio

ROUND_TRIP = 0.01


class Session:
    """An editing session; nobody else may edit the document meanwhile."""

    def __init__(self, locked):
        self.locked = locked

    async def __aenter__(self):
        self.locked.add("document")

    async def flush(self):
        await asyncio.sleep(ROUND_TRIP)  # The last changes are stored.

    async def __aexit__(self, *exc_info):
        await self.flush()
        self.locked.remove("document")


class CarefulSession(Session):
    async def __aexit__(self, *exc_info):
        try:
            await self.flush()
        finally:
            self.locked.remove("document")


async def edit(session):
    async with session:
        await asyncio.sleep(ROUND_TRIP)  # The author types.


async def cancelled_edit(kind):
    locked = set()
    task = asyncio.create_task(edit(kind(locked)))
    await asyncio.sleep(ROUND_TRIP)  # The author closes the window.
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert not locked, "the document stays locked after the session"


async def broken():
    await cancelled_edit(Session)


async def mended():
    await cancelled_edit(CarefulSession)
