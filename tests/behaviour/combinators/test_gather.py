"""`gather`: results in order, the first exception, and what a cancellation of either side does."""

import asyncio
import gc
import sys
import warnings
import weakref

import pytest


async def returns(value, turns=0):
    for _ in range(turns):
        await asyncio.sleep(0)
    return value


async def raises(error, turns=0):
    await returns(None, turns)
    raise error


async def forever():
    await asyncio.get_running_loop().create_future()


class PlainFuture(asyncio.futures._PyFuture):
    """A future without a line of C or Rust."""


def run(loop, body):
    return loop.run_until_complete(body())


# Results.


def test_results_are_in_the_order_of_the_arguments(combinators, loop):
    async def body():
        return await combinators.gather(returns(1, 3), returns(2), returns(3, 1))

    assert run(loop, body) == [1, 2, 3]


@pytest.mark.parametrize("count", [1, 2, 8, 9, 100])
def test_any_number_can_be_gathered(combinators, loop, count):
    async def body():
        return await combinators.gather(*[returns(number) for number in range(count)])

    assert run(loop, body) == list(range(count))


@pytest.mark.parametrize("count", [2, 20])
def test_the_same_argument_again_is_the_same_child(combinators, loop, count):
    async def body():
        coroutine, future = returns("a", 1), loop.create_future()
        loop.call_soon(future.set_result, "b")
        return await combinators.gather(*[coroutine, future] * count)

    assert run(loop, body) == ["a", "b"] * count


def test_arguments_that_are_equal_are_the_same_child(combinators, loop):
    class Equal:
        def __init__(self, value):
            self.value = value

        def __eq__(self, other):
            return isinstance(other, Equal)

        def __hash__(self):
            return 1

        def __await__(self):
            yield from asyncio.sleep(0).__await__()
            return self.value

    async def body():
        return await combinators.gather(Equal(1), returns(2), Equal(3))

    assert run(loop, body) == [1, 2, 1]


def test_futures_of_any_class_are_gathered_with_coroutines(combinators, loop):
    async def body():
        children = [PlainFuture(loop=loop), asyncio.futures._CFuture(loop=loop), returns(3)]
        children.append(loop.create_future())
        for place in (3, 0, 1):
            loop.call_soon(children[place].set_result, place)
        return await combinators.gather(*children)

    assert run(loop, body) == [0, 1, 3, 3]


def test_nothing_gathered_is_done_at_once(combinators, loop):
    async def body():
        outer = combinators.gather()
        assert outer.done()
        assert outer.get_loop() is loop
        return await outer

    assert run(loop, body) == []


def test_the_outer_future_is_done_two_turns_after_its_last_child_has_begun(combinators, loop):
    turns = []

    async def count():
        for turn in range(10):
            turns.append(turn)
            await asyncio.sleep(0)

    async def body():
        counting = asyncio.ensure_future(count())
        await combinators.gather(returns(1), returns(2))
        after = len(turns)
        counting.cancel()
        return after

    assert run(loop, body) == 3


def test_the_outer_future_tells_what_it_is(combinators, loop):
    async def body():
        outer = combinators.gather(forever(), returns(1))
        assert type(outer).__name__ == "_GatheringFuture"
        assert isinstance(outer, asyncio.Future)
        assert asyncio.isfuture(outer)
        assert repr(outer).startswith("<_GatheringFuture pending")
        assert len(outer._children) == 2
        assert outer._cancel_requested is False
        outer.cancel()
        assert outer._cancel_requested is True

    run(loop, body)


# Exceptions.


def test_the_first_exception_ends_it_and_the_others_go_on(combinators, loop, reports):
    seen = []

    async def goes_on():
        await returns(None, 5)
        seen.append("went on")

    async def body():
        with pytest.raises(KeyError, match="first"):
            await combinators.gather(
                goes_on(), raises(KeyError("first"), 1), raises(KeyError("later"), 2)
            )
        assert seen == []
        await returns(None, 8)

    run(loop, body)
    gc.collect()
    assert seen == ["went on"]
    assert reports == []  # The later exception counts as seen.


def test_exceptions_can_be_results(combinators, loop):
    error = KeyError("e")

    async def body():
        cancelled = loop.create_future()
        loop.call_soon(cancelled.cancel, "because")
        without_message = asyncio.ensure_future(forever())
        loop.call_soon(without_message.cancel)
        return await combinators.gather(
            returns(1), raises(error, 2), cancelled, without_message, return_exceptions=True
        )

    one, failure, cancellation, other = run(loop, body)
    assert (one, failure) == (1, error)
    assert (type(cancellation), cancellation.args) == (asyncio.CancelledError, ("because",))
    assert (type(other), other.args) == (asyncio.CancelledError, ("",))


