"""The life of a task: its start, its result, who holds it, and what asyncio can ask of it."""

import asyncio
import ctypes
import gc
import pickle
import sys
import weakref

import pytest
from task_bodies import finish, forever, nothing

import greenloop


def test_a_task_is_an_asyncio_task(loop, make):
    task = make(nothing())
    assert isinstance(task, asyncio.Task)
    assert isinstance(task, asyncio.Future)
    assert asyncio.isfuture(task)
    assert asyncio.ensure_future(task) is task
    assert task.get_loop() is loop
    loop.run_until_complete(task)


def test_a_task_gives_what_its_coroutine_returns(loop, make):
    async def give(value):
        await asyncio.sleep(0)
        return value

    for value in (None, 5, StopIteration, (1, 2), ValueError("value"), ()):
        assert loop.run_until_complete(make(give(value))) is value


def test_a_task_does_nothing_before_the_loop_runs(loop, make):
    async def body():
        ran.append(True)

    ran = []
    task = make(body())
    assert ran == []
    loop.run_until_complete(task)
    assert ran == [True]


@pytest.mark.parametrize("error", [KeyError("no"), GeneratorExit(), BaseException("base")])
def test_a_task_keeps_the_exception(loop, make, error):
    async def fail():
        raise error

    task = finish(loop, make(fail()))
    assert task.exception() is error
    with pytest.raises(type(error)) as caught:
        task.result()
    assert caught.value is error


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_an_exception_that_ends_the_program_leaves_the_run_and_stays_in_the_task(loop, make, error):
    async def fail():
        raise error("now")

    task = make(fail())
    with pytest.raises(error, match="now"):
        loop.run_forever()
    assert isinstance(task.exception(), error)
    loop.run_until_complete(nothing())


def test_a_stop_iteration_becomes_a_runtime_error(loop, make):
    async def fail():
        raise StopIteration(3)

    task = finish(loop, make(fail()))
    assert isinstance(task.exception(), RuntimeError)
    assert isinstance(task.exception().__cause__, StopIteration)


def test_a_task_knows_its_coroutine_while_it_runs(loop, make):
    coroutine = nothing()
    task = make(coroutine)
    assert task.get_coro() is coroutine
    loop.run_until_complete(task)


def test_a_coroutine_that_is_replaced_in_memory_is_the_one_that_runs(loop, make):
    """greenback does so: it looks for the coroutine from the beginning of the task on."""

    async def around(inner):
        ran.append("begin")
        await inner
        ran.append("end")

    async def body():
        ran.append("body")

    ran = []
    coroutine = body()
    task = make(coroutine)
    replacement = around(coroutine)
    size = task.__sizeof__() // ctypes.sizeof(ctypes.c_size_t)
    words = (ctypes.c_size_t * size).from_address(id(task))
    place = list(words).index(id(coroutine))
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(replacement))
    words[place] = id(replacement)
    ctypes.pythonapi.Py_DecRef(ctypes.py_object(coroutine))
    assert task.get_coro() is replacement
    loop.run_until_complete(task)
    assert ran == ["begin", "body", "end"]


def test_a_done_task_holds_its_coroutine_as_asyncio_does(loop, make):
    """Whether the finished coroutine is still given depends on the version."""

    def after(make):
        task = make(nothing())
        loop.run_until_complete(task)
        return task.get_coro() is None

    assert after(make) == after(lambda coroutine: asyncio.Task(coroutine, loop=loop))


def test_results_and_exceptions_cannot_be_set(make, loop):
    task = make(nothing())
    with pytest.raises(RuntimeError, match="^Task does not support set_result operation$"):
        task.set_result(1)
    with pytest.raises(RuntimeError, match="^Task does not support set_exception operation$"):
        task.set_exception(ValueError())
    loop.run_until_complete(task)


def test_current_task_is_the_running_one_and_none_outside(loop, make):
    seen = []

    async def body():
        seen.append(asyncio.current_task())
        loop.call_soon(lambda: seen.append(asyncio.current_task()))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        seen.append(asyncio.current_task())

    task = make(body())
    loop.run_until_complete(task)
    assert seen == [task, None, task]
    assert asyncio.current_task(loop) is None


def test_all_tasks_are_those_not_done(loop, make):
    async def body():
        await asyncio.sleep(0)

    tasks = [make(body()) for _ in range(3)]
    assert asyncio.all_tasks(loop) == set(tasks)

    async def look():
        return asyncio.all_tasks()

    looking = make(look())
    assert loop.run_until_complete(looking) == {*tasks, looking}
    loop.run_until_complete(asyncio.wait(tasks))
    assert asyncio.all_tasks(loop) == set()


def test_a_running_task_is_kept_alive_by_what_it_waits_for(loop, make):
    future = loop.create_future()

    async def body():
        await future
        ended.append(True)

    ended = []
    make(body())
    loop.call_soon(loop.stop)
    loop.run_forever()
    gc.collect()
    future.set_result(None)
    loop.call_soon(loop.call_soon, loop.stop)
    loop.run_forever()
    assert ended == [True]


def test_a_task_can_be_referenced_weakly_subscripted_and_not_pickled(loop, make):
    task = make(nothing())
    assert weakref.ref(task)() is task
    assert type(task)[int].__args__ == (int,)
    task.label = "mine"
    assert task.label == "mine"
    with pytest.raises(TypeError):
        pickle.dumps(task)
    loop.run_until_complete(task)


def test_a_subclass_can_override_what_asyncio_calls(loop):
    own = type(asyncio.Task(nothing(), loop=loop))
    if isinstance(loop, greenloop.EventLoop):
        own = greenloop.Task
    loop.run_until_complete(asyncio.gather(*asyncio.all_tasks(loop)))

    class Loud(own):
        calls = []

        def cancel(self, msg=None):
            self.calls.append("cancel")
            return super().cancel(msg)

        def add_done_callback(self, callback, *, context=None):
            self.calls.append("add_done_callback")
            super().add_done_callback(callback, context=context)

    async def outer():
        await Loud(forever(), loop=loop)

    task = loop.create_task(outer())
    loop.call_soon(loop.call_soon, task.cancel)
    with pytest.raises(asyncio.CancelledError):
        loop.run_until_complete(task)
    assert Loud.calls == ["add_done_callback", "cancel"]


def test_a_task_makes_no_reference_cycle_with_its_result(loop, make):
    class Result:
        pass

    async def body():
        return Result()

    gc.disable()
    try:
        reference = weakref.ref(loop.run_until_complete(make(body())))
        # The one thing left is what the loop's last run may still hold.
        loop.call_soon(loop.stop)
        loop.run_forever()
        assert reference() is None
    finally:
        gc.enable()


@pytest.mark.skipif(sys.version_info < (3, 12), reason="get_context is new in Python 3.12")
def test_a_task_gives_its_context(loop, make):
    import contextvars

    context = contextvars.Context()
    task = make(nothing(), context=context)
    assert task.get_context() is context
    other = make(nothing())
    assert isinstance(other.get_context(), contextvars.Context)
    loop.run_until_complete(asyncio.gather(task, other))
