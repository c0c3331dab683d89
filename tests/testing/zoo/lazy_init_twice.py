"""A connection that is opened on first use is opened twice, and one of the two is never closed.

The bug shows when the second user asks while the first one still waits for the connection.
A lock mends it: each user looks again once it has the lock.
"""

import asyncio

ROUND_TRIP = 0.01


class Server:
    def __init__(self):
        self.open_connections = 0

    async def connect(self):
        await asyncio.sleep(ROUND_TRIP)  # The handshake.
        self.open_connections += 1
        return self

    def disconnect(self):
        self.open_connections -= 1


class Client:
    """One connection, opened when it is first needed."""

    def __init__(self, server):
        self.server = server
        self.connection = None

    async def connected(self):
        if self.connection is None:
            self.connection = await self.server.connect()
        return self.connection

    def close(self):
        self.connection.disconnect()


class LockingClient(Client):
    def __init__(self, server):
        super().__init__(server)
        self.lock = asyncio.Lock()

    async def connected(self):
        async with self.lock:
            return await super().connected()


async def second_user(client):
    await asyncio.sleep(ROUND_TRIP)  # The user types a query.
    await client.connected()


async def two_users(client, server):
    await asyncio.gather(client.connected(), second_user(client))
    client.close()
    assert server.open_connections == 0, f"{server.open_connections} connection leaked"


async def broken():
    server = Server()
    await two_users(Client(server), server)


async def mended():
    server = Server()
    await two_users(LockingClient(server), server)
