"""A cleanup in a `finally` is cut short by the timeout that surrounds it.

The bug shows when the payment arrives just before the timeout: the timeout then cancels the
cleanup, and the item stays reserved. A timeout around the payment alone mends it.
"""

import asyncio

ROUND_TRIP = 0.01
PATIENCE = 0.01


class Stock:
    def __init__(self):
        self.reserved = 0

    async def release(self):
        await asyncio.sleep(ROUND_TRIP)  # The database confirms.
        self.reserved -= 1


async def payment():
    await asyncio.sleep(ROUND_TRIP)  # The customer pays.


async def order(stock):
    async with asyncio.timeout(PATIENCE):
        stock.reserved += 1
        try:
            await payment()
        finally:
            await stock.release()


async def careful_order(stock):
    stock.reserved += 1
    try:
        async with asyncio.timeout(PATIENCE):
            await payment()
    finally:
        await stock.release()


async def two_orders(order):
    stock = Stock()
    results = await asyncio.gather(order(stock), order(stock), return_exceptions=True)
    assert all(result is None or isinstance(result, TimeoutError) for result in results)
    assert stock.reserved == 0, f"{stock.reserved} items stay reserved for nobody"


async def broken():
    await two_orders(order)


async def mended():
    await two_orders(careful_order)
