"""call_later, call_at and time: deadlines are kept in order and never early."""

import asyncio
import gc
import time
import weakref
from fractions import Fraction

import pytest

import greenloop


class Float(float):
    """A float that is none of the interpreter's own."""


def burn_until(loop, moment):
    """Keep the loop busy until its clock is past a moment."""
    while loop.time() <= moment:
        pass


def fire(loop, deadlines, base=None):
    """Set timers at these microseconds, let all become due, and return the order they ran in."""
    order = []
    base = loop.time() if base is None else base

    def set_timers():
        for number, deadline in enumerate(deadlines):
            loop.call_at(base + deadline * 1e-6, order.append, (deadline, number))
        burn_until(loop, base + max(deadlines) * 1e-6 + 1e-5)
        loop.call_soon(loop.call_soon, loop.call_soon, loop.stop)

    loop.call_soon(set_timers)
    loop.run_forever()
    return order


@pytest.mark.parametrize(
    "deadlines",
    [
        [1, 2, 3],
        [3, 2, 1],
        [7, -7, 0, 8, -8, 1],
        [-1, -2, -3],
        [number * 7919 % 307 for number in range(300)],
    ],
)
def test_due_timers_run_by_deadline(loop, deadlines):
    expected = sorted((deadline, number) for number, deadline in enumerate(deadlines))
    assert fire(loop, deadlines) == expected


@pytest.mark.parametrize(
    "deadlines",
    [
        [1, 1],
        [5, 1, 5, 1, 5, 1],
        [0] * 50,
        [7, -7, 0, 7, -7, 0],
        [number * 7919 % 101 for number in range(300)],
    ],
)
def test_equal_deadlines_run_in_the_order_they_were_set(loop, deadlines):
    if not isinstance(loop, greenloop.EventLoop):
        pytest.skip("asyncio's heap keeps no order among equal deadlines: a promise of ours alone")
    expected = sorted((deadline, number) for number, deadline in enumerate(deadlines))
    assert fire(loop, deadlines) == expected


def test_a_deadline_long_past_is_due_in_the_next_turn(loop):
    assert fire(loop, [3, 1, 2], base=-1000.0) == [(1, 1), (2, 2), (3, 0)]


@pytest.mark.parametrize("delay", [0, 0.0, -1, -1.5, -1e9, float("-inf"), float("nan")])
def test_a_delay_that_is_not_positive_is_due_in_the_next_turn(loop, delay):
    order = []

    def first():
        loop.call_later(delay, order.append, "timer")
        loop.call_soon(order.append, "ready")
        loop.call_soon(loop.call_soon, loop.stop)

    loop.call_soon(first)
    loop.run_forever()
    # A turn takes what is ready before the timers that are due at its start.
    assert order == ["ready", "timer"]


def test_a_timer_that_becomes_due_during_a_turn_waits_for_the_next(loop):
    order = []

    def first():
        moment = loop.time() + 1e-5
        loop.call_at(moment, order.append, "timer")
        burn_until(loop, moment + 1e-5)
        loop.call_soon(order.append, "next turn")

    loop.call_soon(first)
    loop.call_soon(order.append, "same turn")
    loop.call_soon(loop.call_soon, loop.call_soon, loop.stop)
    loop.run_forever()
    assert order == ["same turn", "next turn", "timer"]


@pytest.mark.parametrize("delay", [1e-6, 5e-5, 0.0003, 0.001, 0.0023])
def test_a_timer_is_never_early(loop, delay):
    def due():
        late.append(loop.time() - deadline)
        loop.stop()

    late = []
    for _ in range(5):
        deadline = loop.time() + delay
        loop.call_at(deadline, due)
        loop.run_forever()
    # The resolution of the clock is what asyncio allows itself.
    assert min(late) >= -time.get_clock_info("monotonic").resolution


@pytest.mark.parametrize("delay", [0.0001, 0.0003, 0.0011])
def test_a_short_sleep_takes_its_time(loop, delay):
    async def body():
        begin = loop.time()
        await asyncio.sleep(delay)
        return loop.time() - begin

    assert loop.run_until_complete(body()) >= delay - time.get_clock_info("monotonic").resolution


def test_the_clock_is_the_monotonic_one(loop):
    before = time.monotonic()
    now = loop.time()
    assert before <= now <= time.monotonic()
    assert type(now) is float


def test_a_timer_knows_its_deadline(loop):
    moment = loop.time() + 100
    handle = loop.call_at(moment, print)
    assert handle.when() == moment
    before = loop.time()
    later = loop.call_later(100, print)
    assert before + 100 <= later.when() <= loop.time() + 100
    assert isinstance(handle, asyncio.TimerHandle)
    assert isinstance(handle, asyncio.Handle)


