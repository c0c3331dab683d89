"""The context of a handle: what it holds, who gets to see it, and for how long it lives.

A loop may put off making a context until somebody looks. These tests look in every way there is.
"""

import asyncio
import contextvars
import gc
import socket
import threading
import weakref

import pytest

from loop_turns import run_turns

variable = contextvars.ContextVar("variable", default="default")


def set_and(function, value, *arguments):
    """Calls the function in a copy of the context in which the variable has this value."""

    def call():
        variable.set(value)
        return function(*arguments)

    return contextvars.copy_context().run(call)


SCHEDULERS = {
    "call_soon": lambda loop, *arguments: loop.call_soon(*arguments),
    "call_soon_threadsafe": lambda loop, *arguments: loop.call_soon_threadsafe(*arguments),
    "call_later": lambda loop, *arguments: loop.call_later(0, *arguments),
}


@pytest.fixture(params=SCHEDULERS.values(), ids=SCHEDULERS.keys())
def schedule(request, loop):
    """A way to schedule a callback; returns its handle."""
    return lambda *arguments: request.param(loop, *arguments)


def test_each_callback_sees_the_values_of_the_moment_it_was_scheduled(loop, schedule):
    seen = []

    def schedule_many():
        for number in range(300):
            if number % 3 == 0:
                variable.set(number)
            schedule(lambda: (seen.append(variable.get()), variable.set("changed")))

    contextvars.copy_context().run(schedule_many)
    run_turns(loop, 3)
    assert seen == [number - number % 3 for number in range(300)]
    assert variable.get() == "default"


def test_a_context_that_was_asked_for_early_is_the_one_the_callback_runs_in(loop, schedule):
    handle = set_and(schedule, "scheduled", lambda: variable.set(variable.get() + "!"))
    context = handle._context
    assert context[variable] == "scheduled"
    assert handle._context is context
    context.run(variable.set, "asked")
    run_turns(loop, 2)
    assert context[variable] == "asked!"
    assert handle._context is context


def test_a_context_that_is_asked_for_late_has_what_the_callback_set(loop, schedule):
    handle = set_and(schedule, "scheduled", variable.set, "set")
    run_turns(loop, 2)
    assert handle._context[variable] == "set"
    assert handle._context is handle._context


def test_a_context_that_is_asked_for_in_the_callback_is_the_current_one(loop, schedule):
    contexts = []

    def callback():
        context = handle._context
        variable.set("live")
        assert context[variable] == "live"
        with pytest.raises(RuntimeError, match="already entered"):
            context.run(int)
        contexts.append(context)

    handle = schedule(callback)
    run_turns(loop, 2)
    assert contexts == [handle._context]
    assert contexts[0] is handle._context
    assert contexts[0].run(variable.get) == "live"
    # Later callbacks have nothing to do with it.
    schedule(variable.set, "other")
    run_turns(loop, 2)
    assert contexts[0][variable] == "live"


def test_a_weakly_referenced_context_lives_as_long_as_its_handle(loop, schedule):
    references, handles = [], []

    def callback():
        references.append(weakref.ref(handles[0]._context))
        variable.set("live")

    handles.append(schedule(callback))
    run_turns(loop, 2)
    schedule(variable.set, "other")
    run_turns(loop, 2)
    assert references[0]() is handles[0]._context
    assert references[0]()[variable] == "live"
    handles.clear()
    gc.collect()
    assert references[0]() is None


def test_a_copy_made_in_a_callback_stays_as_it_was(loop, schedule):
    copies = []

    def callback():
        variable.set(variable.get() + "!")
        copies.append(contextvars.copy_context())

    set_and(schedule, "one", callback)
    set_and(schedule, "two", callback)
    schedule(variable.set, "other")
    run_turns(loop, 2)
    assert [copy[variable] for copy in copies] == ["one!", "two!"]


def test_a_callback_that_is_run_again_sees_what_it_set(loop):
    seen = []
    handle = loop.call_soon(lambda: (seen.append(variable.get()), variable.set(len(seen))))
    run_turns(loop, 2)
    handle._run()
    handle._run()
    assert seen == ["default", 1, 2]
    assert variable.get() == "default"


def test_a_callback_that_runs_another_handle_comes_back_to_its_own_context(loop):
    seen = []

    def inner():
        seen.append(variable.get())
        variable.set("set by inner")

    def outer():
        variable.set(variable.get() + "!")
        handle._run()
        handle._run()
        seen.append(variable.get())

    set_and(loop.call_soon, "outer", outer)
    handle = set_and(loop.call_later, "inner", 1000.0, inner)
    run_turns(loop, 2)
    handle.cancel()
    assert seen == ["inner", "set by inner", "outer!"]


def test_a_handle_that_runs_itself_is_told_that_its_context_is_entered(loop, reports, caplog):
    """From 3.12 on the exception handler cannot enter it either, which is logged."""
    handle = loop.call_soon(lambda: handle._run())
    run_turns(loop, 2)
    told = caplog.text + "".join(str(report["exception"]) for report in reports)
    assert "is already entered" in told


