"""`ensure_future`: a future is returned itself, any other awaitable becomes a task."""

import asyncio
import sys
import warnings

import pytest


async def returns(value):
    return value


class Awaitable:
    def __init__(self, value):
        self.value = value

    def __await__(self):
        yield from asyncio.sleep(0).__await__()
        return self.value


def run(loop, body):
    return loop.run_until_complete(body())


def test_a_future_is_returned_itself(combinators, loop):
    async def body():
        for future_class in (asyncio.Future, asyncio.futures._PyFuture):
            future = future_class(loop=loop)
            assert combinators.ensure_future(future) is future
            assert combinators.ensure_future(future, loop=loop) is future

    run(loop, body)


def test_a_coroutine_becomes_a_task(combinators, loop):
    async def body():
        coroutine = returns(1)
        task = combinators.ensure_future(coroutine)
        assert isinstance(task, asyncio.Task)
        assert task.get_coro() is coroutine
        return await task

    assert run(loop, body) == 1


def test_a_loop_can_be_named(combinators, loop):
    task = combinators.ensure_future(returns(1), loop=loop)
    assert task.get_loop() is loop
    assert loop.run_until_complete(task) == 1


def test_an_awaitable_is_wrapped(combinators, loop):
    async def body():
        task = combinators.ensure_future(Awaitable(1))
        name = "_wrap_awaitable"
        if sys.version_info >= (3, 12):
            name = "ensure_future.<locals>._wrap_awaitable"
        assert task.get_coro().__qualname__ == name
        assert f"coro=<{name}() running at " in repr(task)
        return await task

    assert run(loop, body) == 1


def test_a_wrapped_awaitable_that_is_cancelled_sees_it(combinators, loop):
    seen = []

    class Waits:
        def __await__(self):
            try:
                yield from loop.create_future().__await__()
            except asyncio.CancelledError as error:
                seen.append(error.args)
                raise

    async def body():
        task = combinators.ensure_future(Waits())
        await asyncio.sleep(0)
        task.cancel("told")
        await asyncio.wait([task])
        return task.cancelled()

    assert run(loop, body) is True
    assert seen == [("told",)]


@pytest.mark.parametrize("given", [None, 1, "text", [], object()])
def test_what_cannot_be_awaited_is_refused(combinators, loop, given):
    async def body():
        with pytest.raises(TypeError) as raised:
            combinators.ensure_future(given)
        return str(raised.value)

    assert run(loop, body) == "An asyncio.Future, a coroutine or an awaitable is required"


def test_a_future_of_another_loop_is_refused(combinators, loop, loop_factory):
    other = loop_factory()
    try:
        with pytest.raises(ValueError) as raised:
            combinators.ensure_future(loop.create_future(), loop=other)
        assert str(raised.value) == (
            "The future belongs to a different loop than the one specified as the loop argument"
        )
    finally:
        other.close()


def test_a_coroutine_that_cannot_become_a_task_is_closed(combinators, loop):
    loop.close()
    coroutine = returns(1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(RuntimeError, match="^Event loop is closed$"):
            combinators.ensure_future(coroutine, loop=loop)
    with pytest.raises(RuntimeError, match="^cannot reuse already awaited coroutine$"):
        coroutine.send(None)


def test_another_error_does_not_close_the_coroutine(combinators, loop):
    def refuse(loop, coroutine, **keywords):
        raise KeyError

    coroutine = returns(1)
    loop.set_task_factory(refuse)
    with pytest.raises(KeyError):
        combinators.ensure_future(coroutine, loop=loop)
    loop.set_task_factory(None)
    with pytest.raises(StopIteration):
        coroutine.send(None)
