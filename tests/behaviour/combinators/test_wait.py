"""`wait`: two sets of futures, for some or for all, and never later than the time given."""

import asyncio
import gc
import sys
import weakref

import pytest


async def returns(value, turns=0):
    for _ in range(turns):
        await asyncio.sleep(0)
    return value


async def raises(error, turns=0):
    await returns(None, turns)
    raise error


def run(loop, body):
    return loop.run_until_complete(body())


def callbacks(future):
    return len(future._callbacks or ())


@pytest.mark.parametrize(
    ("return_when", "expected"),
    [("FIRST_COMPLETED", "0"), ("FIRST_EXCEPTION", "01"), ("ALL_COMPLETED", "0123")],
)
def test_when_it_returns(combinators, loop, return_when, expected):
    async def body():
        tasks = [
            asyncio.ensure_future(returns(0, 1)),
            asyncio.ensure_future(raises(KeyError(), 3)),
            asyncio.ensure_future(returns(2, 7)),
            asyncio.ensure_future(raises(ValueError(), 9)),
        ]
        done, pending = await combinators.wait(tasks, return_when=return_when)
        assert (type(done), type(pending)) == (set, set)
        assert done | pending == set(tasks)
        assert done & pending == set()
        for task in pending:
            task.cancel()
        assert all(callbacks(task) == 0 for task in tasks)
        return "".join(str(tasks.index(task)) for task in sorted(done, key=tasks.index))

    assert run(loop, body) == expected


def test_a_cancellation_is_no_exception(combinators, loop):
    async def body():
        cancelled = loop.create_future()
        cancelled.cancel()
        slow = asyncio.ensure_future(returns(1, 3))
        done, pending = await combinators.wait([cancelled, slow], return_when="FIRST_EXCEPTION")
        return len(done), len(pending)

    assert run(loop, body) == (2, 0)


def test_it_returns_a_turn_after_being_told(combinators, loop):
    async def waits(future, turns):
        await combinators.wait([future])
        return len(turns)

    async def body():
        turns = []
        future = loop.create_future()
        task = asyncio.ensure_future(waits(future, turns))
        await asyncio.sleep(0)
        future.set_result(None)
        while not task.done():
            turns.append(None)
            await asyncio.sleep(0)
        return task.result()

    assert run(loop, body) == 2


def test_the_same_future_again_counts_once(combinators, loop):
    async def body():
        task = asyncio.ensure_future(returns(1))
        return await combinators.wait([task, task]) == ({task}, set())

    assert run(loop, body) is True


@pytest.mark.parametrize("collection", [list, tuple, set, frozenset, dict.fromkeys, iter])
def test_futures_come_in_any_iterable(combinators, loop, collection):
    async def body():
        tasks = [asyncio.ensure_future(returns(number)) for number in range(3)]
        done, pending = await combinators.wait(collection(tasks))
        return {task.result() for task in done}, pending

    assert run(loop, body) == ({0, 1, 2}, set())


def test_foreign_futures_are_waited_for(combinators, loop):
    async def body():
        ready, slow = asyncio.futures._PyFuture(loop=loop), asyncio.futures._CFuture(loop=loop)
        loop.call_soon(ready.set_result, None)
        done, pending = await combinators.wait([ready, slow], return_when="FIRST_COMPLETED")
        assert (done, pending) == ({ready}, {slow})
        assert callbacks(slow) == 0

    run(loop, body)


# Time.


@pytest.mark.parametrize("timeout", [0, -1, 0.001, 1e-9])
def test_what_is_not_done_in_time_is_pending(combinators, loop, timeout):
    async def body():
        future = loop.create_future()
        assert await combinators.wait([future], timeout=timeout) == (set(), {future})
        assert callbacks(future) == 0

    run(loop, body)


def test_a_timer_that_is_not_needed_is_cancelled(combinators, loop):
    async def body():
        task = asyncio.ensure_future(returns(1))
        await combinators.wait([task], timeout=1000)
        return [handle for handle in loop._scheduled if not handle.cancelled()]

    assert run(loop, body) == []


def test_a_timeout_can_be_any_number(combinators, loop):
    from fractions import Fraction

    async def body():
        future = loop.create_future()
        done, _ = await combinators.wait([future], timeout=Fraction(1, 1000))
        return done

    assert run(loop, body) == set()


def test_a_timeout_that_is_no_number_raises(combinators, loop):
    async def body():
        with pytest.raises(TypeError):
            await combinators.wait([loop.create_future()], timeout="1")

    run(loop, body)


# Cancelling.


