"""wait_for: results, deadlines and cancellations of the one thing that is waited for."""

import asyncio
import contextvars
import sys

import pytest

from primitives_under_test import turns

IN_TIME = 1000


async def give(value, number=0):
    await turns(number)
    return value


async def forever():
    await asyncio.get_running_loop().create_future()


class Awaitable:
    def __await__(self):
        return (yield from give("by hand", 2).__await__())


MAKERS = {
    "a coroutine": lambda loop: give("done"),
    "a coroutine that waits": lambda loop: give("done", 3),
    "a task": lambda loop: loop.create_task(give("done", 2)),
    "a future": lambda loop: loop.create_future(),
    "an awaitable": lambda loop: Awaitable(),
}


@pytest.mark.parametrize("timeout", [None, IN_TIME])
@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS.keys())
def test_what_ends_in_time_gives_its_result(scopes, make, timeout):
    async def main():
        loop = asyncio.get_running_loop()
        awaited = make(loop)
        if isinstance(awaited, asyncio.Future) and not isinstance(awaited, asyncio.Task):
            loop.call_soon(awaited.set_result, "done")
        return await scopes.wait_for(awaited, timeout)

    assert scopes.run(main()) in ("done", "by hand")


@pytest.mark.parametrize("timeout", [None, 0, IN_TIME])
def test_what_is_done_already_is_given_at_once(scopes, timeout):
    async def main():
        loop = asyncio.get_running_loop()
        future, turned = loop.create_future(), []
        future.set_result("done")
        loop.call_soon(turned.append, 1)
        result = await scopes.wait_for(future, timeout)
        return result, bool(turned)

    turned = sys.version_info < (3, 12) and timeout == IN_TIME
    assert scopes.run(main()) == ("done", turned)


@pytest.mark.parametrize("timeout", [None, IN_TIME])
def test_exceptions_pass(scopes, timeout):
    async def fail():
        await turns(1)
        raise KeyError("expected")

    async def main():
        with pytest.raises(KeyError, match="expected"):
            await scopes.wait_for(fail(), timeout)

    scopes.run(main())


@pytest.mark.parametrize("timeout", [-1, 0, 0.0, 0.001])
def test_a_future_is_cancelled_when_time_is_up(scopes, timeout):
    async def main():
        future = asyncio.get_running_loop().create_future()
        with pytest.raises(TimeoutError) as raised:
            await scopes.wait_for(future, timeout)
        assert type(raised.value.__cause__) is asyncio.CancelledError
        return future.cancelled(), asyncio.current_task().cancelling()

    assert scopes.run(main()) == (True, 0)


@pytest.mark.parametrize("timeout", [-1, 0])
def test_a_coroutine_without_time_does_not_begin(scopes, timeout):
    begun = []

    async def body():
        begun.append(True)

    async def main():
        with pytest.raises(TimeoutError):
            await scopes.wait_for(body(), timeout)

    scopes.run(main())
    assert begun == []


def test_a_task_that_ends_in_spite_of_the_cancellation_gives_a_result(scopes):
    async def stubborn():
        try:
            await forever()
        except asyncio.CancelledError:
            await turns(2)
            return "nevertheless"

    async def main():
        return await scopes.wait_for(stubborn(), 0.001)

    assert scopes.run(main()) == "nevertheless"


def test_the_cancellation_of_the_waiting_task_reaches_what_it_waits_for(scopes):
    async def main():
        future = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(scopes.wait_for(future, IN_TIME))
        await turns(1)
        task.cancel("enough")
        with pytest.raises(asyncio.CancelledError):
            await task
        return future.cancelled(), task.cancelled()

    assert scopes.run(main()) == (True, True)


def test_a_cancellation_at_the_deadline_is_not_taken_for_the_deadline(scopes):
    async def main():
        async def cleans_up():
            try:
                await forever()
            finally:
                await turns(3)

        task = asyncio.create_task(scopes.wait_for(cleans_up(), 0.001))
        while not task._fut_waiter and not task.done():
            await turns(1)
        await asyncio.sleep(0.002)
        task.cancel()
        with pytest.raises((asyncio.CancelledError, TimeoutError)) as raised:
            await task
        return type(raised.value), task.cancelling()

    seen = scopes.run(main())
    assert seen in ((asyncio.CancelledError, 1), (TimeoutError, 0))


def test_nested_waits_end_by_the_deadline_that_comes_first(scopes):
    async def main():
        inner = scopes.wait_for(forever(), 0.001)
        with pytest.raises(TimeoutError):
            await scopes.wait_for(inner, IN_TIME)
        return asyncio.current_task().cancelling()

    assert scopes.run(main()) == 0


@pytest.mark.skipif(sys.version_info < (3, 12), reason="3.11 makes a task of a coroutine")
def test_a_coroutine_runs_in_the_task_and_the_context_that_waits(scopes):
    variable = contextvars.ContextVar("variable", default=0)

    async def body():
        variable.set(5)
        return asyncio.current_task()

    async def main():
        task = await scopes.wait_for(body(), IN_TIME)
        return task is asyncio.current_task(), variable.get()

    assert scopes.run(main()) == (True, 5)


@pytest.mark.parametrize("timeout", ["soon", object()])
def test_a_timeout_must_be_a_number(scopes, timeout):
    async def main():
        future = asyncio.get_running_loop().create_future()
        with pytest.raises(TypeError):
            await scopes.wait_for(future, timeout)
        return future.done()

    assert scopes.run(main()) is False


def test_what_cannot_be_awaited_is_refused_as_by_await(scopes):
    async def plainly():
        await 3

    async def main():
        with pytest.raises(TypeError) as ours:
            await scopes.wait_for(3, None)
        with pytest.raises(TypeError) as theirs:
            await plainly()
        return str(ours.value) == str(theirs.value)

    assert scopes.run(main())


def test_a_wait_that_is_dropped_ends_what_it_waited_for(scopes):
    ended = []

    async def body():
        try:
            await turns(5)
        finally:
            ended.append(True)

    async def main():
        wait = scopes.wait_for(body(), IN_TIME)
        wait.send(None)
        del wait
        return list(ended)

    # 3.11 has made a task of it.
    assert scopes.run(main()) == ([True] if sys.version_info >= (3, 12) else [])
