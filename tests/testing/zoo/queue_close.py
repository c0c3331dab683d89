"""A queue is closed by a sentinel while another producer still has an item to put.

The bug shows when the producer that closes the queue is the first to finish: the consumer stops
at the sentinel, and the items after it are lost. Closing after all producers are done mends it.
"""

import asyncio

CLOSED = object()
ROUND_TRIP = 0.01


async def produce(queue, *items):
    for item in items:
        await asyncio.sleep(ROUND_TRIP)  # The item is downloaded.
        queue.put_nowait(item)


async def consume(queue):
    handled = []
    while (item := await queue.get()) is not CLOSED:
        handled.append(item)
    return handled


async def produce_all(queue):
    async def last_producer():
        await produce(queue, 3, 4)
        queue.put_nowait(CLOSED)

    await asyncio.gather(produce(queue, 1, 2), last_producer())


async def produce_all_then_close(queue):
    await asyncio.gather(produce(queue, 1, 2), produce(queue, 3, 4))
    queue.put_nowait(CLOSED)


async def pipeline(produce_all):
    queue = asyncio.Queue()
    handled, _ = await asyncio.gather(consume(queue), produce_all(queue))
    assert sorted(handled) == [1, 2, 3, 4], f"only {sorted(handled)} were handled"


async def broken():
    await pipeline(produce_all)


async def mended():
    await pipeline(produce_all_then_close)
