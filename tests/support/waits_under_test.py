"""One wait of each kind: a function that returns an awaitable and what ends its wait.

It is given the classes and functions to use, a `Setting` of `primitives_under_test`.
"""

import asyncio


async def wait_in_queue(scopes):
    queue = scopes.Queue()
    return queue.get(), lambda: queue.put_nowait(7)


async def wait_for_room(scopes):
    queue = scopes.Queue(1)
    queue.put_nowait(0)
    return queue.put(1), queue.get_nowait


async def wait_for_event(scopes):
    event = scopes.Event()
    return event.wait(), event.set


async def wait_for_lock(scopes):
    lock = scopes.Lock()
    await lock.acquire()
    return lock.acquire(), lock.release


async def wait_for_barrier(scopes):
    barrier = scopes.Barrier(2)
    return barrier.wait(), lambda: asyncio.ensure_future(barrier.wait())


async def wait_for_others(scopes):
    future = asyncio.get_running_loop().create_future()
    return scopes.wait([future]), lambda: future.set_result(7)


async def wait_for_one(scopes):
    future = asyncio.get_running_loop().create_future()
    return scopes.wait_for(future, 10), lambda: future.set_result(7)


async def wait_for_time(scopes):
    return scopes.sleep(1e-4, 7), lambda: None


WAITS = [
    wait_in_queue,
    wait_for_room,
    wait_for_event,
    wait_for_lock,
    wait_for_barrier,
    wait_for_others,
    wait_for_one,
    wait_for_time,
]