def test_a_cancelled_timer_does_not_run(loop):
    order = []
    now = loop.time()
    handles = [loop.call_at(now - 10 + number, order.append, number) for number in range(10)]
    for handle in handles[::2]:
        handle.cancel()
    assert [handle.cancelled() for handle in handles] == [True, False] * 5
    loop.call_soon(handles[1].cancel)
    loop.call_soon(loop.call_soon, loop.stop)
    loop.run_forever()
    assert order == [3, 5, 7, 9]


def test_a_timer_can_cancel_another_that_is_due_in_the_same_turn(loop):
    order = []
    now = loop.time()
    second = None
    loop.call_at(now - 2, lambda: (order.append("first"), second.cancel()))
    second = loop.call_at(now - 1, order.append, "second")
    loop.call_soon(loop.call_soon, loop.stop)
    loop.run_forever()
    assert order == ["first"]


def test_a_cancelled_timer_lets_its_arguments_go(loop):
    class Thing:
        pass

    thing = Thing()
    reference = weakref.ref(thing)
    handle = loop.call_later(1000, print, thing)
    del thing
    assert reference() is not None
    handle.cancel()
    gc.collect()
    assert reference() is None


def test_the_loop_sleeps_until_the_next_timer_and_not_longer(loop):
    begin = loop.time()
    loop.call_later(1000, print)
    loop.call_later(0.002, loop.stop)
    loop.run_forever()
    assert 0.002 <= loop.time() - begin < 5


@pytest.mark.parametrize("delay", [float("inf"), 1e18, 10**9])
def test_a_deadline_may_lie_beyond_all_time(loop, delay):
    loop.call_later(delay, print, "never")
    loop.call_later(0.001, loop.stop)
    loop.run_forever()


def test_timers_survive_a_stop(loop):
    order = []
    loop.call_later(0, order.append, 1)
    loop.stop()
    loop.run_forever()
    loop.call_soon(loop.call_soon, loop.stop)
    loop.run_forever()
    assert order == [1]


@pytest.mark.parametrize("method", ["call_later", "call_at"])
def test_timers_cannot_be_set_on_a_closed_loop(loop, method):
    loop.close()
    with pytest.raises(RuntimeError, match="^Event loop is closed$"):
        getattr(loop, method)(1, print)


@pytest.mark.parametrize(
    ("method", "text"),
    [("call_later", "^delay must not be None$"), ("call_at", "^when cannot be None$")],
)
def test_a_timer_needs_a_deadline(loop, method, text):
    with pytest.raises(TypeError, match=text):
        getattr(loop, method)(None, print)


def test_a_delay_can_be_any_number(loop):
    from decimal import Decimal
    from fractions import Fraction

    assert loop.call_later(Fraction(1, 3), print).when() < loop.time() + 1
    assert loop.call_later(True, print).when() <= loop.time() + 1
    with pytest.raises(TypeError):
        loop.call_later(Decimal(1), print)
    with pytest.raises(TypeError):
        loop.call_later("1", print)


def test_a_wait_for_that_times_out_cancels_and_raises(loop):
    async def body():
        future = loop.create_future()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(future, 0.001)
        return future.cancelled()

    assert loop.run_until_complete(body())


def test_a_timeout_cancels_what_is_inside(loop):
    async def body():
        with pytest.raises(TimeoutError) as caught:
            async with asyncio.timeout(0.001) as timeout:
                await loop.create_future()
        assert isinstance(caught.value.__cause__, asyncio.CancelledError)
        assert asyncio.current_task().cancelling() == 0
        return timeout.expired()

    assert loop.run_until_complete(body())


@pytest.mark.parametrize("delay", [0.25, 0, 1, True, Fraction(1, 4), Float(0.25)])
def test_a_deadline_is_what_adding_the_delay_to_the_time_gives(loop, delay):
    timer = loop.call_later(delay, int)
    assert type(timer.when()) is float
    assert timer.when() == pytest.approx(loop.time() + float(delay), abs=0.1)
    assert timer.when() == timer._when == timer.when()
    assert hash(timer) == hash(timer.when())
    timer.cancel()


@pytest.mark.parametrize("when", [2.5, 2, Fraction(5, 2), Float(2.5), -0.0, float("inf")])
def test_a_deadline_is_told_as_it_was_given(loop, when):
    timer = loop.call_at(when, int)
    if type(when) is float:
        assert (timer.when(), type(timer.when())) == (when, float)
    else:
        assert timer.when() is when
    assert f"when={when}" in repr(timer)
    timer.cancel()
    assert timer.when() == when
    assert timer._scheduled is True


def test_a_cancelled_timer_is_no_longer_scheduled_once_its_turn_has_passed(loop):
    timer = loop.call_later(0, int)
    loop.call_soon(timer.cancel)
    loop.call_later(0.01, loop.stop)
    loop.run_forever()
    assert timer._scheduled is False
