"""How the work of a queue comes to its end: `task_done` and `join`, and `shutdown`."""

import asyncio
import sys

import pytest
from garbage import collect

from primitives_under_test import turns

# task_done and join.


def test_join_waits_for_the_last_task_done(loop, kind):
    async def main():
        queue = kind()
        await queue.join()
        for item in range(2):
            queue.put_nowait(item)
        joiners = [asyncio.ensure_future(queue.join()) for _ in range(3)]
        await turns(2)
        queue.get_nowait()
        queue.task_done()
        await turns(2)
        assert not any(joiner.done() for joiner in joiners)
        assert len(queue._finished._waiters) == 3
        queue.get_nowait()
        queue.task_done()
        assert queue._finished.is_set()
        # Woken in this turn, though there is something to be done again.
        queue.put_nowait(1)
        await turns(2)
        assert all(joiner.done() for joiner in joiners)
        with pytest.raises(ValueError, match=r"task_done\(\) called too many times"):
            queue.task_done()
            queue.task_done()

    loop.run_until_complete(main())


def test_a_cancelled_join_leaves_the_event(loop, queue_class):
    async def main():
        queue = queue_class()
        queue.put_nowait(1)
        joiner = asyncio.ensure_future(queue.join())
        await asyncio.sleep(0)
        joiner.cancel()
        await asyncio.wait([joiner])
        assert joiner.cancelled()
        assert not queue._finished._waiters

    loop.run_until_complete(main())


def test_the_number_of_unfinished_tasks_can_be_set(queue_class):
    queue = queue_class()
    queue._unfinished_tasks = 2
    queue.task_done()
    assert queue._unfinished_tasks == 1


# Shutting down.


@pytest.mark.skipif(sys.version_info >= (3, 13), reason="3.13 has it")
def test_there_is_no_shutdown_before_3_13(kind):
    assert not hasattr(kind(), "shutdown")
    assert not hasattr(kind(), "_is_shutdown")


@pytest.mark.skipif(sys.version_info < (3, 13), reason="new in 3.13")
class TestShutdown:
    def test_items_can_still_be_taken(self, loop, kind):
        async def main():
            queue = kind()
            queue.put_nowait(1)
            queue.shutdown()
            with pytest.raises(asyncio.QueueShutDown):
                queue.put_nowait(2)
            with pytest.raises(asyncio.QueueShutDown):
                await queue.put(2)
            assert await queue.get() == 1
            with pytest.raises(asyncio.QueueShutDown):
                queue.get_nowait()
            with pytest.raises(asyncio.QueueShutDown):
                await queue.get()

        loop.run_until_complete(main())

    def test_at_once_drops_the_items_and_ends_joins(self, loop, kind):
        async def main():
            queue = kind(2)
            queue.put_nowait(1)
            queue.put_nowait(2)
            joiner = asyncio.ensure_future(queue.join())
            putter = asyncio.ensure_future(queue.put(3))
            await asyncio.sleep(0)
            queue.shutdown(immediate=True)
            assert queue.empty()
            await joiner
            with pytest.raises(asyncio.QueueShutDown):
                await putter
            assert queue._unfinished_tasks == 0

        loop.run_until_complete(main())

    def test_waiters_for_an_item_are_notified(self, loop, queue_class):
        async def main():
            queue = queue_class()
            getters = [asyncio.ensure_future(queue.get()) for _ in range(2)]
            await asyncio.sleep(0)
            queue.shutdown()
            results = await asyncio.gather(*getters, return_exceptions=True)
            assert [type(result) for result in results] == [asyncio.QueueShutDown] * 2

        loop.run_until_complete(main())

    def test_an_item_may_use_the_queue_when_it_is_dropped(self, queue_class):
        class Last:
            def __del__(self):
                seen.append(queue.qsize())

        seen = []
        queue = queue_class()
        queue.put_nowait(Last())
        queue.put_nowait(1)
        queue.shutdown(immediate=True)
        collect()
        assert len(seen) == 1
        assert queue.empty()
