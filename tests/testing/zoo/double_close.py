"""A connection is closed twice because its flag is set only after the last flush.

The bug shows when the idle timer closes the connection while its user already does: the file
descriptor is released a second time. A flag set before the first await mends it; the second
caller waits until the first one is done.
"""

import asyncio

ROUND_TRIP = 0.01


class Connection:
    def __init__(self, descriptors):
        self.descriptors = descriptors
        self.descriptor = 7
        self.descriptors.add(self.descriptor)
        self.closed = False

    async def flush(self):
        await asyncio.sleep(ROUND_TRIP)  # The peer acknowledges the last bytes.

    async def close(self):
        if not self.closed:
            await self.flush()
            self.descriptors.remove(self.descriptor)  # KeyError if it was released before.
            self.closed = True


class CarefulConnection(Connection):
    def __init__(self, descriptors):
        super().__init__(descriptors)
        self.closing = None

    async def close(self):
        if self.closing is None:
            self.closing = asyncio.create_task(super().close())
        await asyncio.shield(self.closing)


async def close_when_idle(connection):
    await asyncio.sleep(ROUND_TRIP)  # Nobody sends anything.
    await connection.close()


async def two_closers(kind):
    descriptors = set()
    connection = kind(descriptors)
    await asyncio.gather(connection.close(), close_when_idle(connection))
    assert not descriptors


async def broken():
    await two_closers(Connection)


async def mended():
    await two_closers(CarefulConnection)
