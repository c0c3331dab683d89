"""Tasks that cancel themselves and each other, and coroutines that others than their task drive."""

import asyncio
import sys
import types

import pytest
from differential import ASYNCIO, GREENLOOP, assert_same
from scenarios import scenarios_of

from loop_turns import run_turns


async def forever():
    await asyncio.get_running_loop().create_future()


def cancelling_oneself(loop, one):
    order = []

    async def body():
        me = asyncio.current_task()
        order.append(me.cancel("one"))
        order.append(me.cancel("two"))
        order.append(me.cancelling())
        try:
            await asyncio.sleep(0)
        except asyncio.CancelledError as error:
            order.append(error.args)
        order.append(me.uncancel())
        await asyncio.sleep(0)
        return "end"

    task = loop.create_task(body())
    run_turns(loop, 5)
    return order, task.result()


def cancelling_each_other(loop, one):
    order = []

    async def body(name):
        try:
            await asyncio.sleep(0)
            tasks[1 - name].cancel(name)
            await forever()
        except asyncio.CancelledError as error:
            order.append((name, error.args))
            tasks[1 - name].cancel((name, "again"))
            raise

    tasks = [loop.create_task(body(name)) for name in range(2)]
    run_turns(loop, 6)
    return order, [task.cancelled() for task in tasks]


def a_task_that_closes_its_own_coroutine(loop, one):
    async def body():
        try:
            task.get_coro().close()
        except ValueError as error:
            return str(error)

    task = loop.create_task(body())
    run_turns(loop, 3)
    return task.result()


def a_coroutine_that_was_closed_before_it_began(loop, one):
    coroutine = forever()
    task = loop.create_task(coroutine)
    coroutine.close()
    run_turns(loop, 3)
    return type(task.exception()), str(task.exception())


def a_coroutine_that_was_closed_while_it_waited(loop, one):
    future = loop.create_future()

    async def body():
        await future

    coroutine = body()
    task = loop.create_task(coroutine)
    run_turns(loop)
    coroutine.close()
    future.set_result(None)
    run_turns(loop, 3)
    return type(task.exception()), str(task.exception())


def a_coroutine_driven_by_two(loop, one):
    """Somebody else sends into the coroutine of a task that waits."""
    future = loop.create_future()

    async def body():
        await future
        return "end"

    coroutine = body()
    task = loop.create_task(coroutine)
    run_turns(loop)
    future.set_result(None)
    try:
        coroutine.send(None)
    except StopIteration as error:
        result = error.value
    run_turns(loop, 3)
    return result, type(task.exception()), str(task.exception())


def two_tasks_of_one_coroutine(loop, one):
    async def body():
        await asyncio.sleep(0)
        return "end"

    coroutine = body()
    tasks = [loop.create_task(coroutine) for _ in range(2)]
    run_turns(loop, 5)
    return [
        (type(task.exception()), str(task.exception())) if task.exception() else task.result()
        for task in tasks
    ]


def a_step_that_runs_itself(loop, one):
    """A task's coroutine that is being run cannot be run by a callback inside it."""

    async def body():
        loop.call_soon(loop.stop)
        try:
            task.get_coro().send(None)
        except ValueError as error:
            return str(error)

    task = loop.create_task(body())
    run_turns(loop, 3)
    return task.result()


def awaiting_what_yields_junk(loop, one):
    @types.coroutine
    def junk(value):
        return (yield value)

    async def body():
        answers = []
        for value in (3, "text", object, [], (), True, 0.0, b"", {}, type, junk, loop, body):
            try:
                answers.append(await junk(value))
            except RuntimeError as error:
                answers.append(str(error).partition(":")[0])
        return answers

    task = loop.create_task(body())
    run_turns(loop, 20)
    return task.result()


SCENARIOS = scenarios_of(sys.modules[__name__])


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)
def test_reaching_back_does_as_in_asyncio(scenario):
    assert_same(scenario)


@pytest.mark.parametrize("one", [ASYNCIO, GREENLOOP], ids=["asyncio", "greenloop"])
def test_a_long_chain_of_awaiting_tasks_finishes_and_is_cancelled(one):
    async def chain(depth):
        if depth:
            return 1 + await loop.create_task(chain(depth - 1))
        await asyncio.sleep(0)
        return 0

    loop = one.new_loop()
    assert loop.run_until_complete(chain(500)) == 500
    loop.close()
