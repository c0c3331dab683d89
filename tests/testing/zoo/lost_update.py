"""A deposit is lost because the balance is read before an await and written after it.

The bug shows when the card payment is authorised before the ledger confirms the cash: both
deposits then start from the same balance. A lock around the read and the write mends it.
"""

import asyncio

ROUND_TRIP = 0.01


class Account:
    """A balance whose every change has to be confirmed by a ledger."""

    def __init__(self):
        self.balance = 100

    async def deposit(self, amount):
        balance = self.balance
        await asyncio.sleep(ROUND_TRIP)  # The ledger confirms.
        self.balance = balance + amount


class LockedAccount(Account):
    def __init__(self):
        super().__init__()
        self.lock = asyncio.Lock()

    async def deposit(self, amount):
        async with self.lock:
            await super().deposit(amount)


async def pay_by_card(account, amount):
    await asyncio.sleep(ROUND_TRIP)  # The bank authorises the payment.
    await account.deposit(amount)


async def two_deposits(account):
    await asyncio.gather(account.deposit(10), pay_by_card(account, 20))
    assert account.balance == 130, f"a deposit was lost: {account.balance} instead of 130"


async def broken():
    await two_deposits(Account())


async def mended():
    await two_deposits(LockedAccount())
