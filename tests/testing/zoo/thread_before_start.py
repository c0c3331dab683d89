"""A thread publishes prices before the main task has subscribed to them.

The bug shows as a deadlock when the exchange answers before the settings are read: a bus
without subscribers drops its messages. Subscribing before the thread starts mends it.
"""

import asyncio
import time

SLOW = 0.01  # The usual time until the exchange answers; real time, because a thread waits.


class Bus:
    """Delivers each message to the inboxes that are subscribed by then."""

    def __init__(self):
        self.inboxes = []

    def subscribe(self):
        inbox = asyncio.Queue()
        self.inboxes.append(inbox)
        return inbox

    async def publish(self, message):
        for inbox in self.inboxes:
            inbox.put_nowait(message)


def read_settings():
    return {"currency": "EUR"}


def ask_exchange(bus, loop, delay):
    time.sleep(delay)
    for price in (41, 42):
        asyncio.run_coroutine_threadsafe(bus.publish(price), loop)


async def broken():
    loop, bus = asyncio.get_running_loop(), Bus()
    reading = loop.run_in_executor(None, read_settings)
    asking = loop.run_in_executor(None, ask_exchange, bus, loop, SLOW)
    settings = await reading
    inbox = bus.subscribe()
    await check(inbox, settings)
    await asking


async def mended():
    loop, bus = asyncio.get_running_loop(), Bus()
    inbox = bus.subscribe()
    reading = loop.run_in_executor(None, read_settings)
    asking = loop.run_in_executor(None, ask_exchange, bus, loop, 0)
    settings = await reading
    await check(inbox, settings)
    await asking


async def check(inbox, settings):
    prices = [await inbox.get(), await inbox.get()]
    assert sorted(prices) == [41, 42]
    assert settings == {"currency": "EUR"}
