"""The loop's clock is what `time.monotonic` is now: freezegun and `mock.patch` replace it."""

import asyncio
import time
from unittest import mock

import pytest


class Clock:
    """A clock that is moved by hand, and counts who asks."""

    def __init__(self, now):
        self.now = now
        self.asked = 0

    def __call__(self):
        self.asked += 1
        return self.now


@pytest.fixture
def clock():
    clock = Clock(time.monotonic())
    with mock.patch("time.monotonic", clock):
        yield clock


async def turns(count):
    for _ in range(count):
        await asyncio.sleep(0)


def test_the_loop_tells_the_replaced_time(loop):
    before = loop.time()
    with mock.patch("time.monotonic", return_value=1234.5):
        assert loop.time() == 1234.5
    with mock.patch("time.monotonic", return_value=7):
        assert loop.time() == 7
        assert isinstance(loop.time(), int)
    assert before <= loop.time() <= time.monotonic()


def test_it_may_be_replaced_by_way_of_the_modules_dictionary(loop):
    original = time.monotonic
    vars(time)["mono" + "tonic"] = lambda: 5.0
    try:
        assert loop.time() == 5.0
    finally:
        vars(time)["mono" + "tonic"] = original
    assert loop.time() > 5.0


@pytest.mark.parametrize("method", ["call_later", "call_at"])
def test_timers_follow_a_clock_that_jumps(loop, clock, method):
    fired = []

    async def main():
        when = 100.0 if method == "call_later" else clock.now + 100.0
        handle = getattr(loop, method)(when, fired.append, "timer")
        assert handle.when() == clock.now + 100.0
        await turns(3)
        assert fired == []
        clock.now += 99.0
        await turns(3)
        assert fired == []
        clock.now += 1.0
        await turns(3)
        assert fired == ["timer"]

    loop.run_until_complete(main())


def test_a_sleep_ends_when_the_clock_says_so(loop, clock):
    async def main():
        sleeper = asyncio.ensure_future(asyncio.sleep(50, "slept"))
        await turns(3)
        assert not sleeper.done()
        clock.now += 50
        await turns(4)
        return sleeper.result()

    assert loop.run_until_complete(main()) == "slept"


def test_a_timeout_expires_when_the_clock_says_so(scopes):
    async def main():
        clock = Clock(time.monotonic())
        with mock.patch("time.monotonic", clock):
            asyncio.get_running_loop().call_soon(setattr, clock, "now", clock.now + 30)
            with pytest.raises(TimeoutError):
                async with scopes.timeout(30):
                    while True:
                        await asyncio.sleep(0)

    scopes.run(main())


def test_a_timer_from_before_is_held_to_the_clock_of_now(loop):
    fired = []

    async def main():
        loop.call_later(1000, fired.append, "far away")
        with mock.patch("time.monotonic", Clock(time.monotonic() + 1001)):
            await turns(3)
        assert fired == ["far away"]
        loop.call_later(0.001, fired.append, "near")
        await asyncio.sleep(0.005)
        assert fired == ["far away", "near"]

    loop.run_until_complete(main())


def test_a_clock_that_stands_still_holds_timers(loop, clock):
    fired = []

    async def main():
        loop.call_later(1e-9, fired.append, "timer")
        loop.call_later(1e-6, fired.append, "later")
        await turns(200)

    loop.run_until_complete(main())
    # Of less than the clock's resolution nobody can tell.
    assert "later" not in fired
    assert clock.asked > 0


def test_a_restored_clock_is_asked_no_more(loop):
    clock = Clock(0.0)
    with mock.patch("time.monotonic", clock):
        loop.time()
    asked = clock.asked
    assert asked == 1
    loop.run_until_complete(asyncio.sleep(0.001))
    assert clock.asked == asked


def test_a_clock_for_asyncios_loops_alone_is_theirs(loop):
    """As freezegun's `real_asyncio=True`: `time` of the loop's class tells the real time."""
    real = time.monotonic
    # What asyncio.new_event_loop() makes in this process is what freezegun replaces it in.
    loop_class = asyncio.SelectorEventLoop
    with (
        mock.patch("time.monotonic", Clock(3.0)),
        mock.patch.object(loop_class, "time", lambda self: real(), create=True),
    ):
        assert loop.time() > 3.0
        loop.run_until_complete(asyncio.wait_for(asyncio.sleep(0.001), 5))
