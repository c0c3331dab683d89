"""`as_completed`: in the order of completion, by plain iteration and by `async for`."""

import asyncio
import gc
import sys
import weakref

import pytest

asynchronously = pytest.mark.skipif(
    sys.version_info < (3, 13), reason="asynchronous iteration came with 3.13"
)


async def returns(value, turns=0):
    for _ in range(turns):
        await asyncio.sleep(0)
    return value


async def raises(error, turns=0):
    await returns(None, turns)
    raise error


def run(loop, body):
    return loop.run_until_complete(body())


def test_the_first_to_be_done_comes_first(combinators, loop):
    async def body():
        delays = [5, 1, 3, 0]
        given = [returns(delay, delay) for delay in delays]
        return [await one for one in combinators.as_completed(given)]

    assert run(loop, body) == [0, 1, 3, 5]


def test_there_are_as_many_as_were_given_each_once(combinators, loop):
    async def body():
        task = asyncio.ensure_future(returns(1))
        return len(list_and_close(combinators.as_completed([task, task, returns(2)])))

    assert run(loop, body) == 2


def list_and_close(iterator):
    given = list(iterator)
    for one in given:
        one.close()
    return given


def test_nothing_gives_nothing(combinators, loop):
    async def body():
        return list(combinators.as_completed([]))

    assert run(loop, body) == []


def test_exceptions_are_raised_where_they_are_awaited(combinators, loop):
    async def body():
        seen = []
        for one in combinators.as_completed([returns(1, 2), raises(KeyError("k"), 1)]):
            try:
                seen.append(await one)
            except KeyError as error:
                seen.append(error.args)
        return seen

    assert run(loop, body) == [("k",), 1]


def test_what_is_given_out_can_be_awaited_in_any_order(combinators, loop):
    async def body():
        first, second = combinators.as_completed([returns("slow", 3), returns("fast", 1)])
        waiting = [asyncio.ensure_future(second), asyncio.ensure_future(first)]
        return [await task for task in waiting]

    # Whoever waits first gets the first that is done.
    assert run(loop, body) == ["fast", "slow"]


def test_time_that_runs_out_is_raised_by_each_of_the_rest(combinators, loop):
    async def body():
        seen = []
        slow = [loop.create_future(), loop.create_future()]
        for one in combinators.as_completed([*slow, returns(1)], timeout=0.01):
            try:
                seen.append(await one)
            except TimeoutError as error:
                seen.append(error.args)
        assert all(not future._callbacks for future in slow)
        return seen

    assert run(loop, body) == [1, (), ()]


def test_a_timer_that_is_not_needed_is_cancelled(combinators, loop):
    async def body():
        for one in combinators.as_completed([returns(1)], timeout=1000):
            await one
        return [handle for handle in loop._scheduled if not handle.cancelled()]

    assert run(loop, body) == []


def test_a_cancelled_wait_hands_on_what_it_was_woken_for(combinators, loop):
    async def body():
        future = loop.create_future()
        first, second = combinators.as_completed([future, loop.create_future()])
        waiting = [asyncio.ensure_future(first), asyncio.ensure_future(second)]
        await returns(None, 1)
        future.set_result("kept")
        await asyncio.sleep(0)
        waiting[0].cancel()
        await returns(None, 3)
        assert waiting[0].cancelled()
        return waiting[1].result()

    assert run(loop, body) == "kept"


def test_foreign_futures_are_waited_for(combinators, loop):
    async def body():
        future = asyncio.futures._PyFuture(loop=loop)
        loop.call_soon(future.set_result, "foreign")
        return [await one for one in combinators.as_completed([future])]

    assert run(loop, body) == ["foreign"]


def text_of_refusal(given):
    if sys.version_info >= (3, 13):
        return f"expects an iterable of awaitables, not {given}"
    return f"expect an iterable of futures, not {given}"


