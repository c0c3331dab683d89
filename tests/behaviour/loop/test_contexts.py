"""contextvars: which context a callback, a task and a step run in."""

import asyncio
import contextvars
import gc
import threading
import weakref

import pytest

from loop_turns import run_turns

variable = contextvars.ContextVar("variable", default="default")


def in_context(value):
    """A copy of the current context in which the variable has this value."""
    context = contextvars.copy_context()
    context.run(variable.set, value)
    return context


SCHEDULERS = {
    "call_soon": lambda loop, *a, **k: loop.call_soon(*a, **k),
    "call_soon_threadsafe": lambda loop, *a, **k: loop.call_soon_threadsafe(*a, **k),
    "call_later": lambda loop, *a, **k: loop.call_later(0, *a, **k),
    "call_at": lambda loop, *a, **k: loop.call_at(loop.time(), *a, **k),
}


@pytest.fixture(params=SCHEDULERS.values(), ids=SCHEDULERS.keys())
def schedule(request, loop):
    """A way to schedule a callback."""
    return lambda *arguments, **keywords: request.param(loop, *arguments, **keywords)


def test_a_callback_runs_in_a_copy_of_the_context_it_was_scheduled_in(loop, schedule):
    seen = []
    context = in_context("scheduled")
    context.run(schedule, lambda: (seen.append(variable.get()), variable.set("changed")))
    context.run(variable.set, "later")
    run_turns(loop, 2)
    assert seen == ["scheduled"]
    assert context[variable] == "later"
    assert variable.get() == "default"


def test_a_callback_runs_in_the_context_it_was_given(loop, schedule):
    context = in_context("given")
    schedule(lambda: variable.set(variable.get() + "!"), context=context)
    schedule(lambda: variable.set(variable.get() + "?"), context=context)
    run_turns(loop, 2)
    assert context[variable] == "given!?"


def test_no_context_means_the_current_one(loop, schedule):
    seen = []
    in_context("current").run(schedule, lambda: seen.append(variable.get()), context=None)
    run_turns(loop, 2)
    assert seen == ["current"]


def test_a_task_runs_in_a_copy_of_the_context_it_was_created_in(loop):
    async def body():
        before = variable.get()
        variable.set("inside")
        await asyncio.sleep(0)
        return before, variable.get()

    context = in_context("created")
    task = context.run(loop.create_task, body())
    context.run(variable.set, "later")
    assert loop.run_until_complete(task) == ("created", "inside")
    assert context[variable] == "later"


def test_a_task_runs_in_the_context_it_was_given(loop):
    async def body():
        await asyncio.sleep(0)
        variable.set("inside")

    context = in_context("given")
    loop.run_until_complete(loop.create_task(body(), context=context))
    assert context[variable] == "inside"


def test_tasks_share_a_given_context(loop):
    async def body(name):
        for _ in range(3):
            variable.set(variable.get() + name)
            await asyncio.sleep(0)

    context = in_context("")
    tasks = [loop.create_task(body(name), context=context) for name in "ab"]
    loop.run_until_complete(asyncio.wait(tasks))
    assert context[variable] == "ababab"


def test_tasks_do_not_see_each_others_changes(loop):
    async def body(name):
        variable.set(name)
        await asyncio.sleep(0)
        return variable.get()

    async def main():
        return await asyncio.gather(*[body(number) for number in range(50)])

    assert loop.run_until_complete(main()) == list(range(50))


def test_a_task_woken_from_another_context_stays_in_its_own(loop):
    future = loop.create_future()

    async def body():
        variable.set("mine")
        await future
        return variable.get()

    task = loop.create_task(body())
    loop.call_soon(lambda: in_context("other").run(future.set_result, None))
    assert loop.run_until_complete(task) == "mine"


def test_a_task_woken_by_a_foreign_future_stays_in_its_own_context(loop):
    future = asyncio.futures._PyFuture(loop=loop)

    async def body():
        variable.set("mine")
        await future
        first = variable.get()
        variable.set("changed")
        await asyncio.sleep(0)
        return first, variable.get()

    task = loop.create_task(body())
    loop.call_soon(lambda: in_context("other").run(future.set_result, None))
    assert loop.run_until_complete(task) == ("mine", "changed")


