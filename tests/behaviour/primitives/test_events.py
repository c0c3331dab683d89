"""Event: who is woken, and what they find."""

import asyncio

import pytest

from primitives_under_test import turns


def test_waiting_for_an_event_that_is_set_takes_no_turn(sync):
    async def main():
        event, turn = sync.Event(), []
        event.set()
        asyncio.get_running_loop().call_soon(turn.append, 1)
        assert await event.wait() is True
        return list(turn)

    assert sync.run(main()) == []


def test_setting_wakes_all_in_order_even_if_cleared_at_once(sync):
    async def main():
        event, order = sync.Event(), []

        async def worker(number):
            assert await event.wait() is True
            order.append((number, event.is_set()))

        tasks = [asyncio.create_task(worker(number)) for number in range(3)]
        await turns(1)
        event.set()
        event.clear()
        await turns(1)
        assert all(task.done() for task in tasks)
        return order

    assert sync.run(main()) == [(0, False), (1, False), (2, False)]


def test_a_cancelled_waiter_leaves_the_line(sync):
    async def main():
        event = sync.Event()
        task = asyncio.create_task(event.wait())
        await turns(1)
        before = len(event._waiters)
        task.cancel()
        await turns(1)
        return before, len(event._waiters), task.cancelled()

    assert sync.run(main()) == (1, 0, True)


def test_the_outcome_of_a_future_of_the_line_reaches_the_waiter(sync):
    async def main():
        event = sync.Event()
        task = asyncio.create_task(event.wait())
        await turns(1)
        event._waiters[0].set_exception(ZeroDivisionError("by hand"))
        await turns(2)
        return repr(task.exception()), len(event._waiters)

    assert sync.run(main()) == ("ZeroDivisionError('by hand')", 0)


def test_the_repr_tells_the_state_and_counts_the_waiters(sync):
    async def main():
        event = sync.Event()
        task = asyncio.create_task(event.wait())
        await turns(1)
        texts = [repr(event)]
        event.set()
        await task
        texts.append(repr(event))
        return [text.partition("[")[2] for text in texts]

    assert sync.run(main()) == ["unset, waiters:1]>", "set]>"]


def test_the_flag_is_settable_without_waking_anybody(sync):
    async def main():
        event = sync.Event()
        task = asyncio.create_task(event.wait())
        await turns(1)
        event._value = True
        await turns(2)
        still = task.done()
        task.cancel()
        return event.is_set(), still

    assert sync.run(main()) == (True, False)


def test_an_event_takes_no_arguments(sync):
    with pytest.raises(TypeError, match=r"Event.__init__\(\) takes 1 positional argument"):
        sync.Event(True)
