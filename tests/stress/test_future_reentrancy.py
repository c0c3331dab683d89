"""Callbacks, comparisons and destructors that reach back into the future that has them run."""

import gc
import sys
import weakref

import pytest
from differential import ASYNCIO, GREENLOOP, assert_same
from scenarios import scenarios_of

from loop_turns import run_turns


def cancelling_the_future_one_waits_for_in_its_callback(loop, one):
    order = []
    future = loop.create_future()
    future.add_done_callback(lambda done: order.append(done.cancel()))

    async def body():
        return await future

    task = loop.create_task(body())
    run_turns(loop)
    future.set_result(3)
    run_turns(loop, 3)
    return order, task.result()


def adding_and_removing_callbacks_in_callbacks(loop, one):
    order = []
    future = loop.create_future()

    def first(done):
        order.append("first")
        order.append(done.remove_done_callback(second))
        done.add_done_callback(third)

    def second(done):
        order.append("second")

    def third(done):
        order.append("third")

    future.add_done_callback(first)
    future.add_done_callback(second)
    future.set_result(None)
    run_turns(loop, 3)
    return order


def adding_callbacks_while_they_are_compared(loop, one):
    """`__eq__` of a callback changes the very list that is being searched."""
    order = []

    class Callback:
        def __init__(self, number):
            self.number = number

        def __call__(self, future):
            order.append(self.number)

        def __eq__(self, other):
            if len(order) < 3:
                order.append("compared")
                future.add_done_callback(Callback(10 + self.number))
                future.remove_done_callback(future)
            return isinstance(other, Callback) and self.number == other.number

        __hash__ = None

    future = loop.create_future()
    for number in range(4):
        future.add_done_callback(Callback(number))
    order.append(future.remove_done_callback(Callback(2)) in (0, 1))
    future.set_result(None)
    run_turns(loop, 2)
    return [one for one in order if one == "compared"], order[-1] != "compared"


def finishing_a_future_while_its_callbacks_are_compared(loop, one):
    class Callback:
        def __call__(self, future):
            order.append("called")

        def __eq__(self, other):
            if not future.done():
                future.set_result(None)
            return True

        __hash__ = None

    order = []
    future = loop.create_future()
    for _ in range(3):
        future.add_done_callback(Callback())
    future.remove_done_callback(Callback())
    run_turns(loop, 2)
    return future.done(), len(order) <= 3


def finishing_a_future_in_the_destructor_of_its_result(loop, one):
    class Result:
        def __del__(self):
            other.set_result("from the destructor")

    other = loop.create_future()
    future = loop.create_future()
    future.set_result(Result())
    del future
    gc.collect()
    return other.result()


def dropping_everything_inside_a_callback(loop, one):
    holder = {}

    def drop():
        holder.clear()
        gc.collect()

    future = loop.create_future()
    holder["future"] = future
    holder["handle"] = loop.call_soon(drop)
    future.add_done_callback(lambda _: drop())
    future.set_result(None)
    reference = weakref.ref(future)
    del future
    run_turns(loop, 3)
    gc.collect()
    return reference() is None


def setting_results_of_each_other(loop, one):
    order = []
    futures = [loop.create_future() for _ in range(3)]
    for number, future in enumerate(futures):

        def done(_, number=number):
            order.append(number)
            following = futures[(number + 1) % 3]
            if not following.done():
                following.set_result(None)

        future.add_done_callback(done)
    futures[0].set_result(None)
    run_turns(loop, 5)
    return order


SCENARIOS = scenarios_of(sys.modules[__name__])


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)
def test_reaching_back_does_as_in_asyncio(scenario):
    assert_same(scenario)


@pytest.mark.parametrize("one", [ASYNCIO, GREENLOOP], ids=["asyncio", "greenloop"])
def test_deep_chains_of_callbacks_need_no_stack(one):
    """A future that finishes a future and so on: a hundred thousand deep."""
    loop = one.new_loop()
    futures = [loop.create_future() for _ in range(100_000)]
    for future, following in zip(futures, futures[1:], strict=False):
        future.add_done_callback(lambda _, following=following: following.set_result(None))
    futures[-1].add_done_callback(lambda _: loop.stop())
    futures[0].set_result(None)
    loop.run_forever()
    assert futures[-1].done()
    loop.close()
