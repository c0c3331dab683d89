"""A consumer tests its condition with `if` instead of `while`, and pops from an empty list.

The bug shows when another consumer arrives between the notification and the moment the notified
one has the lock again: the newcomer takes the item. Testing again after each wait() mends it.
"""

import asyncio

ROUND_TRIP = 0.01


class Shelf:
    """Items that one party puts down and others pick up."""

    def __init__(self):
        self.items = []
        self.changed = asyncio.Condition()

    async def put(self, item):
        async with self.changed:
            self.items.append(item)
            self.changed.notify()

    async def take(self):
        async with self.changed:
            if not self.items:
                await self.changed.wait()
            return self.items.pop()


class CarefulShelf(Shelf):
    async def take(self):
        async with self.changed:
            while not self.items:
                await self.changed.wait()
            return self.items.pop()


async def second_consumer(shelf):
    await asyncio.sleep(ROUND_TRIP)  # The consumer finishes something else.
    return await shelf.take()


async def producer(shelf):
    for item in ("bread", "milk"):
        await asyncio.sleep(ROUND_TRIP)  # The item is delivered.
        await shelf.put(item)


async def two_consumers(shelf):
    *taken, _ = await asyncio.gather(shelf.take(), second_consumer(shelf), producer(shelf))
    assert sorted(taken) == ["bread", "milk"]


async def broken():
    await two_consumers(Shelf())


async def mended():
    await two_consumers(CarefulShelf())
