"""The order in which callbacks run: call_soon, turns, run_until_complete, stop."""

import asyncio
import functools
import threading

import pytest


def run_turns(loop, turns):
    """Let the loop make this many turns."""

    def turn(left):
        if left:
            loop.call_soon(turn, left - 1)
        else:
            loop.stop()

    loop.call_soon(turn, turns - 1)
    loop.run_forever()


def count_turns(loop, coroutine):
    """How many turns the loop has begun when the coroutine, as a task, is done."""
    turns = 0
    done_at = None

    def tick():
        nonlocal turns
        turns += 1
        if done_at is None:
            loop.call_soon(tick)
        else:
            loop.stop()

    def done(task):
        nonlocal done_at
        done_at = turns

    loop.call_soon(tick)
    loop.create_task(coroutine).add_done_callback(done)
    loop.run_forever()
    return done_at


def test_callbacks_run_in_the_order_they_were_scheduled(loop):
    order = []
    for number in range(1000):
        loop.call_soon(order.append, number)
    run_turns(loop, 1)
    assert order == list(range(1000))


def test_a_callback_gets_its_arguments(loop):
    got = []
    loop.call_soon(lambda *arguments: got.append(arguments), 1, "two", None)
    loop.call_soon(lambda *arguments: got.append(arguments))
    run_turns(loop, 1)
    assert got == [(1, "two", None), ()]


def test_a_callback_can_be_anything_callable(loop):
    class Callable:
        def __call__(self, value):
            got.append(value)

        def method(self, value):
            got.append(value)

    got = []
    for callback in (Callable(), Callable().method, functools.partial(got.append), got.append):
        loop.call_soon(callback, 1)
    run_turns(loop, 1)
    assert got == [1] * 4


def test_what_a_callback_schedules_runs_in_the_next_turn(loop):
    order = []

    def first():
        order.append("first")
        loop.call_soon(order.append, "third")

    loop.call_soon(first)
    loop.call_soon(order.append, "second")
    run_turns(loop, 2)
    assert order == ["first", "second", "third"]


def test_a_turn_runs_what_was_ready_at_its_start_and_no_more(loop):
    order = []

    def chain(name, left):
        order.append((name, left))
        if left:
            loop.call_soon(chain, name, left - 1)

    loop.call_soon(chain, "a", 2)
    loop.call_soon(chain, "b", 2)
    run_turns(loop, 3)
    assert order == [("a", 2), ("b", 2), ("a", 1), ("b", 1), ("a", 0), ("b", 0)]


def test_a_cancelled_callback_does_not_run(loop):
    order = []
    loop.call_soon(order.append, 1).cancel()
    handle = loop.call_soon(order.append, 3)
    loop.call_soon(handle.cancel)
    late = None

    def cancel_late():
        late.cancel()

    loop.call_soon(cancel_late)
    late = loop.call_soon(order.append, 2)
    run_turns(loop, 2)
    assert order == [3]


def test_cancelling_a_handle_that_ran_changes_nothing(loop):
    order = []
    handle = loop.call_soon(order.append, 1)
    run_turns(loop, 1)
    handle.cancel()
    assert order == [1]


@pytest.mark.parametrize("method", ["call_soon", "call_soon_threadsafe"])
def test_scheduling_on_a_closed_loop_is_refused(loop, method):
    loop.close()
    with pytest.raises(RuntimeError, match="^Event loop is closed$"):
        getattr(loop, method)(print)


def test_scheduling_nothing_is_refused(loop):
    for arguments in ((), (print,)):
        with pytest.raises(TypeError):
            loop.call_soon(*arguments, unknown=1)
    with pytest.raises(TypeError):
        loop.call_soon()


def test_the_callback_cannot_be_given_by_a_wrong_name(loop):
    with pytest.raises(TypeError):
        loop.call_soon(function=print)


def test_stop_lets_the_current_turn_end(loop):
    order = []
    loop.call_soon(order.append, 1)
    loop.call_soon(loop.stop)
    loop.call_soon(order.append, 2)
    loop.call_soon(lambda: loop.call_soon(order.append, 3))
    loop.run_forever()
    assert order == [1, 2]
    run_turns(loop, 1)
    assert order == [1, 2, 3]


def test_stop_before_the_run_makes_it_one_turn_long(loop):
    order = []
    loop.call_soon(order.append, 1)
    loop.call_soon(lambda: loop.call_soon(order.append, 2))
    loop.stop()
    loop.run_forever()
    assert order == [1]


def test_stopping_twice_stops_once(loop):
    turns = []
    loop.call_soon(loop.stop)
    loop.call_soon(loop.stop)
    loop.run_forever()
    loop.call_soon(turns.append, 1)
    loop.call_soon(lambda: loop.call_soon(lambda: (turns.append(2), loop.stop())))
    loop.run_forever()
    assert turns == [1, 2]


def test_what_was_left_runs_first_in_the_next_run(loop):
    order = []
    loop.call_soon(lambda: (loop.stop(), loop.call_soon(order.append, "left")))
    loop.run_forever()
    loop.call_soon(order.append, "new")
    run_turns(loop, 1)
    assert order == ["left", "new"]


