"""Re-entrancy: callbacks and tasks that reach back into the loop that is running them."""

import asyncio
import gc
import types
import weakref

import pytest
from differential import ASYNCIO, GREENLOOP, assert_same


def run_turns(loop, turns=1):
    for _ in range(turns):
        loop.call_soon(loop.stop)
        loop.run_forever()


async def forever():
    await asyncio.get_running_loop().create_future()


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


SCENARIOS = [
    value
    for name, value in list(globals().items())
    if isinstance(value, types.FunctionType)
    and value.__module__ == __name__
    and value.__code__.co_varnames[:2] == ("loop", "one")
]


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
