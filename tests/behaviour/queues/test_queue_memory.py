"""A queue lets go of what it held: cycles are collected, items are freed, chains can be dropped."""

import asyncio
import warnings
import weakref

import pytest
from garbage import collect


class Thing:
    """Something that can be referenced weakly."""


@pytest.mark.parametrize("reached", [False, True], ids=["store untouched", "store reached"])
def test_a_queue_in_a_cycle_is_collected(kind, reached):
    thing = Thing()
    thing.queue = kind()
    thing.queue.put_nowait(thing)
    if reached:
        assert thing.queue._queue
    reference = weakref.ref(thing)
    del thing
    collect()
    assert reference() is None


def test_a_cycle_through_waiters_is_collected(loop, queue_class):
    async def wait(queue, thing):
        await queue.get()

    async def main():
        queue, thing = queue_class(), Thing()
        thing.task = loop.create_task(wait(queue, thing))
        thing.task._log_destroy_pending = False
        queue.thing = thing
        future = loop.create_future()
        future.queue = queue
        queue._getters.append(future)
        await asyncio.sleep(0)
        return weakref.ref(thing)

    reference = loop.run_until_complete(main())
    collect()
    assert reference() is None


def test_the_item_of_a_put_is_let_go(loop, queue_class):
    async def main():
        queue = queue_class()
        thing = Thing()
        reference = weakref.ref(thing)
        put = queue.put(thing)
        await put
        del thing
        assert queue.get_nowait() is reference()
        assert reference() is None
        del put

    loop.run_until_complete(main())


@pytest.mark.slow
def test_a_long_chain_of_queues_can_be_dropped(kind):
    queue = kind()
    for _ in range(100_000):
        outer = kind()
        outer.put_nowait(queue)
        queue = outer
    del queue, outer


def test_there_is_no_warning_when_all_is_awaited(loop, queue_class):
    async def main():
        queue = queue_class(1)
        await asyncio.gather(*[queue.put(item) for item in range(3)], *[queue.get() for _ in "abc"])
        for _ in "abc":
            queue.task_done()
        await queue.join()

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        loop.run_until_complete(main())
        collect()
