"""A payment is charged twice because a timeout repeats a request that succeeds all the same.

The bug shows when the timeout is handled before the answer. An idempotency key mends it: the
bank recognises the repeated request and does not charge again.
"""

import asyncio

ROUND_TRIP = 0.01
PATIENCE = 0.01


class Bank:
    def __init__(self):
        self.charges = []

    async def charge(self, key, amount):
        await asyncio.sleep(ROUND_TRIP)  # The request travels to the bank.
        self.charges.append((key, amount))


class IdempotentBank(Bank):
    async def charge(self, key, amount):
        await asyncio.sleep(ROUND_TRIP)
        if (key, amount) not in self.charges:
            self.charges.append((key, amount))


async def pay(bank, key, amount):
    first = asyncio.create_task(bank.charge(key, amount))
    await asyncio.sleep(0)  # The request is written to the socket, and cannot be recalled.
    done, _ = await asyncio.wait({first}, timeout=PATIENCE)
    if not done:
        await bank.charge(key, amount)
    await first


async def two_payments(bank):
    await asyncio.gather(pay(bank, "order 7", 30), pay(bank, "order 8", 50))
    charges = sorted(bank.charges)
    assert charges == [("order 7", 30), ("order 8", 50)], f"a payment was charged twice: {charges}"


async def broken():
    await two_payments(Bank())


async def mended():
    await two_payments(IdempotentBank())
