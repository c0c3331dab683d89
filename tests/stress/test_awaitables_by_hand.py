"""Waits that nobody awaits to the end: thrown into, closed, dropped, driven by hand, at every step.

What asyncio's coroutines do in such hands, ours do: the same exceptions, and a primitive that is
left in the same state and serves the next one.
"""

import asyncio
import gc
import warnings

import pytest
from blocking import BLOCKINGS
from differential import assert_same_primitives

from loop_turns import run_turns


class Trouble(Exception):
    """What is thrown into an awaitable."""


class BaseTrouble(BaseException):
    """The same, of the kind that `except Exception` does not catch."""


def step(awaitable, method, *arguments):
    """What one step of an awaitable comes to."""
    try:
        given = getattr(awaitable, method)(*arguments)
    except StopIteration as stop:
        return ("returned", repr(stop.value))
    except BaseException as error:
        return ("raised", type(error), str(error))
    return ("waits" if asyncio.isfuture(given) else "gave", given is None)


def send(awaitable):
    return step(awaitable, "send", None)


def throw(error):
    return lambda awaitable: step(awaitable, "throw", error)


def close(awaitable):
    return step(awaitable, "close")


def drop(awaitable):
    """Does nothing: the awaitable is let go of after the last step."""


def iterate(awaitable):
    return step(awaitable.__await__(), "__next__")


STEPS = {
    "dropped": [drop],
    "closed before it began": [close],
    "thrown into before it began": [throw(Trouble("thrown"))],
    "cancelled before it began": [throw(asyncio.CancelledError("thrown"))],
    "closed twice": [close, close],
    "awaited after it was closed": [close, send],
    "dropped while it waits": [send, drop],
    "closed while it waits": [send, close],
    "closed twice while it waits": [send, close, close],
    "thrown into while it waits": [send, throw(Trouble("thrown"))],
    "thrown into by a base exception": [send, throw(BaseTrouble("thrown"))],
    "thrown into by a class": [send, throw(Trouble)],
    "cancelled while it waits": [send, throw(asyncio.CancelledError("thrown"))],
    "ended by GeneratorExit while it waits": [send, throw(GeneratorExit())],
    "continued though nobody woke it": [send, send],
    "thrown into after it was closed": [send, close, throw(Trouble("thrown"))],
    "continued after it was thrown into": [send, throw(Trouble("thrown")), send],
    "iterated over": [iterate],
    "iterated over and dropped": [iterate, drop],
}


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("hands", ["callback", "task"])
@pytest.mark.parametrize("steps", STEPS.values(), ids=STEPS.keys())
@pytest.mark.parametrize("blocking", BLOCKINGS, ids=lambda one: one.name)
def test_an_awaitable_driven_by_hand(blocking, steps, hands):
    def scenario(loop, one):
        results = []

        async def play_in_a_task():
            play()

        def play():
            primitive = blocking.make(one.api)
            awaitable = blocking.wait(primitive)
            results.extend(one_step(awaitable) for one_step in steps)
            del awaitable
            gc.collect()
            results.append(state_of(primitive))
            if not blocking.with_lock:
                loop.create_task(go_on(primitive))

        async def go_on(primitive):
            """The primitive serves the next one."""
            loop.call_soon(blocking.wake, primitive)
            try:
                results.append(repr(await blocking.wait(primitive)))
            except Exception as error:
                results.append(type(error))
            results.append(state_of(primitive))

        if hands == "callback":
            loop.call_soon(play)
        else:
            task = loop.create_task(play_in_a_task())
        run_turns(loop, 8)
        if hands == "task":
            task.result()
        return results

    assert_same_primitives(scenario)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("end", ["close", "throw", "drop", "cancel"])
@pytest.mark.parametrize("woken", [False, True], ids=["waiting", "woken"])
@pytest.mark.parametrize("blocking", BLOCKINGS, ids=lambda one: one.name)
def test_a_coroutine_that_waits_is_ended_from_outside(blocking, woken, end):
    """A coroutine that somebody other than a task drives ends while a task waits as well."""

    def scenario(loop, one):
        results = []

        async def body(primitive):
            try:
                results.append(repr(await blocking.wait(primitive)))
            except BaseException as error:
                results.append(type(error))
                raise

        def play():
            primitive = blocking.make(one.api)
            driven = body(primitive)
            results.append(send(driven))
            task = loop.create_task(body(primitive)) if not blocking.with_lock else None
            loop.call_soon(go_on, primitive, driven, task)

        def go_on(primitive, driven, task):
            if woken:
                try:
                    blocking.wake(primitive)
                except RuntimeError as error:  # A condition that does not hold its lock.
                    results.append(str(error))
            if end == "close":
                results.append(close(driven))
            elif end == "throw":
                results.append(throw(Trouble("thrown"))(driven))
            elif end == "cancel":
                results.append(throw(asyncio.CancelledError())(driven))
            del driven
            results.append(state_of(primitive))
            loop.call_later(0, finish, primitive, task)

        def finish(primitive, task):
            # A wake-up that the first one had is the second one's now.
            if task is not None:
                results.append((task.done(), task.cancel()))
            results.append(state_of(primitive))

        loop.call_soon(play)
        run_turns(loop, 8)
        return results

    assert_same_primitives(scenario)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("blocking", BLOCKINGS, ids=lambda one: one.name)
def test_what_waits_cannot_be_awaited_where_no_loop_runs(blocking):
    def scenario(loop, one):
        primitive = blocking.make(one.api)
        awaitable = blocking.wait(primitive)
        return send(awaitable), send(awaitable), state_of(primitive)

    assert_same_primitives(scenario)


@pytest.mark.parametrize("blocking", BLOCKINGS, ids=lambda one: one.name)
def test_what_is_never_awaited_is_warned_of_and_does_nothing(blocking):
    def scenario(loop, one):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            primitive = blocking.make(one.api)
            before = state_of(primitive)
            blocking.wait(primitive)
            gc.collect()
            after = state_of(primitive)
        return before == after, [(str(one.message), one.category) for one in caught]

    assert_same_primitives(scenario)


@pytest.mark.parametrize("blocking", BLOCKINGS, ids=lambda one: one.name)
def test_two_tasks_cannot_await_the_same_awaitable(blocking):
    def scenario(loop, one):
        results = []

        async def body(awaitable):
            try:
                results.append(repr(await awaitable))
            except RuntimeError as error:
                results.append(str(error))

        async def main():
            primitive = blocking.make(one.api)
            awaitable = blocking.wait(primitive)
            tasks = [loop.create_task(body(awaitable)) for _ in range(2)]
            await asyncio.sleep(0)
            results.append([task.done() for task in tasks])
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            results.append(state_of(primitive))

        loop.run_until_complete(main())
        return results

    assert_same_primitives(scenario)


def state_of(primitive):
    """What can be seen of a primitive, without the words that name its maker."""
    text = repr(primitive)
    seen = [text[text.index("[") :] if "[" in text else text.partition(" maxsize")[2]]
    for name in ("locked", "is_set", "qsize", "empty", "full"):
        if hasattr(primitive, name):
            seen.append(getattr(primitive, name)())
    for name in ("_getters", "_putters"):
        if hasattr(primitive, name):
            seen.append(len(getattr(primitive, name)))
    return seen
