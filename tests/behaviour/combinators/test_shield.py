"""`shield`: the outer future follows the inner one, and a cancellation of the outer stops there."""

import asyncio
import gc
import sys
import weakref

import pytest


async def returns(value, turns=0):
    for _ in range(turns):
        await asyncio.sleep(0)
    return value


async def raises(error, turns=0):
    await returns(None, turns)
    raise error


def run(loop, body):
    return loop.run_until_complete(body())


def test_the_result_comes_through(combinators, loop):
    async def body():
        return await combinators.shield(returns(1, 2))

    assert run(loop, body) == 1


def test_the_exception_comes_through(combinators, loop):
    async def body():
        with pytest.raises(KeyError):
            await combinators.shield(raises(KeyError(), 2))

    run(loop, body)


def test_a_cancellation_of_the_inner_future_comes_through(combinators, loop):
    async def body():
        inner = loop.create_future()
        outer = combinators.shield(inner)
        inner.cancel("message")
        with pytest.raises(asyncio.CancelledError) as raised:
            await outer
        assert outer.cancelled()
        return raised.value.args

    assert run(loop, body) == ()


def test_a_cancellation_of_the_outer_future_stops_there(combinators, loop):
    async def body():
        inner = asyncio.ensure_future(returns(1, 3))
        outer = combinators.shield(inner)
        await returns(None, 1)
        outer.cancel()
        with pytest.raises(asyncio.CancelledError):
            await outer
        return await inner

    assert run(loop, body) == 1


def test_a_task_that_waits_can_be_cancelled_and_wait_again(combinators, loop):
    async def waits(inner):
        try:
            await combinators.shield(inner)
        except asyncio.CancelledError:
            return "cancelled", await inner

    async def body():
        inner = loop.create_future()
        task = asyncio.ensure_future(waits(inner))
        await returns(None, 1)
        task.cancel()
        await returns(None, 1)
        inner.set_result("kept")
        return await task

    assert run(loop, body) == ("cancelled", "kept")


def test_what_is_done_is_returned_itself(combinators, loop):
    async def body():
        inner = loop.create_future()
        inner.set_result(1)
        assert combinators.shield(inner) is inner

    run(loop, body)


def test_the_outer_future_is_done_a_turn_after_the_inner_one(combinators, loop):
    async def body():
        inner = loop.create_future()
        outer = combinators.shield(inner)
        inner.set_result(1)
        done = [outer.done()]
        for _ in range(2):
            await asyncio.sleep(0)
            done.append(outer.done())
        return done

    assert run(loop, body) == [False, True, True]


def test_foreign_futures_are_shielded(combinators, loop):
    async def body():
        for future_class in (asyncio.futures._PyFuture, asyncio.futures._CFuture):
            inner = future_class(loop=loop)
            outer = combinators.shield(inner)
            loop.call_soon(inner.set_result, future_class)
            assert await outer is future_class
            inner = future_class(loop=loop)
            outer = combinators.shield(inner)
            outer.cancel()
            await returns(None, 2)
            assert inner._callbacks in (None, []) or sys.version_info >= (3, 14)
            inner.set_result(None)

    run(loop, body)


def test_what_cannot_be_awaited_is_refused(combinators, loop):
    async def body():
        with pytest.raises(TypeError, match="^An asyncio.Future, a coroutine or an awaitable is"):
            combinators.shield(1)

    run(loop, body)


def test_a_failure_nobody_waits_for_any_more(combinators, loop, reports):
    async def body():
        inner = loop.create_future()
        for _ in range(2):
            combinators.shield(inner).cancel()
        await returns(None, 2)
        inner.set_exception(KeyError("alone"))
        await returns(None, 2)
        del inner
        gc.collect()

    run(loop, body)
    message = "Future exception was never retrieved"
    if hasattr(asyncio.tasks, "_log_on_exception"):
        message = "KeyError exception in shielded future"
    assert [report["message"] for report in reports] == [message]


def test_nothing_is_kept(combinators, loop):
    async def body():
        inner = asyncio.ensure_future(returns(1, 1))
        outer = combinators.shield(inner)
        references = [weakref.ref(inner), weakref.ref(outer)]
        await outer
        del inner, outer
        await returns(None, 2)
        gc.collect()
        return [reference() for reference in references]

    assert run(loop, body) == [None, None]


@pytest.mark.skipif(sys.version_info < (3, 14), reason="the graph came with 3.14")
def test_the_task_awaits_the_inner_future(combinators, loop):
    async def body():
        me = asyncio.current_task()
        inner = loop.create_future()
        outer = combinators.shield(inner)
        assert inner._asyncio_awaited_by == {me}
        outer.cancel()
        await returns(None, 1)
        assert inner._asyncio_awaited_by is None
        outer = combinators.shield(inner)
        inner.set_result(1)
        await outer
        assert inner._asyncio_awaited_by is None

    run(loop, body)