def test_one_awaitable_alone_is_refused(combinators, loop):
    async def body():
        coroutine = returns(1)
        for given in (loop.create_future(), coroutine):
            with pytest.raises(TypeError) as raised:
                list(combinators.as_completed(given))
            assert str(raised.value) == text_of_refusal(type(given).__name__)
        coroutine.close()

    run(loop, body)


@pytest.mark.skipif(sys.version_info >= (3, 13), reason="since 3.13 it begins at once")
def test_nothing_happens_before_the_first_is_asked_for(combinators, loop):
    async def body():
        future = loop.create_future()
        iterator = combinators.as_completed([future])
        assert future._callbacks in (None, [])
        one = next(iterator)
        assert len(future._callbacks) == 1
        one.close()
        iterator.close()
        with pytest.raises(StopIteration):
            next(iterator)

    run(loop, body)


@asynchronously
def test_asynchronous_iteration_gives_the_futures_themselves(combinators, loop):
    async def body():
        slow, fast = asyncio.ensure_future(returns(1, 3)), asyncio.ensure_future(returns(2, 1))
        return [one is fast async for one in combinators.as_completed([slow, fast])]

    assert run(loop, body) == [True, False]


@asynchronously
def test_asynchronous_iteration_gives_tasks_for_coroutines(combinators, loop):
    async def body():
        tasks = [one async for one in combinators.as_completed([returns(1), returns(2)])]
        assert all(isinstance(task, asyncio.Task) for task in tasks)
        return sorted(task.result() for task in tasks)

    assert run(loop, body) == [1, 2]


@asynchronously
def test_time_that_runs_out_ends_asynchronous_iteration(combinators, loop):
    async def body():
        seen = []
        with pytest.raises(TimeoutError):
            async for one in combinators.as_completed(
                [returns(1), loop.create_future()], timeout=0.01
            ):
                seen.append(one.result())
        return seen

    assert run(loop, body) == [1]


@asynchronously
def test_both_kinds_of_iteration_share_what_is_left(combinators, loop):
    async def body():
        iterator = combinators.as_completed([returns(1, 1), returns(2, 2), returns(3, 3)])
        assert iter(iterator) is iterator
        assert aiter(iterator) is iterator
        seen = [await next(iterator), (await anext(iterator)).result(), await next(iterator)]
        with pytest.raises(StopIteration):
            next(iterator)
        with pytest.raises(StopAsyncIteration):
            await anext(iterator)
        return seen

    assert run(loop, body) == [1, 2, 3]


@asynchronously
def test_the_place_is_taken_when_it_is_awaited(combinators, loop):
    async def body():
        iterator = combinators.as_completed([returns(1)])
        abandoned = anext(iterator)
        assert (await anext(iterator)).result() == 1
        with pytest.raises(StopAsyncIteration):
            await abandoned

    run(loop, body)


def test_an_iteration_that_is_left_is_collected(combinators, loop, reports):
    async def body():
        future = loop.create_future()
        iterator = combinators.as_completed([future], timeout=1000)
        waiting = next(iterator)
        reference = weakref.ref(future)
        waiting.close()
        for handle in loop._scheduled:
            handle.cancel()
        del iterator, waiting, future, handle
        await asyncio.sleep(0)
        for _ in range(3):
            gc.collect()
        return reference()

    assert run(loop, body) is None
    assert reports == []


@pytest.mark.skipif(sys.version_info < (3, 14), reason="the graph came with 3.14")
def test_the_task_awaits_the_futures(combinators, loop):
    async def body():
        one, other = loop.create_future(), loop.create_future()
        iterator = combinators.as_completed([one, other], timeout=0.01)
        assert one._asyncio_awaited_by == {asyncio.current_task()}
        one.set_result(1)
        await next(iterator)
        assert one._asyncio_awaited_by is None
        assert other._asyncio_awaited_by == {asyncio.current_task()}
        with pytest.raises(TimeoutError):
            await next(iterator)
        assert other._asyncio_awaited_by is None

    run(loop, body)
