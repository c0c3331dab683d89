"""Task: life, names, results, what it may await, and everything that can be asked of one."""

import asyncio
import gc
import io
import pickle
import re
import sys
import types
import weakref

import pytest

import greenloop


async def nothing():
    pass


async def forever():
    await asyncio.get_running_loop().create_future()


@pytest.fixture(params=["create_task", "own class", "asyncio's class", "subclass"])
def make(request, loop):
    """A way to make a task of the loop under test."""
    own = greenloop.Task if isinstance(loop, greenloop.EventLoop) else asyncio.Task

    class Subclass(own):
        pass

    return {
        "create_task": loop.create_task,
        "own class": lambda coroutine, **keywords: own(coroutine, loop=loop, **keywords),
        "asyncio's class": lambda coroutine, **keywords: asyncio.Task(
            coroutine, loop=loop, **keywords
        ),
        "subclass": lambda coroutine, **keywords: Subclass(coroutine, loop=loop, **keywords),
    }[request.param]


def finish(loop, task):
    """Run the loop until the task is done; leave its exception alone."""
    loop.run_until_complete(asyncio.wait([task]))
    return task


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


@pytest.mark.parametrize("wrong", [None, 3, nothing, object(), [], lambda: None])
def test_a_task_takes_coroutines_only(loop, make, wrong):
    with pytest.raises(TypeError, match="a coroutine was expected, got"):
        make(wrong)


def test_a_task_takes_a_future_for_no_coroutine(loop, make):
    with pytest.raises(TypeError, match="a coroutine was expected, got"):
        make(loop.create_future())


def test_a_coroutine_can_await_a_generator_based_one(loop, make):
    @types.coroutine
    def generator():
        yield
        return 4

    async def body():
        return await generator()

    assert loop.run_until_complete(make(body())) == 4


def test_a_task_can_run_any_object_with_the_methods_of_a_coroutine(loop, make):
    import collections.abc

    class Own(collections.abc.Coroutine):
        def __init__(self):
            self.calls = 0

        def send(self, value):
            assert value is None
            self.calls += 1
            if self.calls == 3:
                raise StopIteration(self.calls)

        def throw(self, *arguments):
            raise arguments[0]

        def close(self):
            pass

        def __await__(self):
            return self

    assert loop.run_until_complete(make(Own())) == 3
    task = make(Own())
    task.cancel()
    assert finish(loop, task).cancelled()


def test_default_names_count(make, loop):
    first, second = make(nothing()), make(nothing())
    numbers = [int(re.fullmatch(r"Task-(\d+)", task.get_name())[1]) for task in (first, second)]
    assert numbers[0] < numbers[1]
    loop.run_until_complete(asyncio.gather(first, second))


@pytest.mark.parametrize("name", ["mine", "", 7, ("a", 1), 1.5])
def test_a_name_is_text(make, loop, name):
    task = make(nothing(), name=name)
    assert task.get_name() == str(name)
    assert task.set_name(("other", name)) is None
    assert task.get_name() == str(("other", name))
    loop.run_until_complete(task)


def test_a_task_knows_its_coroutine_while_it_runs(loop, make):
    coroutine = nothing()
    task = make(coroutine)
    assert task.get_coro() is coroutine
    loop.run_until_complete(task)


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


@pytest.mark.parametrize(
    ("body", "pattern"),
    [
        (
            nothing,
            r"<\w+ finished name='n' coro=<nothing\(\) done, defined at .*:\d+> result=None>",
        ),
        (forever, r"<\w+ cancelled name='n' coro=<forever\(\) done, defined at .*:\d+>>"),
    ],
)
def test_the_repr_tells_state_name_and_coroutine(loop, make, body, pattern):
    task = make(body(), name="n")
    running = r"<\w+ pending name='n' coro=<\w+\(\) running at .*:\d+>>"
    assert re.fullmatch(running, repr(task))
    if body is forever:
        loop.call_soon(loop.call_soon, task.cancel)
    finish(loop, task)
    assert re.fullmatch(pattern, repr(task))


def test_the_repr_tells_the_future_waited_for_and_that_a_cancellation_is_due(loop, make):
    task = make(forever(), name="n")
    loop.call_soon(loop.stop)
    loop.run_forever()
    waiting = r"wait_for=<Future pending cb=\[.*wakeup.*\]>"
    assert re.fullmatch(rf"<\w+ pending name='n' coro=<forever\(\) .*> {waiting}>", repr(task))
    other = make(nothing(), name="o")
    other.cancel()
    assert re.match(r"<\w+ cancelling name='o'", repr(other))


