"""Eager tasks (Python 3.12 on) begin at once; one that never waits is done when it is made."""

import asyncio
import contextvars
import sys
import types

import pytest

import greenloop

pytestmark = pytest.mark.skipif(
    sys.version_info < (3, 12), reason="eager tasks are new in Python 3.12"
)


@pytest.fixture(params=["eager_task_factory", "create_eager_task_factory"])
def eager_loop(request, loop):
    """A loop whose tasks are eager."""
    api = greenloop if isinstance(loop, greenloop.EventLoop) else asyncio
    factory = (
        api.eager_task_factory
        if request.param == "eager_task_factory"
        else asyncio.create_eager_task_factory(api.Task)
    )
    loop.set_task_factory(factory)
    return loop


def run(loop, function):
    """Call a function while the loop runs, outside any task, and return what it returns."""
    results = []

    def call():
        try:
            results.append(function())
        finally:
            loop.stop()

    loop.call_soon(call)
    loop.run_forever()
    return results[0]


async def give(value):
    return value


async def forever():
    await asyncio.get_running_loop().create_future()


def test_a_task_that_never_waits_is_done_when_it_is_made(eager_loop):
    def start():
        task = eager_loop.create_task(give(7))
        assert isinstance(task, asyncio.Task)
        return task.done() and task.result()

    assert run(eager_loop, start) == 7


def test_a_task_begins_at_once_and_goes_on_later(eager_loop):
    order = []

    async def body():
        order.append("begin")
        await asyncio.sleep(0)
        order.append("end")

    async def main():
        task = eager_loop.create_task(body())
        order.append("made")
        await task

    eager_loop.run_until_complete(main())
    assert order == ["begin", "made", "end"]


def test_an_exception_of_the_first_step_is_in_the_task(eager_loop):
    async def fail():
        raise KeyError("early")

    def start():
        task = eager_loop.create_task(fail())
        return task.done() and task.exception()

    assert isinstance(run(eager_loop, start), KeyError)


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_an_exception_that_ends_the_program_leaves_create_task(eager_loop, error):
    async def fail():
        raise error("early")

    def start():
        with pytest.raises(error, match="early"):
            eager_loop.create_task(fail())
        return "survived"

    assert run(eager_loop, start) == "survived"


def test_a_cancellation_in_the_first_step_is_in_the_task(eager_loop):
    async def body():
        raise asyncio.CancelledError("own")

    assert run(eager_loop, lambda: eager_loop.create_task(body()).cancelled())


def test_current_task_is_the_eager_one_and_then_the_outer_again(eager_loop):
    seen = []

    async def body():
        seen.append(asyncio.current_task())
        await asyncio.sleep(0)
        seen.append(asyncio.current_task())

    async def main():
        outer = asyncio.current_task()
        inner = eager_loop.create_task(body())
        seen.append(asyncio.current_task())
        await inner
        return inner, outer

    inner, outer = eager_loop.run_until_complete(main())
    assert seen == [inner, outer, inner]


def test_eager_tasks_nest(eager_loop):
    order = []

    async def body(depth):
        me = asyncio.current_task()
        order.append(("in", depth))
        if depth:
            inner = eager_loop.create_task(body(depth - 1))
            assert inner is not me
            assert inner.done()
            await inner
        assert asyncio.current_task() is me
        order.append(("out", depth))

    task = run(eager_loop, lambda: eager_loop.create_task(body(3)))
    assert task.done()
    task.result()
    expected = [("in", depth) for depth in (3, 2, 1, 0)]
    assert order == expected + [("out", depth) for depth in (0, 1, 2, 3)]


def test_all_tasks_has_the_eager_task_while_it_runs_and_while_it_waits(eager_loop):
    async def body():
        me = asyncio.current_task()
        before = me in asyncio.all_tasks()
        await asyncio.sleep(0)
        return before, me in asyncio.all_tasks()

    async def main():
        task = eager_loop.create_task(body())
        assert task in asyncio.all_tasks()
        result = await task
        assert task not in asyncio.all_tasks()
        return result

    assert eager_loop.run_until_complete(main()) == (True, True)


def test_the_context_of_an_eager_task_is_its_own(eager_loop):
    variable = contextvars.ContextVar("variable", default="outside")

    async def body():
        variable.set("inside")

    def start():
        given = contextvars.Context()
        eager_loop.create_task(body())
        eager_loop.create_task(body(), context=given)
        return variable.get(), given[variable]

    assert run(eager_loop, start) == ("outside", "inside")


def test_a_waiting_eager_task_can_be_cancelled(eager_loop):
    async def main():
        task = eager_loop.create_task(forever())
        task.cancel("why")
        with pytest.raises(asyncio.CancelledError, match="why"):
            await task
        return task.cancelled()

    assert eager_loop.run_until_complete(main())


def test_done_callbacks_of_a_done_eager_task_come_in_the_next_turn(eager_loop):
    order = []

    def start():
        task = eager_loop.create_task(give(1))
        task.add_done_callback(lambda task: order.append("done"))
        eager_loop.call_soon(order.append, "ready")
        return task

    run(eager_loop, start)
    assert order == []
    run(eager_loop, lambda: None)
    assert order == ["done", "ready"]


def test_gather_of_done_eager_tasks(eager_loop):
    async def main():
        return await asyncio.gather(*[give(number) for number in range(5)])

    assert eager_loop.run_until_complete(main()) == list(range(5))


def test_a_task_group_of_eager_tasks(eager_loop):
    async def main():
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(give(number)) for number in range(3)]
        return [task.result() for task in tasks]

    assert eager_loop.run_until_complete(main()) == [0, 1, 2]


def test_what_an_eager_task_gets_thrown_back_has_nothing_to_do_with_its_maker(eager_loop):
    """The maker is handling an exception, which is no context of an error in the new task."""

    @types.coroutine
    def hand_over(value):
        yield value

    async def body():
        try:
            await hand_over("junk")
        except RuntimeError as error:
            return error.__context__

    async def main():
        try:
            raise KeyError("of the maker")
        except KeyError:
            task = eager_loop.create_task(body())
        return await task

    assert eager_loop.run_until_complete(main()) is None


def test_an_eager_start_without_a_running_loop_is_not_eager(eager_loop):
    task = eager_loop.create_task(give(3))
    assert not task.done()
    assert eager_loop.run_until_complete(task) == 3


@pytest.mark.parametrize("eager", [True, False])
def test_the_class_takes_eager_start(loop, eager):
    kind = greenloop.Task if isinstance(loop, greenloop.EventLoop) else asyncio.Task

    def start():
        task = kind(give(2), loop=loop, eager_start=eager)
        return task, task.done()

    task, done = run(loop, start)
    assert done is eager
    assert loop.run_until_complete(task) == 2


@pytest.mark.skipif(sys.version_info < (3, 14), reason="create_task takes eager_start since 3.14")
@pytest.mark.parametrize("eager", [True, False])
def test_create_task_takes_eager_start(loop, eager):
    def start():
        task = loop.create_task(give(2), eager_start=eager)
        return task, task.done()

    task, done = run(loop, start)
    assert done is eager
    assert loop.run_until_complete(task) == 2
