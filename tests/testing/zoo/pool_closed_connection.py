"""A pool hands out a connection that its reaper is about to close.

The reaper leaves a connection in the list of idle ones while it says goodbye to the server. The
bug shows when a request takes the connection in that time. A reaper that removes a connection
from the list before its first await mends it.
"""

import asyncio

ROUND_TRIP = 0.01


class Connection:
    def __init__(self):
        self.open = True

    async def query(self):
        await asyncio.sleep(ROUND_TRIP)  # The server answers.
        if not self.open:
            raise ConnectionError("the pool handed out a connection that was being closed")
        return "row"

    async def close(self):
        await asyncio.sleep(ROUND_TRIP)  # The server acknowledges the goodbye.
        self.open = False


class Pool:
    def __init__(self):
        self.idle = [Connection()]

    def acquire(self):
        return self.idle.pop() if self.idle else Connection()

    def release(self, connection):
        self.idle.append(connection)

    async def reap(self):
        for connection in list(self.idle):
            await connection.close()
            if connection in self.idle:
                self.idle.remove(connection)


class CarefulPool(Pool):
    async def reap(self):
        reaped, self.idle = self.idle, []
        for connection in reaped:
            await connection.close()


async def request(pool):
    await asyncio.sleep(ROUND_TRIP)  # The request is read from its socket.
    connection = pool.acquire()
    row = await connection.query()
    pool.release(connection)
    return row


async def reap_and_request(pool):
    _, row = await asyncio.gather(pool.reap(), request(pool))
    assert row == "row"


async def broken():
    await reap_and_request(Pool())


async def mended():
    await reap_and_request(CarefulPool())
