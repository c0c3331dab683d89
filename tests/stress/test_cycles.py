"""Reference cycles through tasks, futures, frames, callbacks and exceptions are collected."""

import asyncio
import contextvars
import gc
import sys
import weakref

import pytest

from loop_turns import run_turns


class Thing:
    """Something that can be referenced weakly."""


async def wait_for(future, *kept):
    await future


def cycle_of_task_and_future(loop, thing):
    future = loop.create_future()
    task = loop.create_task(wait_for(future, thing))
    task._log_destroy_pending = False
    future.task = task
    run_turns(loop, 2)


def cycle_of_a_task_in_its_own_frame(loop, thing):
    async def body():
        me = asyncio.current_task()  # noqa: F841
        mine = thing  # noqa: F841
        await loop.create_future()

    task = loop.create_task(body())
    task._log_destroy_pending = False
    run_turns(loop, 2)


def cycle_of_two_tasks(loop, thing):
    async def body(others):
        await asyncio.sleep(0)
        await others[0]

    others = []
    future = loop.create_future()
    first = loop.create_task(body([future]))
    others.append(first)
    second = loop.create_task(body(others))
    first.thing, first.other, second.other, future.other = thing, second, first, second
    first._log_destroy_pending = second._log_destroy_pending = False
    run_turns(loop, 3)


def cycle_of_a_future_and_its_callback(loop, thing):
    future = loop.create_future()
    future.add_done_callback(lambda _: (future, thing))


def cycle_of_a_future_and_many_callbacks(loop, thing):
    future = loop.create_future()
    for number in range(5):
        future.add_done_callback(lambda _, number=number: (future, thing, number))


def cycle_of_a_future_and_its_result(loop, thing):
    future = loop.create_future()
    future.set_result((future, thing))


def cycle_of_a_future_and_its_exception(loop, thing):
    future = loop.create_future()
    error = ValueError(future, thing)
    future.set_exception(error)
    future.exception()


def cycle_of_a_task_and_its_exceptions_traceback(loop, thing):
    async def body():
        mine = (asyncio.current_task(), thing)
        raise ValueError(mine)

    task = loop.create_task(body())
    run_turns(loop, 3)
    task.exception()


def cycle_of_a_cancelled_task(loop, thing):
    async def body():
        mine = (asyncio.current_task(), thing)  # noqa: F841
        await loop.create_future()

    task = loop.create_task(body())
    run_turns(loop, 2)
    task.cancel((task, thing))
    run_turns(loop, 4)
    assert task.cancelled()


def cycle_through_the_iterator_of_a_future(loop, thing):
    future = loop.create_future()
    iterator = iter(future)
    next(iterator)
    future.iterator, future.thing = iterator, thing


def cycle_through_an_iterator_that_never_began(loop, thing):
    future = loop.create_future()
    future.iterator, future.thing = iter(future), thing


def cycle_through_a_context(loop, thing):
    variable = contextvars.ContextVar("variable")
    context = contextvars.Context()
    future = loop.create_future()
    context.run(variable.set, (future, thing))
    future.add_done_callback(print, context=context)


def cycle_through_a_callback_handle(loop, thing):
    holder = Thing()
    holder.thing = thing
    holder.handle = loop.call_soon(lambda: holder)
    run_turns(loop, 2)


def cycle_through_a_cancelled_handle(loop, thing):
    holder = Thing()
    holder.thing = thing
    holder.handle = loop.call_soon(lambda: holder)
    holder.handle.cancel()
    run_turns(loop, 2)


def cycle_through_a_timer(loop, thing):
    holder = Thing()
    holder.thing = thing
    holder.handle = loop.call_later(0, lambda: holder)
    run_turns(loop, 3)


def cycle_through_a_cancelled_timer(loop, thing):
    holder = Thing()
    holder.thing = thing
    holder.handle = loop.call_later(1000, lambda: holder)
    holder.handle.cancel()


def cycle_through_a_gathering(loop, thing):
    future = loop.create_future()
    gathering = asyncio.gather(future, loop.create_future())
    gathering.thing, future.gathering = thing, gathering


def cycle_through_a_subclass(loop, thing):
    class Own(type(loop.create_future())):
        pass

    future = Own(loop=loop)
    future.me, future.thing = future, thing


def cycle_through_the_name_of_a_task(loop, thing):
    class Name(str):
        pass

    task = loop.create_task(wait_for(loop.create_future()))
    task._log_destroy_pending = False
    name = Name("name")
    name.task, name.thing = task, thing
    task.set_name(name)
    run_turns(loop, 2)


CYCLES = [value for name, value in list(globals().items()) if name.startswith("cycle_")]


@pytest.mark.parametrize("debug", [False, True], ids=["plain", "debug"])
@pytest.mark.parametrize("cycle", CYCLES, ids=lambda cycle: cycle.__name__)
def test_a_cycle_is_collected_while_the_loop_lives(loop, cycle, debug):
    loop.set_debug(debug)
    reports = []
    loop.set_exception_handler(lambda loop, context: reports.append(context["message"]))
    thing = Thing()
    reference = weakref.ref(thing)

    async def make(thing):
        cycle(loop, thing)

    cycle_in_loop = cycle is cycle_through_a_gathering
    if cycle_in_loop:
        loop.run_until_complete(make(thing))
    else:
        cycle(loop, thing)
    del thing
    sys.last_value = sys.last_traceback = None
    gc.collect()
    gc.collect()
    assert reference() is None
    assert reports == []


@pytest.mark.parametrize("cycle", CYCLES, ids=lambda cycle: cycle.__name__)
def test_a_cycle_is_collected_with_its_closed_loop(loop_factory, cycle):
    loop = loop_factory()
    thing = Thing()
    references = [weakref.ref(thing), weakref.ref(loop)]
    loop.thing = thing

    async def make(loop, thing):
        cycle(loop, thing)

    if cycle is cycle_through_a_gathering:
        loop.run_until_complete(make(loop, thing))
    else:
        cycle(loop, thing)
    loop.close()
    loop = thing = None
    gc.collect()
    gc.collect()
    assert [reference() for reference in references] == [None, None]


def test_a_loop_that_holds_itself_is_collected(loop_factory):
    loop = loop_factory()
    loop.me = loop
    loop.set_exception_handler(lambda loop, context: loop)
    loop.set_task_factory(lambda inner, coroutine, **keywords: loop)
    loop.call_soon(lambda: loop)
    loop.call_later(100, lambda: loop)
    reference = weakref.ref(loop)
    loop.close()
    loop = None
    gc.collect()
    assert reference() is None


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_loop_that_was_never_closed_is_collected_or_kept_but_never_crashes(loop_factory):
    loop = loop_factory()
    loop.call_soon(print)
    loop.call_later(100, print)
    future = loop.create_future()
    future.add_done_callback(lambda _: loop)
    loop = future = None
    gc.collect()


def test_nothing_of_a_finished_task_is_kept_by_its_loop(loop):
    """Without the collector: a finished task, its coroutine, result and exception go at once."""

    class Result(Thing):
        pass

    async def give():
        local = Thing()
        references.append(weakref.ref(local))
        await asyncio.sleep(0)
        result = Result()
        references.append(weakref.ref(result))
        return result

    references = []
    task = loop.create_task(give())
    references.append(weakref.ref(task))
    run_turns(loop, 5)
    gc.disable()
    try:
        assert task.done()
        del task
        assert [reference() for reference in references] == [None] * 3
    finally:
        gc.enable()