def test_run_until_complete_returns_the_result(loop):
    async def result():
        return 7

    future = loop.create_future()
    loop.call_soon(future.set_result, 8)
    assert loop.run_until_complete(result()) == 7
    assert loop.run_until_complete(future) == 8
    assert loop.run_until_complete(future) == 8


def test_run_until_complete_raises_the_exception(loop):
    async def fail():
        raise KeyError("no")

    with pytest.raises(KeyError, match="no"):
        loop.run_until_complete(fail())


def test_run_until_complete_of_a_stopped_loop_is_an_error(loop):
    future = loop.create_future()
    loop.call_soon(loop.stop)
    with pytest.raises(RuntimeError, match=r"^Event loop stopped before Future completed\.$"):
        loop.run_until_complete(future)
    future.set_result(1)
    assert loop.run_until_complete(future) == 1


@pytest.mark.parametrize("wrong", [None, 3, object(), print])
def test_run_until_complete_takes_awaitables_only(loop, wrong):
    with pytest.raises(TypeError, match="is required"):
        loop.run_until_complete(wrong)


def test_run_until_complete_takes_any_awaitable(loop):
    class Awaitable:
        def __await__(self):
            yield
            return 5

    assert loop.run_until_complete(Awaitable()) == 5


def test_run_until_complete_refuses_the_future_of_another_loop(loop, loop_factory):
    other = loop_factory()
    try:
        with pytest.raises(ValueError, match="The future belongs to a different loop"):
            loop.run_until_complete(other.create_future())
    finally:
        other.close()


def test_run_until_complete_leaves_no_callback_behind(loop):
    future = loop.create_future()
    loop.call_soon(loop.stop)
    with pytest.raises(RuntimeError):
        loop.run_until_complete(future)
    future.set_result(None)
    stopped_early = []
    loop.call_soon(lambda: loop.call_soon(lambda: (stopped_early.append(False), loop.stop())))
    loop.run_forever()
    assert stopped_early == [False]


@pytest.mark.parametrize(
    ("yields", "turns"), [(0, 2), (1, 3), (2, 4), (10, 12)], ids=lambda number: str(number)
)
def test_each_sleep_of_zero_takes_one_turn(loop, yields, turns):
    async def body():
        for _ in range(yields):
            await asyncio.sleep(0)

    assert count_turns(loop, body()) == turns


def test_awaiting_a_new_task_takes_two_turns(loop):
    async def child():
        return None

    async def body():
        await loop.create_task(child())

    assert count_turns(loop, body()) == 4


def test_awaiting_a_done_future_takes_no_turn(loop):
    future = loop.create_future()
    future.set_result(None)

    async def body():
        for _ in range(10):
            await future

    assert count_turns(loop, body()) == 2


def test_a_set_future_resumes_its_task_in_the_next_turn(loop):
    future = loop.create_future()

    async def body():
        loop.call_soon(future.set_result, None)
        await future

    assert count_turns(loop, body()) == 4


def test_tasks_begin_in_the_order_of_their_creation_among_callbacks(loop):
    order = []

    async def body(name):
        order.append(name)

    loop.call_soon(order.append, 1)
    tasks = [loop.create_task(body(2))]
    loop.call_soon(order.append, 3)
    tasks.append(loop.create_task(body(4)))
    run_turns(loop, 1)
    assert order == [1, 2, 3, 4]
    run_turns(loop, 1)
    assert all(task.done() for task in tasks)


def test_tasks_take_turns(loop):
    order = []

    async def body(name):
        for number in range(3):
            order.append((number, name))
            await asyncio.sleep(0)

    async def main():
        await asyncio.gather(*[body(name) for name in "abc"])

    loop.run_until_complete(main())
    assert order == sorted(order)


def test_a_call_from_another_thread_wakes_an_idle_loop(loop):
    thread = threading.Thread(target=loop.call_soon_threadsafe, args=(loop.stop,))
    loop.call_soon(thread.start)
    loop.run_forever()
    thread.join()


def test_a_call_from_another_thread_keeps_its_place(loop):
    order = []
    loop.call_soon(order.append, 1)
    loop.call_soon_threadsafe(order.append, 2)
    loop.call_soon(order.append, 3)
    loop.call_soon_threadsafe(order.append, 4)
    run_turns(loop, 1)
    assert order == [1, 2, 3, 4]


def test_a_call_from_another_thread_can_be_cancelled(loop):
    order = []
    handle = loop.call_soon_threadsafe(order.append, 1)
    assert isinstance(handle, asyncio.Handle)
    handle.cancel()
    run_turns(loop, 2)
    assert order == []


def test_a_loop_can_run_many_times(loop):
    async def result(number):
        await asyncio.sleep(0)
        return number

    assert [loop.run_until_complete(result(number)) for number in range(100)] == list(range(100))


def test_attributes_of_a_loop_can_be_set(loop):
    calls = []
    original = loop.call_soon

    def call_soon(callback, *arguments, **keywords):
        calls.append(callback)
        return original(callback, *arguments, **keywords)

    loop.call_soon = call_soon

    async def body():
        return 3

    assert loop.run_until_complete(body()) == 3
    # The first step of the task and the callback that stops the loop.
    assert len(calls) == 2
