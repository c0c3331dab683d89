"""Private names of asyncio's loops that libraries use although they are private."""

import asyncio
import selectors
import socket
import time

import pytest


def test_one_turn_can_be_run_by_hand(loop):
    ran = []
    loop.call_soon(ran.append, 1)
    loop.call_soon(loop.call_soon, ran.append, 2)
    loop._run_once()
    assert ran == [1]
    loop._run_once()
    assert ran == [1, 2]


def test_a_turn_can_be_run_inside_of_a_callback(loop):
    """So loops are nested: what is ready runs, and the callback goes on."""
    ran = []

    def nest():
        loop.call_soon(ran.append, "inner")
        loop._run_once()
        ran.append("outer")
        loop.stop()

    loop.call_soon(nest)
    loop.run_forever()
    assert ran == ["inner", "outer"]


def test_a_subclass_can_see_each_turn(loop_factory):
    class Counting(type(loop_factory())):
        turns = 0

        def _run_once(self):
            self.turns += 1
            super()._run_once()

    loop = Counting()

    async def main():
        for _ in range(5):
            await asyncio.sleep(0)

    loop.run_until_complete(main())
    loop.close()
    assert loop.turns == 7


def test_a_turn_that_raises_ends_the_loop(loop, monkeypatch):
    def refuse():
        raise LookupError("no turn")

    monkeypatch.setattr(loop, "_run_once", refuse)
    with pytest.raises(LookupError, match="no turn"):
        loop.run_forever()
    assert not loop.is_running()


def test_a_loop_can_be_driven_by_a_copy_of_asyncios_turn(loop_factory):
    """Some libraries bring a `_run_once` of their own, which works on the queues."""

    class Driven(type(loop_factory())):
        _run_once = asyncio.BaseEventLoop._run_once
        call_at = asyncio.BaseEventLoop.call_at

    loop = Driven()
    near, far = socket.socketpair()
    near.setblocking(False)

    async def main():
        order = []
        later = loop.call_later(0.002, order.append, "second")
        loop.call_later(0.001, order.append, "first")
        loop.call_later(0.003, order.append, "never").cancel()
        assert order == []
        await asyncio.sleep(0.004)
        assert later.when() <= loop.time()
        far.send(b"x")
        assert await loop.sock_recv(near, 1) == b"x"
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.001):
                await asyncio.sleep(10)
        await loop.run_in_executor(None, int)
        return order

    with near, far:
        assert loop.run_until_complete(main()) == ["first", "second"]
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()


def test_a_callback_can_be_queued_without_checks(loop):
    ran = []
    handle = loop._call_soon(ran.append, (1,), None)
    assert isinstance(handle, asyncio.Handle)
    loop._call_soon(loop.stop, (), None)
    loop.run_forever()
    assert ran == [1]


def test_handles_can_be_taken_out_of_the_ready_queue_and_run(loop):
    ran = []
    loop.call_soon(ran.append, 1)
    handle = asyncio.Handle(ran.append, (2,), loop)
    loop._ready.append(handle)
    taken = [loop._ready.popleft() for _ in range(2)]
    assert taken[1] is handle
    assert not loop._ready
    with pytest.raises(IndexError):
        loop._ready.popleft()
    for one in reversed(taken):
        one._run()
    assert ran == [2, 1]


def test_events_of_a_selector_queue_the_handles_that_belong_to_them(loop):
    ran = []
    reader = asyncio.Handle(ran.append, ("reader",), loop)
    writer = asyncio.Handle(ran.append, ("writer",), loop)
    key = selectors.SelectorKey(7, 7, selectors.EVENT_READ, (reader, writer))
    loop._process_events([(key, selectors.EVENT_READ | selectors.EVENT_WRITE)])
    loop._run_once()
    assert ran == ["reader", "writer"]


def test_timers_that_are_due_within_the_clocks_resolution_are_run(loop):
    assert loop._clock_resolution == time.get_clock_info("monotonic").resolution
    loop._clock_resolution = 10.0
    ran = []
    loop.call_later(5, ran.append, 1)
    later = loop.call_later(1000, ran.append, 2)
    loop.call_soon(int)
    loop._run_once()
    assert ran == [1]
    later.cancel()


def test_cancelled_timers_are_counted(loop):
    assert loop._timer_cancelled_count == 0
    timers = [loop.call_later(1000 + number, int) for number in range(10)]
    for timer in timers[5:]:
        timer.cancel()
    assert loop._timer_cancelled_count == 5
    assert len(loop._scheduled) == 10
    timers[0].cancel()
    loop.call_soon(int)
    loop._run_once()
    assert loop._timer_cancelled_count == 5
    assert len(loop._scheduled) == 9


def test_the_pipe_that_wakes_the_loop_can_be_closed_and_made_anew(loop_factory):
    loop = loop_factory()
    assert loop._internal_fds == 1
    loop._close_self_pipe()
    assert loop._internal_fds == 0
    loop._make_self_pipe()
    assert loop._internal_fds == 1
    assert loop._ssock.fileno() >= 0
    woken = loop.run_until_complete(loop.run_in_executor(None, int))
    assert woken == 0
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()
    assert loop._internal_fds == 0
