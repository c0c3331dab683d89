"""Objects that a task may await, exceptions thrown into it, and the turn in which it resumes."""

import asyncio
import re
import types

import pytest


def test_a_coroutine_can_await_a_generator_based_one(loop, make):
    @types.coroutine
    def generator():
        yield
        return 4

    async def body():
        return await generator()

    assert loop.run_until_complete(make(body())) == 4


@pytest.mark.parametrize(
    ("what", "pattern"),
    [
        (7, "^Task got bad yield: 7$"),
        ("text", "^Task got bad yield: 'text'$"),
        (..., "^Task got bad yield: Ellipsis$"),
        ("future", "^yield was used instead of yield from in task <.*> with <Future pending.*>$"),
        ("generator", "^yield was used instead of yield from for generator in task <.*> with <.*>"),
    ],
)
def test_what_a_task_cannot_wait_for_is_thrown_back(loop, make, what, pattern):
    values = {"future": loop.create_future(), "generator": (one for one in ())}

    @types.coroutine
    def hand_over(value):
        yield value

    async def body():
        try:
            await hand_over(values.get(what, what))
        except RuntimeError as error:
            return str(error)

    message = loop.run_until_complete(make(body()))
    if what == "generator":
        # A generator is an odd value like any other, but for its text in some versions.
        assert "generator" in message
    else:
        assert re.search(pattern, message)


def test_a_task_that_yields_none_goes_on_in_the_next_turn(loop, make):
    @types.coroutine
    def generator():
        for _ in range(3):
            assert (yield) is None

    async def body():
        await generator()
        return "end"

    assert loop.run_until_complete(make(body())) == "end"


def test_a_task_cannot_await_itself(loop, make):
    async def body():
        with pytest.raises(RuntimeError, match="Task cannot await on itself"):
            await task
        return "survived"

    task = make(body())
    assert loop.run_until_complete(task) == "survived"


def test_an_awaitable_with_a_broken_flag_is_reported(loop, make, reports):
    class Broken:
        @property
        def _asyncio_future_blocking(self):
            raise ValueError("broken flag")

    @types.coroutine
    def generator():
        yield Broken()

    async def body():
        await generator()

    # Nobody will ever resume this task again.
    task = make(body())
    task._log_destroy_pending = False
    loop.call_soon(loop.stop)
    loop.run_forever()
    assert [str(report["exception"]) for report in reports] == ["broken flag"]
    assert not task.done()


def test_a_task_can_await_a_task(loop, make):
    async def inner():
        await asyncio.sleep(0)
        return 3

    async def outer():
        return await make(inner()) + await make(inner())

    assert loop.run_until_complete(make(outer())) == 6


def test_asyncios_python_task_and_ours_await_each_other(loop, make):
    async def inner():
        await asyncio.sleep(0)
        return 3

    async def outer(kind):
        return await kind(inner())

    def python_task(coroutine):
        return asyncio.tasks._PyTask(coroutine, loop=loop)

    assert loop.run_until_complete(make(outer(python_task))) == 3
    assert loop.run_until_complete(python_task(outer(make))) == 3


def test_what_a_task_waits_for_can_be_seen(loop, make):
    future = loop.create_future()

    async def body():
        await future

    task = make(body())
    assert task._fut_waiter is None
    assert task._must_cancel is False
    loop.call_soon(loop.stop)
    loop.run_forever()
    assert task._fut_waiter is future
    assert future._callbacks
    future.set_result(None)
    loop.run_until_complete(task)
    assert task._fut_waiter is None
