"""Functions that asyncio builds from futures and loops in Python work with ours unchanged.

They are `run_coroutine_threadsafe`, `wrap_future`, `to_thread` and the race of `asyncio.staggered`.
"""

import asyncio
import asyncio.staggered
import concurrent.futures
import contextvars
import threading

import pytest


def in_a_thread(function):
    """Run a function in a thread; the future of its outcome."""
    outcome = concurrent.futures.Future()

    def body():
        try:
            outcome.set_result(function())
        except BaseException as error:
            outcome.set_exception(error)

    threading.Thread(target=body).start()
    return outcome


async def returns(value):
    await asyncio.sleep(0)
    return value


def test_a_thread_has_a_coroutine_run(loop):
    def ask():
        return asyncio.run_coroutine_threadsafe(returns(1), loop).result()

    async def body():
        return await asyncio.wrap_future(in_a_thread(ask))

    assert loop.run_until_complete(body()) == 1


def test_a_thread_gets_the_exception(loop):
    async def fails():
        raise KeyError("for the thread")

    def ask():
        with pytest.raises(KeyError, match="for the thread"):
            asyncio.run_coroutine_threadsafe(fails(), loop).result()
        return True

    async def body():
        return await asyncio.wrap_future(in_a_thread(ask))

    assert loop.run_until_complete(body()) is True


def test_a_thread_that_gives_up_cancels_the_task(loop):
    seen = []

    async def forever():
        seen.append(asyncio.current_task())
        await loop.create_future()

    def ask():
        future = asyncio.run_coroutine_threadsafe(forever(), loop)
        with pytest.raises(TimeoutError):
            future.result(timeout=0.01)
        return future.cancel()

    async def body():
        cancelled = await asyncio.wrap_future(in_a_thread(ask))
        await asyncio.wait(seen)
        return cancelled, seen[0].cancelled()

    assert loop.run_until_complete(body()) == (True, True)


def test_a_task_that_is_cancelled_cancels_the_threads_future(loop):
    async def cancels_itself():
        asyncio.current_task().cancel()
        await asyncio.sleep(0)

    def ask():
        with pytest.raises(concurrent.futures.CancelledError):
            asyncio.run_coroutine_threadsafe(cancels_itself(), loop).result()
        return True

    async def body():
        return await asyncio.wrap_future(in_a_thread(ask))

    assert loop.run_until_complete(body()) is True


def test_what_is_no_coroutine_is_refused(loop):
    with pytest.raises(TypeError, match="^A coroutine object is required$"):
        asyncio.run_coroutine_threadsafe(loop.create_future(), loop)


def test_cancelling_a_wrapped_future_cancels_the_original(loop):
    async def body():
        original = concurrent.futures.Future()
        wrapped = asyncio.wrap_future(original)
        assert asyncio.wrap_future(wrapped) is wrapped
        wrapped.cancel()
        await asyncio.sleep(0)
        return original.cancelled()

    assert loop.run_until_complete(body()) is True


def test_a_wrapped_future_can_be_gathered_and_shielded(combinators, loop):
    async def body():
        futures = [concurrent.futures.Future() for _ in range(2)]
        wrapped = [asyncio.wrap_future(future) for future in futures]
        outer = combinators.gather(combinators.shield(wrapped[0]), wrapped[1])
        for number, future in enumerate(futures):
            in_a_thread(lambda future=future, number=number: future.set_result(number))
        return await outer

    assert loop.run_until_complete(body()) == [0, 1]


def test_a_function_in_a_thread_sees_the_context(loop):
    variable = contextvars.ContextVar("variable")

    async def body():
        variable.set("seen")
        return await asyncio.to_thread(lambda: (variable.get(), threading.current_thread()))

    value, thread = loop.run_until_complete(body())
    assert value == "seen"
    assert thread is not threading.main_thread()


@pytest.mark.parametrize("delay", [None, 0, 0.001])
def test_the_race_of_happy_eyeballs(loop, delay):
    async def fails():
        raise OSError("refused")

    async def forever():
        await loop.create_future()

    async def body():
        # The second begins when the first has failed, the third when the second takes too long.
        contestants = [fails, lambda: returns("won"), forever]
        if delay is not None:
            contestants.insert(1, forever)
        winner, index, failures = await asyncio.staggered.staggered_race(contestants, delay)
        return winner, contestants[index] is contestants[-2], str(failures[0])

    assert loop.run_until_complete(body()) == ("won", True, "refused")
