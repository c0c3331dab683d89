"""Private state of asyncio's queues, read and changed all the same: the store and the waiters."""

import asyncio
import collections

import pytest


@pytest.mark.parametrize(
    ("name", "store"), [("Queue", collections.deque), ("LifoQueue", list), ("PriorityQueue", list)]
)
def test_the_store_can_be_reached(classes, name, store):
    queue = getattr(classes, name)()
    queue.put_nowait(1)
    assert type(queue._queue) is store
    assert queue._queue is queue._queue
    queue._queue.append(2)
    assert queue.qsize() == 2
    queue._queue.clear()
    assert queue.empty()
    with pytest.raises(asyncio.QueueEmpty):
        queue.get_nowait()
    queue.put_nowait(3)
    assert queue._queue == store([3])


def test_the_store_can_be_replaced(queue_class):
    queue = queue_class()
    queue.put_nowait(1)
    queue._queue = collections.deque([5, 6])
    assert queue.qsize() == 2
    assert queue.get_nowait() == 5
    del queue._queue
    assert str(queue) == "<Queue maxsize=0 tasks=1>"
    with pytest.raises(AttributeError, match="'Queue' object has no attribute '_queue'"):
        queue.qsize()
    queue._queue = []
    with pytest.raises(AttributeError, match="'list' object has no attribute 'popleft'"):
        queue.put_nowait(1)
        queue.get_nowait()


def test_a_future_of_ones_own_can_wait_in_the_line(loop, queue_class):
    async def main():
        queue = queue_class(1)
        await queue.put(1)
        futures = [loop.create_future() for _ in range(3)]
        futures[0].cancel()
        for future in futures:
            queue._putters.append(future)
        assert [*queue._putters] == futures
        assert queue._putters[1] is futures[1]
        queue._putters.remove(futures[1])
        with pytest.raises(ValueError):
            queue._putters.remove(futures[1])
        assert await queue.get() == 1
        assert futures[2].result() is None
        assert not futures[1].done()
        assert not queue._putters
        with pytest.raises(IndexError):
            queue._putters.popleft()

    loop.run_until_complete(main())


def test_the_waiters_are_futures_or_answer_as_such(loop, queue_class):
    async def main():
        queue = queue_class()
        task = asyncio.ensure_future(queue.get())
        await asyncio.sleep(0)
        (getter,) = queue._getters
        assert getter in queue._getters
        assert not getter.done()
        queue._queue.append("put from outside")
        waiter = queue._getters.popleft()
        assert waiter is getter
        waiter.set_result(None)
        assert await task == "put from outside"

    loop.run_until_complete(main())


def test_the_next_waiter_can_be_woken_by_hand(loop, queue_class):
    async def main():
        queue = queue_class()
        tasks = [asyncio.ensure_future(queue.get()) for _ in range(2)]
        await asyncio.sleep(0)
        # As a queue does to which something is put in front.
        queue._queue.appendleft("front")
        queue._unfinished_tasks += 1
        queue._finished.clear()
        queue._wakeup_next(queue._getters)
        assert await tasks[0] == "front"
        own = collections.deque([loop.create_future() for _ in range(2)])
        first = own[0]
        queue._wakeup_next(own)
        assert first.done()
        assert len(own) == 1
        queue._getters.clear()
        tasks[1].cancel()

    loop.run_until_complete(main())
