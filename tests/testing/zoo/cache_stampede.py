"""A cache loads one value several times because nothing marks a key that is being loaded.

The bug shows when a second request looks the key up before the first one has stored its value.
A cache of tasks instead of values mends it: later requests join the load that is under way.
"""

import asyncio

ROUND_TRIP = 0.01


class Cache:
    """What the database answered, by key."""

    def __init__(self):
        self.entries = {}
        self.loads = 0

    async def load(self, key):
        self.loads += 1
        await asyncio.sleep(ROUND_TRIP)  # The database answers.
        return f"the row of {key}"

    async def get(self, key):
        if key not in self.entries:
            self.entries[key] = await self.load(key)
        return self.entries[key]


class CacheOfTasks(Cache):
    async def get(self, key):
        if key not in self.entries:
            self.entries[key] = asyncio.create_task(self.load(key))
        # One request that is cancelled must not cancel the load that the others wait for.
        return await asyncio.shield(self.entries[key])


async def later_request(cache, key):
    await asyncio.sleep(ROUND_TRIP)  # The request is read from its socket.
    return await cache.get(key)


async def three_requests(cache):
    rows = await asyncio.gather(
        cache.get("alice"), later_request(cache, "alice"), later_request(cache, "alice")
    )
    assert rows == ["the row of alice"] * 3
    assert cache.loads == 1, f"the same row was loaded {cache.loads} times"


async def broken():
    await three_requests(Cache())


async def mended():
    await three_requests(CacheOfTasks())
