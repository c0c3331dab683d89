"""Awaiting a future, also by hand, of another kind, of another loop, and of a thread."""

import asyncio
import concurrent.futures
import sys
import threading

import pytest

from loop_turns import run_turns


def test_awaiting_gives_the_result(loop, make):
    async def body(future):
        return await future

    for value in (None, 7, StopIteration, (1, 2), ValueError("as a value"), ()):
        future = make()
        loop.call_soon(future.set_result, value)
        assert loop.run_until_complete(body(future)) is value
        assert loop.run_until_complete(body(future)) is value


def test_awaiting_raises_the_exception_itself(loop, make):
    async def body(future):
        await future

    future, error = make(), KeyError("no")
    loop.call_soon(future.set_exception, error)
    for _ in range(2):
        with pytest.raises(KeyError) as caught:
            loop.run_until_complete(body(future))
        assert caught.value is error


def test_awaiting_a_cancelled_future_raises_its_message(loop, make):
    async def body(future):
        with pytest.raises(asyncio.CancelledError) as caught:
            await future
        return caught.value.args

    future = make()
    loop.call_soon(future.cancel, "why")
    assert loop.run_until_complete(body(future)) == ("why",)


def test_many_tasks_can_await_one_future(loop, make):
    async def body(number):
        order.append((number, await future))

    async def main():
        await asyncio.gather(*[body(number) for number in range(5)])

    future, order = make(), []
    loop.call_soon(loop.call_soon, future.set_result, "x")
    loop.run_until_complete(main())
    assert order == [(number, "x") for number in range(5)]


def test_the_iterator_of_a_future_can_be_driven_by_hand(make):
    future = make()
    iterator = iter(future)
    assert next(iterator) is future
    assert future._asyncio_future_blocking is True
    with pytest.raises(RuntimeError, match="^await wasn't used with future$"):
        next(iterator)
    future.set_result(9)
    with pytest.raises(StopIteration) as caught:
        next(iter(future))
    assert caught.value.value == 9


@pytest.mark.parametrize("value", [None, 4, (1, 2), (), ValueError("value")])
def test_a_hand_driven_iterator_ends_with_a_plain_stop_iteration(make, value):
    future = make()
    iterator = future.__await__()
    assert iterator.send(None) is future
    future.set_result(value)
    with pytest.raises(StopIteration) as caught:
        iterator.send(None)
    assert type(caught.value) is StopIteration
    assert caught.value.value is value


def test_throwing_into_the_iterator_raises_there(make):
    future = make()
    iterator = iter(future)
    next(iterator)
    with pytest.raises(KeyError, match="thrown"):
        iterator.throw(KeyError("thrown"))
    assert not future.done()
    # The iterator of CPython 3.14's own future crashes here.
    if sys.version_info < (3, 14) or type(iterator).__module__ != "_asyncio":
        with pytest.raises(StopIteration):
            next(iterator)


@pytest.mark.parametrize("wrong", [3, "text", object(), None, int])
def test_only_exceptions_can_be_thrown_into_the_iterator(make, wrong):
    iterator = iter(make())
    next(iterator)
    with pytest.raises(TypeError):
        iterator.throw(wrong)


def test_the_iterator_can_be_closed(make):
    future = make()
    iterator = iter(future)
    next(iterator)
    assert iterator.close() is None
    assert iterator.close() is None


def test_a_future_of_the_other_kind_can_be_awaited(loop):
    """Any object with the protocol can be awaited, such as asyncio's own Python Future."""

    async def body(future):
        return await future

    future = asyncio.futures._PyFuture(loop=loop)
    loop.call_soon(future.set_result, 5)
    assert loop.run_until_complete(body(future)) == 5


def test_a_future_of_another_loop_cannot_be_awaited(loop, loop_factory):
    async def body(future):
        await future

    other = loop_factory()
    try:
        with pytest.raises(RuntimeError, match="attached to a different loop"):
            loop.run_until_complete(body(other.create_future()))
    finally:
        other.close()


def test_the_future_of_a_thread_can_be_wrapped(loop):
    outer = concurrent.futures.Future()

    async def body():
        return await asyncio.wrap_future(outer)

    thread = threading.Thread(target=outer.set_result, args=(8,))
    loop.call_soon(thread.start)
    assert loop.run_until_complete(body()) == 8
    thread.join()


def test_cancelling_the_wrapping_cancels_the_wrapped(loop):
    outer = concurrent.futures.Future()
    inner = asyncio.wrap_future(outer, loop=loop)
    inner.cancel()
    run_turns(loop)
    assert outer.cancelled()
