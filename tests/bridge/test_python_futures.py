"""`into_future`: a Rust future that awaits what Python gives."""

import asyncio
import contextvars
import gc
import weakref

import greenloop_bridge_example as example
import pytest


def test_a_coroutine_is_awaited(loop):
    async def inner():
        await asyncio.sleep(0)
        return "result"

    async def main():
        return await example.pass_through(inner())

    assert loop.run_until_complete(main()) == "result"


def test_a_future_that_is_done_takes_no_turn(loop):
    order = []

    async def main():
        future = loop.create_future()
        future.set_result(1)
        loop.call_soon(order.append, "turn")
        order.append(await example.pass_through(future))

    loop.run_until_complete(main())
    assert order == [1, "turn"]


def test_an_exception_passes_unchanged(loop):
    error = LookupError("x")

    async def inner():
        await asyncio.sleep(0)
        raise error

    async def main():
        assert await example.call_back(inner()) == ("raised", error)
        with pytest.raises(LookupError) as caught:
            await example.pass_through(inner())
        assert caught.value is error

    loop.run_until_complete(main())


def test_a_cancellation_of_what_is_awaited_is_an_error_of_the_future(loop):
    async def main():
        future = loop.create_future()
        loop.call_soon(future.cancel)
        how, error = await example.call_back(future)
        assert how == "raised"
        assert isinstance(error, asyncio.CancelledError)

    loop.run_until_complete(main())


def test_cancelling_the_task_cancels_what_it_awaits(loop):
    ended = []

    async def inner():
        try:
            await asyncio.sleep(100)
        except asyncio.CancelledError:
            ended.append("inner")
            raise

    async def main():
        task = loop.create_task(example_task())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    async def example_task():
        await example.pass_through(inner())

    loop.run_until_complete(main())
    assert ended == ["inner"]


def test_the_one_that_loses_is_cancelled(loop):
    async def main():
        slow = loop.create_future()
        assert await example.first(slow, asyncio.sleep(0, "fast")) == "fast"
        await asyncio.sleep(0)
        assert slow.cancelled()

    loop.run_until_complete(main())


def test_what_is_never_polled_is_never_begun(loop):
    async def inner():
        raise AssertionError

    coroutine = inner()
    with pytest.warns(RuntimeWarning, match="rust_future"):
        example.pass_through(coroutine)
        gc.collect()
    coroutine.close()


def test_what_cannot_be_awaited_raises(loop):
    async def main():
        with pytest.raises(TypeError):
            await example.pass_through(3)

    loop.run_until_complete(main())


def test_context_variables_reach_what_is_awaited(loop):
    variable = contextvars.ContextVar("variable")

    async def inner():
        await asyncio.sleep(0)
        return variable.get()

    async def main():
        variable.set("kept")
        return await example.pass_through(inner())

    assert loop.run_until_complete(main()) == "kept"


def test_rust_and_python_await_each_other_many_times(loop):
    async def nested(depth):
        if depth == 0:
            return await example.from_thread(3)
        return await example.pass_through(nested(depth - 1))

    assert loop.run_until_complete(nested(30)) == 9


def test_a_cycle_through_a_rust_future_is_collected(loop):
    class Node:
        pass

    async def waits(node):
        node.future = loop.create_future()
        node.awaitable = example.pass_through(node.future)
        await node.awaitable

    async def main():
        node = Node()
        node.task = loop.create_task(waits(node))
        await asyncio.sleep(0)
        node.task._log_destroy_pending = False
        reference = weakref.ref(node)
        del node
        gc.collect()
        assert reference() is None

    loop.set_exception_handler(lambda loop, context: None)
    loop.run_until_complete(main())
