"""A loop's life: new, running, stopped, closed; which loop is the running one; re-entrancy."""

import asyncio
import gc
import re
import weakref

import pytest


async def nothing():
    pass


def test_a_loop_is_an_abstract_event_loop(loop):
    assert isinstance(loop, asyncio.AbstractEventLoop)


def test_the_states_of_a_loop(loop):
    states = []

    def look():
        states.append((loop.is_running(), loop.is_closed()))
        loop.stop()

    assert (loop.is_running(), loop.is_closed()) == (False, False)
    loop.call_soon(look)
    loop.run_forever()
    assert states == [(True, False)]
    assert (loop.is_running(), loop.is_closed()) == (False, False)
    assert loop.close() is None
    assert (loop.is_running(), loop.is_closed()) == (False, True)


def test_the_repr_tells_the_states(loop):
    name = type(loop).__name__
    assert re.fullmatch(rf"<{name} running=False closed=False debug=False>", repr(loop))
    loop.set_debug(True)
    loop.close()
    assert re.fullmatch(rf"<{name} running=False closed=True debug=True>", repr(loop))


def test_closing_twice_closes_once(loop):
    loop.close()
    loop.close()
    assert loop.is_closed()


@pytest.mark.parametrize("method", ["run_forever", "run_until_complete"])
def test_a_closed_loop_does_not_run(loop, method):
    loop.close()
    coroutine = nothing()
    arguments = (coroutine,) if method == "run_until_complete" else ()
    with pytest.raises(RuntimeError, match="^Event loop is closed$"):
        getattr(loop, method)(*arguments)
    coroutine.close()


def test_a_closed_loop_still_answers(loop):
    loop.close()
    assert isinstance(loop.time(), float)
    assert loop.get_debug() is False
    assert loop.get_task_factory() is None
    assert loop.get_exception_handler() is None
    assert loop.create_future().get_loop() is loop
    assert loop.stop() is None


def test_a_running_loop_cannot_be_closed(loop):
    errors = []

    def close():
        try:
            loop.close()
        except RuntimeError as error:
            errors.append(str(error))
        loop.stop()

    loop.call_soon(close)
    loop.run_forever()
    assert errors == ["Cannot close a running event loop"]
    assert not loop.is_closed()


@pytest.mark.parametrize("method", ["run_forever", "run_until_complete"])
def test_a_running_loop_cannot_be_run(loop, method):
    errors = []

    def run():
        coroutine = nothing()
        arguments = (coroutine,) if method == "run_until_complete" else ()
        try:
            getattr(loop, method)(*arguments)
        except RuntimeError as error:
            errors.append(str(error))
        coroutine.close()
        loop.stop()

    loop.call_soon(run)
    loop.run_forever()
    assert errors == ["This event loop is already running"]


def test_another_loop_cannot_be_run_meanwhile(loop, loop_factory):
    errors, other = [], loop_factory()

    def run():
        try:
            other.run_forever()
        except RuntimeError as error:
            errors.append(str(error))
        loop.stop()

    loop.call_soon(run)
    loop.run_forever()
    assert errors == ["Cannot run the event loop while another loop is running"]
    assert not other.is_running()
    other.run_until_complete(nothing())
    other.close()


def test_the_running_loop_is_known(loop):
    async def main():
        return asyncio.get_running_loop(), asyncio.get_event_loop()

    assert loop.run_until_complete(main()) == (loop, loop)
    with pytest.raises(RuntimeError, match="^no running event loop$"):
        asyncio.get_running_loop()


def test_another_loop_can_run_when_the_first_has_stopped(loop, loop_factory):
    other = loop_factory()
    loop.call_soon(loop.stop)
    loop.run_forever()
    other.run_until_complete(nothing())
    loop.run_until_complete(nothing())
    other.close()


def test_closing_forgets_what_was_scheduled(loop):
    class Thing:
        pass

    things = [Thing() for _ in range(3)]
    references = [weakref.ref(thing) for thing in things]
    loop.call_soon(print, things[0])
    loop.call_later(100, print, things[1])
    loop.call_soon_threadsafe(print, things[2])
    del things
    loop.close()
    gc.collect()
    assert [reference() for reference in references] == [None] * 3


def test_a_closed_loop_can_be_collected(loop_factory):
    loop = loop_factory()
    reference = weakref.ref(loop)
    loop.run_until_complete(nothing())
    loop.close()
    del loop
    gc.collect()
    assert reference() is None


def test_a_future_outlives_its_loop(loop):
    future = loop.create_future()
    other = loop.create_future()
    other.add_done_callback(print)
    loop.close()
    future.set_result(1)
    assert future.result() == 1
    with pytest.raises(RuntimeError, match="^Event loop is closed$"):
        other.set_result(1)


def test_loops_are_independent(loop, loop_factory):
    other, order = loop_factory(), []
    loop.call_soon(order.append, "first")
    other.call_soon(order.append, "second")
    for one in (other, loop):
        one.call_soon(one.stop)
        one.run_forever()
    assert order == ["second", "first"]
    other.close()


def test_a_subclass_can_wrap_every_method(loop):
    calls = []

    class Own(type(loop)):
        def call_soon(self, callback, *arguments, context=None):
            calls.append("call_soon")
            return super().call_soon(callback, *arguments, context=context)

        def create_future(self):
            calls.append("create_future")
            return super().create_future()

        def create_task(self, coroutine, **keywords):
            calls.append("create_task")
            return super().create_task(coroutine, **keywords)

    async def main():
        future = own.create_future()
        own.call_soon(future.set_result, 3)
        return await future

    own = Own()
    try:
        assert own.run_until_complete(main()) == 3
    finally:
        own.close()
    assert calls[0] == "create_task"
    assert calls.count("create_future") == 1
    # The task's first step, set_result, the wake-up, and the callback of run_until_complete.
    assert calls.count("call_soon") == 4


def test_a_subclass_that_never_calls_init_raises_and_does_not_crash(loop):
    class Careless(type(loop)):
        def __init__(self):
            pass

        def __del__(self):
            pass

    careless = Careless()
    coroutine = nothing()
    for method, arguments in (
        ("call_soon", (print,)),
        ("call_soon_threadsafe", (print,)),
        ("call_later", (1, print)),
        ("call_at", (1, print)),
        ("run_forever", ()),
        ("run_until_complete", (coroutine,)),
        ("create_task", (coroutine,)),
        ("create_future", ()),
        ("close", ()),
        ("add_reader", (0, print)),
    ):
        with pytest.raises((AttributeError, RuntimeError)):
            getattr(careless, method)(*arguments)
    coroutine.close()