def test_a_cancelled_child_raises_and_does_not_cancel(combinators, loop):
    async def body():
        child = asyncio.ensure_future(forever())
        loop.call_soon(child.cancel, "the child")
        outer = combinators.gather(child, returns(1))
        with pytest.raises(asyncio.CancelledError) as raised:
            await outer
        assert raised.value.args == ("the child",)
        assert not outer.cancelled()
        assert asyncio.current_task().cancelling() == 0

    run(loop, body)


def test_an_exception_nobody_waits_for_is_reported(combinators, loop, reports):
    async def body():
        combinators.gather(raises(KeyError("lost")))
        await returns(None, 4)
        gc.collect()

    run(loop, body)
    assert [report["message"] for report in reports] == [
        "_GatheringFuture exception was never retrieved"
    ]


# Cancelling.


@pytest.mark.parametrize("return_exceptions", [False, True])
def test_cancelling_reaches_every_child(combinators, loop, return_exceptions):
    seen = []

    async def child(number):
        try:
            await forever()
        except asyncio.CancelledError as error:
            seen.append((number, error.args))
            raise

    async def body():
        outer = combinators.gather(
            child(1), child(2), returns(3), return_exceptions=return_exceptions
        )
        await returns(None, 2)
        assert outer.cancel("stop") is True
        assert not outer.done()
        with pytest.raises(asyncio.CancelledError) as raised:
            await outer
        assert raised.value.args in [("stop",), ()]
        assert outer.done()
        assert outer.cancel() is False
        return raised.value.args

    run(loop, body)
    assert seen == [(1, ("stop",)), (2, ("stop",))]


def test_children_that_refuse_cannot_undo_the_cancellation(combinators, loop):
    async def refuses():
        try:
            await forever()
        except asyncio.CancelledError:
            return "refused"

    async def body():
        outer = combinators.gather(refuses(), return_exceptions=True)
        await returns(None, 1)
        outer.cancel()
        with pytest.raises(asyncio.CancelledError):
            await outer

    run(loop, body)


def test_cancelling_the_task_goes_through_nested_gatherings(combinators, loop):
    seen = []

    async def leaf():
        try:
            await forever()
        finally:
            seen.append("leaf")

    async def inner():
        await combinators.gather(leaf(), combinators.gather(leaf(), leaf()))

    async def body():
        task = asyncio.ensure_future(inner())
        await returns(None, 3)
        assert task.cancel("all") is True
        with pytest.raises(asyncio.CancelledError):
            await task

    run(loop, body)
    assert seen == ["leaf"] * 3


def test_cancelling_when_no_child_can_be_cancelled_says_so(combinators, loop):
    async def body():
        child = loop.create_future()
        outer = combinators.gather(child)
        child.set_result(1)
        assert outer.cancel() is False
        return await outer

    assert run(loop, body) == [1]


def test_storms_of_cancellations_leave_nothing_behind(combinators, loop, reports):
    async def body():
        for number in range(200):
            outer = combinators.gather(*[returns(one, one % 4) for one in range(10)])
            await returns(None, number % 5)
            if number % 2:
                outer.cancel()
            await asyncio.wait([outer])
            if not outer.cancelled():
                outer.exception()
        await returns(None, 5)
        return len(asyncio.all_tasks())

    assert run(loop, body) == 1
    gc.collect()
    assert reports == []


# What is refused.


def test_futures_of_two_loops_are_refused(combinators, loop, loop_factory):
    other = loop_factory()
    try:
        mine, foreign = loop.create_future(), other.create_future()
        with pytest.raises(ValueError) as raised:
            combinators.gather(mine, foreign)
        assert str(raised.value) == (
            "The future belongs to a different loop than the one specified as the loop argument"
        )
        mine.set_result(1)
        loop.run_until_complete(asyncio.sleep(0))
    finally:
        other.close()


def test_what_cannot_be_awaited_is_refused_and_those_before_go_on(combinators, loop, reports):
    ran = []

    async def before():
        ran.append(True)
        raise KeyError("counts as seen")

    async def body():
        with pytest.raises(TypeError, match="^An asyncio.Future, a coroutine or an awaitable is"):
            combinators.gather(before(), 1)
        await returns(None, 3)

    run(loop, body)
    gc.collect()
    assert ran == [True]
    assert reports == []


