"""Delays and deadlines that are no floats: their own sums and comparisons decide, as in asyncio."""

import asyncio
import sys
from decimal import Decimal
from fractions import Fraction

import pytest

import greenloop
from recording import Recording

TOO_LARGE = 10**400
UNLIKE = "unsupported operand type(s) for +: 'float' and 'decimal.Decimal'"
OVERFLOW = "int too large to convert to float"


@pytest.fixture(params=[asyncio, greenloop], ids=["asyncio's functions", "our functions"])
def functions(request):
    """Where `sleep`, `timeout` and the others come from: all work on any loop."""
    return request.param


@pytest.fixture
def run(loop_factory):
    """Runs a coroutine on a loop of the kind under test."""

    def run(coroutine):
        with asyncio.Runner(loop_factory=loop_factory) as runner:
            return runner.run(coroutine)

    return run


async def sleep(functions, delay):
    return await functions.sleep(delay, "slept")


async def wait(functions, delay):
    task = asyncio.ensure_future(asyncio.sleep(0))
    try:
        return await functions.wait([task], timeout=delay)
    finally:
        await task


async def wait_for(functions, delay):
    return await functions.wait_for(asyncio.get_running_loop().create_future(), delay)


async def timeout(functions, delay):
    async with functions.timeout(delay):
        pass


async def call_later(functions, delay):
    asyncio.get_running_loop().call_later(delay, int)


WAYS = [sleep, wait, wait_for, timeout, call_later]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("delay", "error", "words"),
    [
        (Decimal("0.001"), TypeError, UNLIKE),
        (Decimal("Infinity"), TypeError, UNLIKE),
        (TOO_LARGE, OverflowError, OVERFLOW),
    ],
    ids=["decimal", "infinite decimal", "huge int"],
)
def test_a_delay_that_cannot_be_added_to_a_time_is_refused(
    run, functions, way, delay, error, words
):
    with pytest.raises(error) as caught:
        run(way(functions, delay))
    assert str(caught.value) == words


@pytest.mark.parametrize("delay", [Decimal(0), Decimal(-1), -TOO_LARGE, Fraction(-1), False])
def test_a_sleep_that_is_over_is_never_added_to_anything(run, functions, delay):
    assert run(sleep(functions, delay)) == "slept"


@pytest.mark.parametrize("delay", [Fraction(1, 1000), True / 1000])
def test_a_sleep_of_another_kind_of_number_sleeps(run, functions, delay):
    async def main():
        loop = asyncio.get_running_loop()
        begin = loop.time()
        result = await sleep(functions, delay)
        return result, loop.time() - begin >= delay

    assert run(main()) == ("slept", True)


def test_a_sleep_asks_a_delay_for_its_sum_with_the_loops_time(run, functions):
    class Delay(float):
        asked = 0

        def __radd__(self, other):
            Delay.asked += 1
            return other + float(self)

    assert run(sleep(functions, Delay(0.001))) == "slept"
    assert Delay.asked == 1


def test_a_sleep_of_another_kind_can_be_cancelled(run, functions):
    async def main():
        task = asyncio.ensure_future(functions.sleep(Fraction(1000)))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return [
            handle for handle in asyncio.get_running_loop()._scheduled if not handle.cancelled()
        ]

    assert run(main()) == []


@pytest.mark.skipif(sys.version_info < (3, 13), reason="before 3.13 it is slept for")
@pytest.mark.parametrize(
    ("delay", "error", "words"),
    [
        (Decimal("sNaN"), Exception, "[<class 'decimal.InvalidOperation'>]"),
        (float("nan"), ValueError, "Invalid delay: NaN (not a number)"),
    ],
)
def test_no_number_is_no_delay(run, functions, delay, error, words):
    with pytest.raises(error) as caught:
        run(sleep(functions, delay))
    assert str(caught.value) == words


def test_a_deadline_can_be_an_int_of_any_size_and_never_comes(loop):
    called = []
    handle = loop.call_at(TOO_LARGE, called.append, True)
    assert handle.when() is TOO_LARGE
    loop.call_later(0.001, loop.stop)
    loop.run_forever()
    assert called == []
    handle.cancel()


@pytest.mark.parametrize(("deadline", "expires"), [(TOO_LARGE, False), (-TOO_LARGE, True)])
def test_a_timeout_can_end_at_an_int_of_any_size(run, functions, deadline, expires):
    async def main():
        try:
            async with functions.timeout_at(deadline) as scope:
                for _ in range(3):
                    await asyncio.sleep(0)
        except TimeoutError:
            pass
        return scope.expired(), scope.when() is deadline

    assert run(main()) == (expires, True)


@pytest.mark.parametrize("add", ["add_reader", "add_writer"])
@pytest.mark.parametrize("number", [2**31, 2**63, TOO_LARGE])
def test_a_descriptor_that_no_descriptor_can_be_is_too_large(loop, add, number):
    with pytest.raises(OverflowError, match="^Python int too large to convert to C int$"):
        getattr(loop, add)(number, int)
    assert loop.remove_reader(number) is False


@pytest.mark.parametrize("method", ["add_reader", "add_writer", "remove_reader"])
@pytest.mark.parametrize("number", [-1, -(2**31) - 1, -(2**70)])
def test_a_negative_descriptor_is_invalid(loop, method, number):
    arguments = () if method == "remove_reader" else (int,)
    with pytest.raises(ValueError, match=f"^Invalid file descriptor: {number}$"):
        getattr(loop, method)(number, *arguments)


def test_a_limit_of_what_waits_to_be_written_can_be_of_any_size(loop, peer_of):
    protocol = Recording()
    peer_of(protocol)
    protocol.transport.set_write_buffer_limits(TOO_LARGE)
    assert protocol.transport.get_write_buffer_limits() == (TOO_LARGE // 4, TOO_LARGE)
