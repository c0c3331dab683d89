"""Two transfers in opposite directions lock the same two accounts and wait for each other.

The bug shows as a deadlock when the second transfer locks its source before the first one has
locked its target. Locking in one global order, by account number, mends it.
"""

import asyncio

ROUND_TRIP = 0.01


class Account:
    def __init__(self, number):
        self.number = number
        self.balance = 100
        self.lock = asyncio.Lock()


async def transfer(source, target, amount):
    await locked_transfer(source, target, source, target, amount)


async def ordered_transfer(source, target, amount):
    first, second = sorted((source, target), key=lambda account: account.number)
    await locked_transfer(first, second, source, target, amount)


async def locked_transfer(first, second, source, target, amount):
    async with first.lock:
        await asyncio.sleep(ROUND_TRIP)  # The credit limit is looked up.
        async with second.lock:
            source.balance -= amount
            target.balance += amount


async def two_transfers(transfer):
    alice, bob = Account(1), Account(2)

    async def pay_back():
        await asyncio.sleep(ROUND_TRIP)  # Bob signs.
        await transfer(bob, alice, 30)

    await asyncio.gather(transfer(alice, bob, 10), pay_back())
    assert (alice.balance, bob.balance) == (120, 80)


async def broken():
    await two_transfers(transfer)


async def mended():
    await two_transfers(ordered_transfer)