def test_a_cancelled_wait_leaves_the_futures_alone(combinators, loop):
    async def body():
        future = loop.create_future()
        task = asyncio.ensure_future(combinators.wait([future], timeout=1000))
        await returns(None, 1)
        assert callbacks(future) == 1
        task.cancel("why")
        with pytest.raises(asyncio.CancelledError) as raised:
            await task
        assert raised.value.args == ("why",)
        assert not future.done()
        assert callbacks(future) == 0
        assert [handle for handle in loop._scheduled if not handle.cancelled()] == []

    run(loop, body)


def test_a_cancellation_in_the_turn_of_the_last_future_wins(combinators, loop):
    async def body():
        future = loop.create_future()
        task = asyncio.ensure_future(combinators.wait([future]))
        await returns(None, 1)
        future.set_result(None)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run(loop, body)


def test_an_exception_that_ended_a_cancelled_wait_counts_as_seen(combinators, loop, reports):
    async def body():
        failing, other = loop.create_future(), loop.create_future()
        waiting = combinators.wait([failing, other], return_when="FIRST_EXCEPTION")
        task = asyncio.ensure_future(waiting)
        await returns(None, 1)
        task.cancel()
        failing.set_exception(KeyError())
        await returns(None, 3)
        assert task.cancelled()
        del failing, other, waiting, task
        gc.collect()

    run(loop, body)
    assert reports == []


# What is refused, and when.


@pytest.mark.parametrize(
    ("futures", "error", "text"),
    [
        (lambda loop: [], ValueError, "Set of Tasks/Futures is empty."),
        (lambda loop: loop.create_future(), TypeError, "expect a list of futures, not Future"),
        (lambda loop: iter([]), AssertionError, "Set of Futures is empty."),
        (lambda loop: [1], AttributeError, "'int' object has no attribute 'add_done_callback'"),
        (lambda loop: 1, TypeError, "'int' object is not iterable"),
    ],
)
def test_what_cannot_be_waited_for_is_refused(combinators, loop, futures, error, text):
    async def body():
        waiting = combinators.wait(futures(loop))
        with pytest.raises(error) as raised:
            await waiting
        return str(raised.value)

    assert run(loop, body) == text


def test_coroutines_are_refused(combinators, loop):
    async def body():
        coroutine = returns(1)
        with pytest.raises(TypeError) as raised:
            await combinators.wait(coroutine)
        assert str(raised.value) == "expect a list of futures, not coroutine"
        with pytest.raises(TypeError) as raised:
            await combinators.wait([coroutine])
        assert str(raised.value) == "Passing coroutines is forbidden, use tasks explicitly."
        coroutine.close()

    run(loop, body)


def test_a_wrong_return_when_is_refused(combinators, loop):
    async def body():
        with pytest.raises(ValueError, match="^Invalid return_when value: 1$"):
            await combinators.wait([loop.create_future()], return_when=1)

    run(loop, body)


@pytest.mark.filterwarnings("ignore:coroutine")
def test_nothing_happens_before_it_is_awaited(combinators, loop):
    async def body():
        future = loop.create_future()
        waiting = combinators.wait([future])
        assert asyncio.iscoroutine(waiting)
        assert callbacks(future) == 0
        waiting.close()

    run(loop, body)


def test_without_a_running_loop_it_raises(combinators, loop):
    waiting = combinators.wait([loop.create_future()])
    with pytest.raises(RuntimeError, match="^no running event loop$"):
        waiting.send(None)


# What is held, and how long.


def test_futures_are_let_go_of(combinators, loop):
    async def body():
        task = asyncio.ensure_future(returns(1))
        reference = weakref.ref(task)
        await combinators.wait({task}, timeout=1000)
        del task
        await returns(None, 2)
        gc.collect()
        return reference()

    assert run(loop, body) is None


def test_a_wait_for_what_nobody_finishes_is_collected(combinators, loop, reports):
    async def body():
        task = loop.create_task(combinators.wait([loop.create_future()]))
        task._log_destroy_pending = False
        reference = weakref.ref(task)
        await returns(None, 2)
        del task
        for _ in range(3):
            gc.collect()
        return reference()

    assert run(loop, body) is None
    assert reports == []


@pytest.mark.skipif(sys.version_info < (3, 14), reason="the graph came with 3.14")
def test_the_task_awaits_the_futures(combinators, loop):
    async def body():
        one, other = loop.create_future(), loop.create_future()
        task = asyncio.ensure_future(combinators.wait([one, other]))
        await returns(None, 1)
        assert one._asyncio_awaited_by == {task}
        one.set_result(1)
        await returns(None, 1)
        assert one._asyncio_awaited_by is None
        assert other._asyncio_awaited_by == {task}
        task.cancel()
        await returns(None, 2)
        assert other._asyncio_awaited_by is None

    run(loop, body)
