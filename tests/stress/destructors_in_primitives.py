"""Scenarios in which what a primitive or its waiter held uses a primitive as it dies."""

import asyncio
import functools
import gc

from scenarios import attempt


class Dying:
    """Runs something when it dies."""

    def __init__(self, last):
        self.last = last

    def __del__(self):
        self.last()

    def __lt__(self, other):
        return id(self) < id(other)


def attempt_type(function):
    """As `attempt`, for items without a repr, which die with it."""
    try:
        return type(function()).__name__
    except Exception as error:
        return type(error)


def item_that_puts_when_it_dies(loop, one):
    results = []
    for queue in (one.api.Queue(), one.api.LifoQueue()):
        queue.put_nowait(Dying(functools.partial(queue.put_nowait, "last will")))
        queue.put_nowait("other")
        for _ in range(3):
            item = attempt_type(queue.get_nowait)
            results.append((item, queue.qsize()))
    return results


def queue_of_the_dying(loop, one):
    """A queue that dies takes items with it that want to use it."""
    wills = []

    def make(kind):
        queue = kind()
        for number in range(3):
            queue.put_nowait(Dying(lambda number=number: wills.append(number)))
        queue.put_nowait(queue)
        return queue

    make(one.api.Queue), make(one.api.LifoQueue)
    gc.collect()
    return sorted(wills)


def cancelled_put_of_the_dying(loop, one):
    order = []
    queue = one.api.Queue(1)

    def last():
        order.append(attempt(queue.get_nowait))

    async def put():
        await queue.put(Dying(last))

    async def main():
        queue.put_nowait("first")
        task = loop.create_task(put())
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        del task
        gc.collect()
        order.append((queue.qsize(), len(queue._putters)))

    loop.run_until_complete(main())
    return order


def result_of_a_sleep_that_dies(loop, one):
    order = []

    async def main():
        event = one.api.Event()
        task = loop.create_task(one.api.sleep(3600, Dying(event.set)))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        del task
        gc.collect()
        order.append(event.is_set())

    loop.run_until_complete(main())
    return order


def local_of_a_waiter_that_dies(loop, one):
    """A task that is cancelled drops what it has, and that releases the lock again."""
    order = []

    async def body(lock):
        mine = Dying(lambda: order.append(attempt(lock.release)))  # noqa: F841
        await lock.acquire()

    async def main():
        lock = one.api.Lock()
        await lock.acquire()
        tasks = [loop.create_task(body(lock)) for _ in range(3)]
        await asyncio.sleep(0)
        tasks[0].cancel()
        await asyncio.wait(tasks, timeout=0.001)
        order.append([task.done() for task in tasks])
        order.append(lock.locked())
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)

    loop.run_until_complete(main())
    gc.collect()
    return order