def test_a_reader_sees_what_it_set_and_can_undo_it(loop):
    """One context serves all its runs, and a token belongs to that context."""
    seen, tokens = [], []

    def readable():
        near.recv(1)
        seen.append(variable.get())
        if tokens:
            variable.reset(tokens.pop())
        else:
            tokens.append(variable.set("set"))
        if len(seen) == 4:
            loop.stop()

    near, far = socket.socketpair()
    with near, far:
        near.setblocking(False)
        loop.add_reader(near, readable)
        far.send(b"1234")
        loop.run_forever()
        loop.remove_reader(near)
    assert seen == ["default", "set", "default", "set"]


def test_a_token_is_of_no_use_in_the_context_of_another_callback(loop, schedule, reports):
    tokens = []
    schedule(lambda: tokens.append(variable.set("set")))
    schedule(lambda: variable.reset(tokens[0]))
    run_turns(loop, 2)
    assert [type(report["exception"]) for report in reports] == [ValueError]
    assert "different Context" in str(reports[0]["exception"])


def test_the_exception_handler_finds_the_context_of_what_failed(loop, schedule, reports):
    def fail():
        variable.set("failing")
        raise ValueError

    set_and(schedule, "scheduled", fail)
    run_turns(loop, 2)
    assert reports[0]["handle"]._context[variable] == "failing"


def test_a_cancelled_handle_keeps_its_context(loop, schedule):
    handle = set_and(schedule, "scheduled", int)
    handle.cancel()
    assert handle._context[variable] == "scheduled"


class Value:
    """A value that one can see dying."""


def test_values_die_with_the_last_handle_that_has_them(loop, schedule):
    value = Value()
    died = weakref.ref(value)
    handle = set_and(schedule, value, int)
    del value
    run_turns(loop, 2)
    gc.collect()
    assert died() is not None
    del handle
    gc.collect()
    assert died() is None


def test_what_a_callback_sets_dies_when_nobody_keeps_its_handle(loop, schedule):
    died = []

    def callback():
        value = Value()
        died.append(weakref.ref(value))
        variable.set(value)

    schedule(callback)
    run_turns(loop, 2)
    gc.collect()
    assert died[0]() is None


def test_a_cycle_through_a_context_is_found(loop, schedule):
    value = Value()
    died = weakref.ref(value)
    value.handle = set_and(schedule, value, int)
    del value
    run_turns(loop, 2)
    gc.collect()
    assert died() is None


def test_every_context_the_collector_knows_can_be_used(loop, schedule):
    counts = []

    def look():
        contexts = [each for each in gc.get_objects() if type(each) is contextvars.Context]
        counts.append(sum(len(each.copy()) for each in contexts))

    schedule(look)
    schedule(look)
    run_turns(loop, 2)
    look()
    assert len(counts) == 3


def test_values_that_come_back_while_a_handle_dies_do_no_harm(loop):
    """A value's end runs code that schedules again, in the middle of letting go of a context."""
    seen = []

    class Scheduler:
        def __del__(self):
            variable.set("from the end")
            loop.call_soon(lambda: seen.append(variable.get()))

    for _ in range(20):
        loop.call_soon(lambda: variable.set(Scheduler()))
    run_turns(loop, 4)
    variable.set("default")
    assert seen == ["from the end"] * 20


def test_loops_in_two_threads_do_not_share_a_context(loop_factory):
    rounds = 300
    wrong = []

    def run(name):
        own = loop_factory()
        left = rounds

        def callback(expected):
            nonlocal left
            if variable.get() != expected:
                wrong.append((name, expected, variable.get()))
            variable.set((name, "changed"))
            # Lets the other thread run in the middle of this callback.
            threading.Event().wait(0)
            if variable.get() != (name, "changed"):
                wrong.append((name, variable.get()))
            left -= 1
            if left == 0:
                own.stop()
            else:
                set_and(own.call_soon, (name, left), callback, (name, left))

        set_and(own.call_soon, (name, left), callback, (name, left))
        own.run_forever()
        own.close()

    threads = [threading.Thread(target=run, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_contexts_do_not_pile_up(loop, schedule):
    def contexts():
        gc.collect()
        return sum(type(each) is contextvars.Context for each in gc.get_objects())

    def keep_token(tokens):
        tokens.append(variable.set("kept"))

    def round_of_handles():
        tokens = []
        handles = [schedule(variable.set, "set") for _ in range(100)]
        contexts_asked_for = [handle._context for handle in handles[::3]]
        handles += [schedule(keep_token, tokens) for _ in range(100)]
        run_turns(loop, 3)
        assert len(contexts_asked_for) + len(tokens) == 134

    before = contexts()
    for _ in range(3):
        round_of_handles()
    # One may be in use by the thread itself.
    assert contexts() <= before + 1


def test_scheduling_makes_no_context(loop, loop_factory, schedule):
    """Guards the search for CPython's places, which gives up silently where they have changed."""
    if loop_factory is asyncio.SelectorEventLoop:
        pytest.skip("asyncio copies the context at once")

    def schedule_many():
        handles = [schedule(int) for _ in range(100)]
        kinds = {type(each) for each in gc.get_referents(*handles)}
        assert contextvars.Context not in kinds

    contextvars.copy_context().run(schedule_many)
    run_turns(loop, 2)
