"""Callbacks, handlers and destructors that reach back into the loop that is running them."""

import asyncio
import gc
import sys

import pytest
from differential import assert_same
from scenarios import scenarios_of

from loop_turns import run_turns


def running_the_loop_in_a_callback(loop, one):
    errors = []

    def run():
        # Not run_forever: the asyncio of 3.13.0 forgets that it runs when it refuses that.
        try:
            loop.run_until_complete(future)
        except RuntimeError as error:
            errors.append(str(error))

    future = loop.create_future()
    loop.call_soon(run)
    run_turns(loop)
    return errors


def running_the_loop_in_a_task(loop, one):
    async def body():
        loop.run_forever()

    task = loop.create_task(body())
    run_turns(loop, 3)
    return str(task.exception())


def running_another_loop_in_a_callback(loop, one):
    other = one.new_loop()
    errors = []

    def run():
        try:
            other.run_forever()
        except RuntimeError as error:
            errors.append(str(error))

    loop.call_soon(run)
    run_turns(loop)
    other.close()
    return errors


def running_another_loop_in_a_callback_by_force(loop, one):
    """Libraries that nest loops hide the running one."""
    other, order = one.new_loop(), []

    def run():
        asyncio._set_running_loop(None)
        try:
            order.append(other.run_until_complete(asyncio.sleep(0, "inner")))
        finally:
            asyncio._set_running_loop(loop)
        order.append(asyncio.get_running_loop() is loop)

    loop.call_soon(run)
    loop.call_soon(order.append, "outer")
    run_turns(loop)
    other.close()
    return order


def closing_the_loop_in_a_callback(loop, one):
    errors = []

    def close():
        try:
            loop.close()
        except RuntimeError as error:
            errors.append(str(error))

    loop.call_soon(close)
    run_turns(loop)
    return errors, loop.is_closed()


def stopping_in_every_kind_of_callback(loop, one):
    order = []
    future = loop.create_future()
    future.add_done_callback(lambda _: (order.append("done"), loop.stop()))
    loop.call_soon(lambda: (order.append("soon"), loop.stop(), future.set_result(None)))
    loop.call_later(0, lambda: (order.append("timer"), loop.stop()))
    for _ in range(5):
        run_turns(loop)
        order.append("|")
    return order


def scheduling_in_a_destructor(loop, one):
    order = []

    class Thing:
        def __del__(self):
            loop.call_soon(order.append, "from the destructor")

    loop.call_soon(lambda thing: None, Thing())
    loop.call_later(1000, print, Thing()).cancel()
    run_turns(loop, 3)
    return order


def cancelling_a_timer_in_the_destructor_of_another(loop, one):
    order = []

    class Thing:
        def __init__(self, handle):
            self.handle = handle

        def __del__(self):
            self.handle.cancel()
            order.append("destroyed")

    second = loop.call_later(0, order.append, "never")
    first = loop.call_later(100, print, Thing(second))
    first.cancel()
    del first
    run_turns(loop, 3)
    return order, second.cancelled()


def collecting_garbage_everywhere(loop, one):
    order = []

    class Collect:
        def __del__(self):
            gc.collect()

        def __eq__(self, other):
            gc.collect()
            return NotImplemented

        def __repr__(self):
            gc.collect()
            return "collect"

        def __str__(self):
            gc.collect()
            return "collect"

        def __call__(self, *_):
            gc.collect()
            order.append("called")

        __hash__ = object.__hash__

    async def body():
        gc.collect()
        await asyncio.sleep(0)
        gc.collect()
        return Collect()

    future = loop.create_future()
    future.add_done_callback(Collect())
    future.add_done_callback(Collect())
    future.remove_done_callback(Collect())
    loop.call_soon(Collect(), Collect())
    loop.call_later(0, Collect(), Collect())
    task = loop.create_task(body(), name=Collect())
    repr(task)
    future.set_result(Collect())
    repr(future)
    run_turns(loop, 5)
    return order, type(task.result()).__name__, task.get_name()


def changing_the_handler_in_the_handler(loop, one):
    order = []

    def first(loop, context):
        order.append("first")
        loop.set_exception_handler(second)
        loop.call_exception_handler({"message": "nested"})

    def second(loop, context):
        order.append(("second", context["message"].partition(" ")[0]))

    def fail():
        raise ValueError

    loop.set_exception_handler(first)
    loop.call_soon(fail)
    loop.call_soon(fail)
    run_turns(loop)
    return order


def changing_the_debug_mode_in_a_callback(loop, one):
    order = []

    def toggle():
        loop.set_debug(not loop.get_debug())
        order.append(loop.get_debug())

    async def body():
        for _ in range(3):
            toggle()
            await asyncio.sleep(0)

    loop.slow_callback_duration = 1000
    for _ in range(3):
        loop.call_soon(toggle)
    loop.call_later(0, toggle)
    loop.create_task(body())
    run_turns(loop, 6)
    loop.set_debug(False)
    return order


SCENARIOS = scenarios_of(sys.modules[__name__])


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)
def test_reaching_back_does_as_in_asyncio(scenario):
    assert_same(scenario)
