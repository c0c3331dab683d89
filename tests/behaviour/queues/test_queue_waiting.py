"""Waiters of a queue: the order in which they are served, and the state when one leaves."""

import asyncio
import inspect
import re

import pytest
from garbage import collect

from primitives_under_test import turns


def test_an_unblocked_put_and_get_take_no_turn(loop, kind):
    async def main():
        queue = kind()
        order = []
        loop.call_soon(order.append, "turn")
        await queue.put(1)
        order.append(await queue.get())
        queue.task_done()
        await queue.join()
        assert order == [1]
        await asyncio.sleep(0)
        assert order == [1, "turn"]

    loop.run_until_complete(main())


def test_a_put_that_is_not_awaited_does_nothing_and_warns(queue_class):
    queue = queue_class()
    with pytest.warns(RuntimeWarning, match=r"coroutine 'Queue\.put' was never awaited"):
        queue.put(1)
        collect()
    assert queue.empty()


@pytest.mark.parametrize("method", ["put", "get", "join"])
def test_what_waits_is_a_coroutine(queue_class, method):
    queue = queue_class()
    coroutine = getattr(queue, method)(*["item"] * (method == "put"))
    assert asyncio.iscoroutine(coroutine)
    assert inspect.isawaitable(coroutine)
    assert coroutine.__qualname__ == f"Queue.{method}"
    coroutine.close()
    with pytest.raises(RuntimeError, match="cannot reuse already awaited coroutine"):
        coroutine.send(None)


def test_getters_are_served_in_the_order_they_came(loop, queue_class):
    async def main():
        queue = queue_class()
        getters = [asyncio.ensure_future(queue.get()) for _ in range(3)]
        await asyncio.sleep(0)
        for item in "abc":
            queue.put_nowait(item)
        return await asyncio.gather(*getters)

    assert loop.run_until_complete(main()) == ["a", "b", "c"]


def test_a_woken_getter_that_finds_nothing_waits_at_the_end(loop, queue_class):
    async def main():
        queue = queue_class()
        first = asyncio.ensure_future(queue.get())
        second = asyncio.ensure_future(queue.get())
        await asyncio.sleep(0)
        queue.put_nowait("stolen")
        assert queue.get_nowait() == "stolen"
        await asyncio.sleep(0)
        assert len(queue._getters) == 2
        queue.put_nowait("for the second")
        queue.put_nowait("for the first")
        return await asyncio.gather(first, second)

    assert loop.run_until_complete(main()) == ["for the first", "for the second"]


@pytest.mark.parametrize("woken_first", [False, True])
def test_a_cancelled_getter_hands_its_wake_up_on(loop, queue_class, woken_first):
    async def main():
        queue = queue_class()
        first = asyncio.ensure_future(queue.get())
        second = asyncio.ensure_future(queue.get())
        await turns(1)
        if woken_first:
            queue.put_nowait(1)
            first.cancel()
        else:
            first.cancel()
            queue.put_nowait(1)
        assert await second == 1
        assert first.cancelled()
        assert len(queue._getters) == 0

    loop.run_until_complete(asyncio.wait_for(main(), 5))


@pytest.mark.parametrize("woken_first", [False, True])
def test_a_cancelled_putter_hands_its_wake_up_on(loop, queue_class, woken_first):
    async def main():
        queue = queue_class(1)
        queue.put_nowait(0)
        first = asyncio.ensure_future(queue.put(1))
        second = asyncio.ensure_future(queue.put(2))
        await turns(1)
        if woken_first:
            queue.get_nowait()
            first.cancel()
        else:
            first.cancel()
            queue.get_nowait()
        await second
        assert first.cancelled()
        assert queue.get_nowait() == 2
        assert len(queue._putters) == 0

    loop.run_until_complete(asyncio.wait_for(main(), 5))


def test_a_getter_driven_by_hand_hands_on_when_anything_is_thrown(loop, queue_class):
    async def main():
        queue = queue_class()
        by_hand = queue.get()
        by_hand.send(None)
        task = asyncio.ensure_future(queue.get())
        await asyncio.sleep(0)
        queue.put_nowait(1)
        with pytest.raises(KeyError):
            by_hand.throw(KeyError())
        assert await task == 1

    loop.run_until_complete(asyncio.wait_for(main(), 5))


def test_a_getter_that_is_dropped_leaves_the_line(loop, queue_class):
    async def main():
        queue = queue_class()
        by_hand = queue.get()
        by_hand.send(None)
        assert len(queue._getters) == 1
        del by_hand
        collect()
        assert len(queue._getters) == 0

    loop.run_until_complete(main())


def test_closing_a_waiting_put_leaves_the_line(loop, queue_class):
    async def main():
        queue = queue_class(1)
        queue.put_nowait(0)
        by_hand = queue.put(1)
        by_hand.send(None)
        by_hand.close()
        assert len(queue._putters) == 0

    loop.run_until_complete(main())


def test_an_error_in_handing_on_has_the_interruption_as_its_context(loop, queue_class):
    class Broken(queue_class):
        broken = False

        def empty(self):
            if self.broken:
                raise LookupError("broken")
            return super().empty()

    async def main():
        queue = Broken()
        task = asyncio.ensure_future(queue.get())
        await asyncio.sleep(0)
        queue.broken = True
        task.cancel()
        with pytest.raises(LookupError, match="broken") as caught:
            await task
        assert isinstance(caught.value.__context__, asyncio.CancelledError)

    loop.run_until_complete(main())


def test_a_queue_belongs_to_the_loop_on_which_it_first_waited(loop, queue_class):
    queue = queue_class()
    assert queue._loop is None

    async def wait():
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(queue.get(), 0.001)

    loop.run_until_complete(wait())
    assert queue._loop is loop
    other = asyncio.SelectorEventLoop()
    try:
        text = f"{queue!r} is bound to a different event loop"
        with pytest.raises(RuntimeError, match=re.escape(text)):
            other.run_until_complete(queue.get())
        # A call that need not wait works on any loop.
        other.run_until_complete(queue.put(1))
        assert other.run_until_complete(queue.get()) == 1
    finally:
        other.close()