def test_a_context_that_is_entered_already_is_no_place_for_a_callback(loop, caplog):
    """Where that is told depends on the version: the exception handler would run there too."""

    def attempt(loop):
        reports, ran = [], []
        context = contextvars.Context()
        loop.set_exception_handler(lambda loop, report: reports.append(type(report["exception"])))

        def run_the_loop_inside():
            loop.call_soon(ran.append, "never", context=context)
            run_turns(loop, 1)

        caplog.clear()
        context.run(run_the_loop_inside)
        assert ran == []
        return reports, [record.getMessage().partition("\n")[0] for record in caplog.records]

    oracle = asyncio.SelectorEventLoop()
    try:
        expected = attempt(oracle)
    finally:
        oracle.close()
    assert attempt(loop) == expected
    assert expected != ([], [])


@pytest.mark.parametrize("wrong", [3, "text", object(), {}])
def test_a_context_of_a_wrong_kind_fails_where_asyncio_fails(loop, reports, wrong):
    """asyncio takes anything and finds out when the callback is due."""

    def attempt(loop):
        found = []
        loop.set_exception_handler(lambda loop, context: found.append(context["exception"]))
        try:
            loop.call_soon(int, context=wrong)
        except Exception as error:
            return "refused", type(error)
        try:
            run_turns(loop, 1)
        except Exception as error:
            return "left the loop", type(error)
        return "reported", [type(error) for error in found]

    oracle = asyncio.SelectorEventLoop()
    try:
        expected = attempt(oracle)
    finally:
        oracle.close()
    assert attempt(loop) == expected


def test_an_exception_handler_runs_in_the_context_of_its_task(loop):
    seen = []
    loop.set_exception_handler(lambda loop, context: seen.append(variable.get()))

    def fail():
        variable.set("failing")
        raise ValueError

    loop.call_soon(fail)
    run_turns(loop, 1)
    # Python 3.12 on takes the context of the handle or task that failed.
    import sys

    assert seen == (["failing"] if sys.version_info >= (3, 12) else ["default"])


def test_a_thread_has_a_context_of_its_own(loop):
    async def main():
        variable.set("loop")
        plain = await loop.run_in_executor(None, variable.get)
        with_context = await asyncio.to_thread(variable.get)
        return plain, with_context

    expected_plain = _value_in_a_new_thread()
    try:
        assert loop.run_until_complete(main()) == (expected_plain, "loop")
    finally:
        loop.run_until_complete(loop.shutdown_default_executor())


def _value_in_a_new_thread():
    values = []
    thread = threading.Thread(target=lambda: values.append(variable.get()))
    thread.start()
    thread.join()
    return values[0]


def test_a_reader_runs_in_the_context_it_was_added_in(loop):
    import socket

    seen = []
    near, far = socket.socketpair()
    with near, far:
        context = in_context("added")
        context.run(
            loop.add_reader, near, lambda: (seen.append(variable.get()), loop.stop(), near.recv(9))
        )
        loop.call_soon(far.send, b"x")
        loop.run_forever()
        loop.remove_reader(near)
    assert seen == ["added"]


def test_a_tasks_context_is_the_same_before_its_first_step_and_after_its_last(loop):
    def current():
        # Nobody may get at the current context but by what is known to hold it.
        return task.get_context() if hasattr(task, "get_context") else None

    async def body():
        contexts.append(current())
        variable.set("first step")
        await asyncio.sleep(0)
        contexts.append(current())
        variable.set("last step")

    for ask_early in (False, True):
        contexts = []
        task = loop.create_task(body())
        if ask_early:
            contexts.append(current())
        loop.run_until_complete(task)
        contexts.append(current())
        assert all(context is contexts[0] for context in contexts)
        assert contexts[0] is None or contexts[0][variable] == "last step"


def test_a_task_of_one_step_leaves_nothing_behind_for_the_next(loop):
    async def body(value):
        before = variable.get()
        variable.set(value)
        return before

    async def main():
        return [await loop.create_task(body(number)) for number in range(5)]

    assert loop.run_until_complete(main()) == ["default"] * 5


def test_a_task_that_ends_with_its_token_in_hand_keeps_its_context(loop):
    tokens = []

    async def body():
        tokens.append(variable.set("set"))

    async def reset_elsewhere():
        with pytest.raises(ValueError, match="different Context"):
            variable.reset(tokens[0])

    task = loop.create_task(body())
    loop.run_until_complete(task)
    loop.run_until_complete(loop.create_task(reset_elsewhere()))
    if hasattr(task, "get_context"):
        task.get_context().run(variable.reset, tokens[0])
        assert variable not in task.get_context()


def test_a_tasks_values_die_with_it(loop):
    class Value:
        pass

    died = []

    async def body():
        value = Value()
        died.append(weakref.ref(value))
        variable.set(value)

    loop.run_until_complete(loop.create_task(body()))
    gc.collect()
    assert died[0]() is None