def test_the_stack_of_a_task_is_where_it_waits(loop, make):
    task = make(forever())
    assert [frame.f_code.co_name for frame in task.get_stack()] == ["forever"]
    loop.call_soon(loop.stop)
    loop.run_forever()
    assert [frame.f_code.co_name for frame in task.get_stack(limit=1)] == ["forever"]
    text = io.StringIO()
    task.print_stack(file=text)
    assert re.match(r"Stack for <\w+ pending.*\(most recent call last\):\n  File", text.getvalue())
    assert "in forever" in text.getvalue()


def test_the_stack_of_a_failed_task_is_its_traceback(loop, make):
    async def fail():
        def inner():
            raise ValueError("no")

        inner()

    task = finish(loop, make(fail()))
    assert [frame.f_code.co_name for frame in task.get_stack()] == ["fail", "inner"]
    assert [frame.f_code.co_name for frame in task.get_stack(limit=1)] == ["fail"]
    text = io.StringIO()
    task.print_stack(file=text)
    assert text.getvalue().startswith("Traceback for <")
    assert text.getvalue().endswith("ValueError: no\n")


def test_a_finished_task_has_no_stack(loop, make):
    task = finish(loop, make(nothing()))
    assert task.get_stack() == []
    text = io.StringIO()
    task.print_stack(file=text)
    assert re.match("No stack for <", text.getvalue())


def test_a_pending_task_that_is_destroyed_is_reported(loop, make, reports):
    task = make(forever())
    loop.call_soon(loop.stop)
    loop.run_forever()
    task._fut_waiter.remove_done_callback(task._fut_waiter._callbacks[0][0])
    del task
    gc.collect()
    (report,) = reports
    assert report["message"] == "Task was destroyed but it is pending!"
    assert sorted(report) == ["message", "task"]


def test_the_report_of_a_destroyed_task_can_be_turned_off(loop, make, reports):
    task = make(forever())
    assert task._log_destroy_pending is True
    task._log_destroy_pending = False
    loop.call_soon(loop.stop)
    loop.run_forever()
    task._fut_waiter.remove_done_callback(task._fut_waiter._callbacks[0][0])
    del task
    gc.collect()
    assert reports == []


def test_an_exception_of_a_task_that_nobody_retrieves_is_reported(loop, make, reports):
    async def fail():
        raise ValueError("lost")

    task = make(fail())
    loop.call_soon(loop.call_soon, loop.stop)
    loop.run_forever()
    kind = type(task).__name__
    del task
    gc.collect()
    (report,) = reports
    assert report["message"] == f"{kind} exception was never retrieved"
    assert str(report["exception"]) == "lost"


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


def test_a_task_factory_makes_the_tasks(loop):
    calls = []

    def factory(loop, coroutine, **keywords):
        calls.append((loop, coroutine, keywords))
        return asyncio.Task(coroutine, loop=loop, **keywords)

    assert loop.get_task_factory() is None
    loop.set_task_factory(factory)
    assert loop.get_task_factory() is factory
    coroutine = nothing()
    task = loop.create_task(coroutine)
    assert calls[0][:2] == (loop, coroutine)
    loop.run_until_complete(task)
    loop.set_task_factory(None)
    loop.run_until_complete(loop.create_task(nothing()))
    assert len(calls) == 1


@pytest.mark.parametrize("keywords", [{}, {"name": "n"}], ids=["bare", "name"])
def test_a_task_factory_gets_the_keywords_that_asyncio_gives_it(loop, keywords):
    """Which those are depends on the version; asyncio's own loop tells."""

    def given(loop):
        def factory(loop, coroutine, **keywords):
            calls.append(keywords)
            return asyncio.Task(coroutine, loop=loop)

        calls = []
        loop.set_task_factory(factory)
        task = loop.create_task(nothing(), **keywords)
        loop.run_until_complete(task)
        loop.set_task_factory(None)
        return calls, task.get_name() == "n"

    oracle = asyncio.SelectorEventLoop()
    try:
        assert given(loop) == given(oracle)
    finally:
        oracle.close()


@pytest.mark.parametrize("wrong", [3, "text", object()])
def test_a_task_factory_is_callable_or_none(loop, wrong):
    with pytest.raises(TypeError, match="^task factory must be a callable or None$"):
        loop.set_task_factory(wrong)


def test_a_task_factory_may_return_anything(loop):
    class Thing:
        def set_name(self, name):
            pass

    thing = Thing()
    coroutines = []
    loop.set_task_factory(lambda loop, coroutine, **_: (coroutines.append(coroutine), thing)[1])
    assert loop.create_task(nothing()) is thing
    coroutines[0].close()
    loop.set_task_factory(None)


def test_a_task_cannot_be_created_on_a_closed_loop(loop):
    loop.close()
    coroutine = nothing()
    with pytest.raises(RuntimeError, match="^Event loop is closed$"):
        loop.create_task(coroutine)
    coroutine.close()


def test_a_task_refuses_unknown_keywords(loop, make):
    coroutine = nothing()
    with pytest.raises(TypeError):
        make(coroutine, unknown=1)
    coroutine.close()


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