def test_what_cannot_be_hashed_is_refused(combinators, loop):
    async def body():
        with pytest.raises(TypeError, match="unhashable type: 'list'"):
            combinators.gather([])

    run(loop, body)


def test_unknown_keywords_are_refused(combinators):
    with pytest.raises(TypeError, match=r"^gather\(\) got an unexpected keyword argument 'loop'"):
        combinators.gather(loop=None)


def outside_of_a_loop(function, *arguments):
    """What a call does while no loop runs or is set: its outcome and its warnings."""
    asyncio.set_event_loop(None)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            outcome = type(function(*arguments)).__name__
        except RuntimeError as error:
            outcome = str(error)
    where = [
        (warning.category, str(warning.message), warning.filename)
        for warning in caught
        if "never awaited" not in str(warning.message)
    ]
    return outcome, where


@pytest.mark.filterwarnings("ignore:coroutine")
def test_without_a_loop_it_does_what_asyncio_does(combinators):
    assert outside_of_a_loop(combinators.gather) == outside_of_a_loop(asyncio.gather)
    ours, oracle = returns(1), returns(1)
    assert outside_of_a_loop(combinators.gather, ours) == outside_of_a_loop(asyncio.gather, oracle)
    ours.close()
    oracle.close()


# How tasks are made.


def test_a_task_factory_makes_the_children(combinators, loop):
    made = []

    def factory(loop, coroutine, **keywords):
        made.append(coroutine)
        return asyncio.Task(coroutine, loop=loop, **keywords)

    async def body():
        coroutines = [returns(1), returns(2)]
        assert await combinators.gather(*coroutines) == [1, 2]
        assert made[-2:] == coroutines

    loop.set_task_factory(factory)
    run(loop, body)


def test_an_overridden_create_task_makes_the_children(combinators, loop):
    made = []

    async def body():
        original = loop.create_task
        loop.create_task = lambda coroutine: made.append(coroutine) or original(coroutine)
        try:
            coroutine = returns(1)
            await combinators.gather(coroutine)
            assert made == [coroutine]
        finally:
            loop.create_task = original

    run(loop, body)


@pytest.mark.skipif(sys.version_info < (3, 12), reason="eager tasks came with 3.12")
def test_children_that_are_done_eagerly_need_no_turn(combinators, loop):
    async def body():
        loop.set_task_factory(asyncio.eager_task_factory)
        outer = combinators.gather(returns(1), returns(2))
        assert outer.done()
        failing = combinators.gather(returns(1, 1), raises(KeyError("now")))
        assert isinstance(failing.exception(), KeyError)
        mixed = combinators.gather(returns(1), returns(2, 1))
        assert not mixed.done()
        return await outer + await mixed

    assert run(loop, body) == [1, 2, 1, 2]


# What is held, and how long.


def test_children_and_results_are_let_go_of(combinators, loop):
    class Result:
        pass

    async def body():
        outer = combinators.gather(returns(Result()))
        child = weakref.ref(outer._children[0])
        result = weakref.ref((await outer)[0])
        del outer
        await returns(None, 2)
        gc.collect()
        return child(), result()

    assert run(loop, body) == (None, None)


def test_a_gathering_dropped_while_it_waits_is_collected_without_a_word(combinators, loop, reports):
    async def body():
        outer = combinators.gather(forever(), loop.create_future())
        outer = weakref.ref(outer)
        await returns(None, 2)
        for _ in range(3):
            gc.collect()
        return outer()

    assert run(loop, body) is None
    assert reports == []


def test_a_task_that_gathered_dies_without_the_collector(combinators, loop, reports):
    async def gathers():
        outer = combinators.gather(returns(1))
        await outer
        raise KeyError("its traceback holds the frame, and that the outer future")

    async def body():
        asyncio.ensure_future(gathers())
        gc.disable()
        try:
            await returns(None, 8)
            return len(reports)
        finally:
            gc.enable()

    assert run(loop, body) == 1


@pytest.mark.skipif(sys.version_info < (3, 14), reason="the graph came with 3.14")
def test_the_task_awaits_the_children(combinators, loop):
    async def body():
        child = loop.create_future()
        other = loop.create_future()
        outer = combinators.gather(child, other)
        assert child._asyncio_awaited_by == {asyncio.current_task()}
        child.set_result(1)
        await returns(None, 2)
        assert child._asyncio_awaited_by is None
        assert other._asyncio_awaited_by == {asyncio.current_task()}
        other.set_exception(KeyError())
        with pytest.raises(KeyError):
            await outer
        assert other._asyncio_awaited_by is None

    run(loop, body)
