"""Future: states, callbacks, reports, and everything that can be asked of one."""

import asyncio
import concurrent.futures
import contextvars
import copy
import gc
import pickle
import re
import sys
import threading
import weakref

import pytest

import greenloop


def turn(loop):
    """Let the loop make one turn."""
    loop.call_soon(loop.stop)
    loop.run_forever()


@pytest.fixture(params=["create_future", "own class", "asyncio's class", "subclass"])
def make(request, loop):
    """A way to make a future of the loop under test."""
    own = greenloop.Future if isinstance(loop, greenloop.EventLoop) else asyncio.Future

    class Subclass(own):
        pass

    return {
        "create_future": loop.create_future,
        "own class": lambda: own(loop=loop),
        "asyncio's class": lambda: asyncio.Future(loop=loop),
        "subclass": lambda: Subclass(loop=loop),
    }[request.param]


def test_a_future_is_an_asyncio_future(loop, make):
    future = make()
    assert isinstance(future, asyncio.Future)
    assert asyncio.isfuture(future)
    assert not isinstance(future, asyncio.Task)
    assert future.get_loop() is loop
    assert asyncio.ensure_future(future) is future
    assert asyncio.wrap_future(future) is future


def test_a_new_future_is_pending(make):
    future = make()
    assert not future.done()
    assert not future.cancelled()
    for read in (future.result, future.exception):
        with pytest.raises(asyncio.InvalidStateError, match="^(Result|Exception) is not set.$"):
            read()


def test_a_result_can_be_set_once(make):
    future = make()
    assert future.set_result(7) is None
    assert (future.done(), future.cancelled()) == (True, False)
    assert (future.result(), future.exception()) == (7, None)
    for change, value in ((future.set_result, 8), (future.set_exception, ValueError())):
        with pytest.raises(asyncio.InvalidStateError, match="^invalid state$"):
            change(value)
    assert future.cancel() is False
    assert future.result() == 7


def test_an_exception_can_be_set_once(make):
    future = make()
    error = ValueError("no")
    assert future.set_exception(error) is None
    assert (future.done(), future.cancelled()) == (True, False)
    assert future.exception() is error
    with pytest.raises(ValueError, match="^no$") as caught:
        future.result()
    assert caught.value is error
    with pytest.raises(asyncio.InvalidStateError):
        future.set_exception(error)


def test_an_exception_class_is_called(make):
    future = make()
    future.set_exception(ValueError)
    assert type(future.exception()) is ValueError
    assert future.exception().args == ()


@pytest.mark.parametrize("wrong", [None, 3, "text", object(), int, Exception])
def test_only_exceptions_can_be_set_as_one(make, wrong):
    future = make()
    if wrong is Exception:
        future.set_exception(wrong)
        assert isinstance(future.exception(), Exception)
    else:
        with pytest.raises(TypeError):
            future.set_exception(wrong)
        assert not future.done()


@pytest.mark.parametrize("error", [StopIteration, StopIteration(3)])
def test_a_stop_iteration_is_treated_as_by_asyncio(loop, make, error):
    """Some versions refuse it, others keep it as the cause of a RuntimeError."""

    def attempt(future):
        try:
            future.set_exception(error)
        except TypeError as refusal:
            return "refused", str(refusal)
        kept = future.exception()
        return type(kept), str(kept), type(kept.__cause__), type(kept.__context__)

    assert attempt(make()) == attempt(asyncio.Future(loop=loop))


def test_a_future_can_be_cancelled_once(make):
    future = make()
    assert future.cancel() is True
    assert (future.done(), future.cancelled()) == (True, True)
    for read in (future.result, future.exception):
        with pytest.raises(asyncio.CancelledError) as caught:
            read()
        assert caught.value.args == ()
    assert future.cancel() is False
    for change, value in ((future.set_result, 8), (future.set_exception, ValueError())):
        with pytest.raises(asyncio.InvalidStateError):
            change(value)


@pytest.mark.parametrize("message", ["why", 7, ("a", "b"), None])
def test_a_message_comes_with_the_cancellation(make, message):
    future = make()
    future.cancel(message)
    with pytest.raises(asyncio.CancelledError) as caught:
        future.result()
    assert caught.value.args == (() if message is None else (message,))


def test_a_cancel_message_can_be_given_by_name(make):
    future = make()
    future.cancel(msg="why")
    with pytest.raises(asyncio.CancelledError, match="^why$"):
        future.exception()


def test_callbacks_are_called_in_order_in_the_next_turn(loop, make):
    future, calls = make(), []
    for number in range(5):
        future.add_done_callback(lambda done, number=number: calls.append((number, done)))
    future.set_result(None)
    assert calls == []
    turn(loop)
    assert calls == [(number, future) for number in range(5)]


def test_a_callback_of_a_done_future_is_scheduled_at_once(loop, make):
    future, calls = make(), []
    future.set_result(None)
    assert future.add_done_callback(calls.append) is None
    assert calls == []
    turn(loop)
    assert calls == [future]


def test_the_same_callback_can_be_added_twice_and_is_removed_at_once(loop, make):
    future, calls = make(), []
    for callback in (calls.append, print, calls.append):
        future.add_done_callback(callback)
    assert future.remove_done_callback(calls.append) == 2
    assert future.remove_done_callback(calls.append) == 0
    assert future.remove_done_callback(print) == 1
    future.set_result(None)
    turn(loop)
    assert calls == []


@pytest.mark.parametrize("kept", [(), (0,), (1,), (2,), (0, 2), (0, 1, 2), (1, 2)])
def test_removing_keeps_the_order_of_the_others(loop, make, kept):
    future, calls = make(), []
    callbacks = [lambda done, number=number: calls.append(number) for number in range(3)]
    for callback in callbacks:
        future.add_done_callback(callback)
    for number in set(range(3)) - set(kept):
        assert future.remove_done_callback(callbacks[number]) == 1
    future.set_result(None)
    turn(loop)
    assert calls == list(kept)


def test_callbacks_are_compared_by_equality(loop, make):
    class Equal:
        def __init__(self, value):
            self.value = value

        def __eq__(self, other):
            return self.value == other.value

        __hash__ = None

        def __call__(self, future):
            calls.append(self.value)

    future, calls = make(), []
    for value in (1, 2, 1):
        future.add_done_callback(Equal(value))
    assert future.remove_done_callback(Equal(1)) == 2
    future.set_result(None)
    turn(loop)
    assert calls == [2]


def test_a_callback_added_by_a_callback_runs_a_turn_later(loop, make):
    future, calls = make(), []
    future.add_done_callback(lambda done: done.add_done_callback(lambda done: calls.append(2)))
    future.add_done_callback(lambda done: calls.append(1))
    future.set_result(None)
    turn(loop)
    assert calls == [1]
    turn(loop)
    assert calls == [1, 2]


def test_a_callback_runs_in_the_context_it_was_added_in(loop, make):
    variable = contextvars.ContextVar("variable", default="outside")
    future, seen = make(), []
    inside = contextvars.copy_context()
    inside.run(variable.set, "inside")
    given = contextvars.copy_context()
    given.run(variable.set, "given")
    inside.run(future.add_done_callback, lambda done: seen.append(variable.get()))
    future.add_done_callback(lambda done: seen.append(variable.get()), context=given)
    future.add_done_callback(lambda done: seen.append(variable.get()))
    future.set_result(None)
    turn(loop)
    assert seen == ["inside", "given", "outside"]


def test_the_context_of_a_callback_cannot_be_given_by_position(make):
    with pytest.raises(TypeError):
        make().add_done_callback(print, contextvars.Context())


def test_awaiting_gives_the_result(loop, make):
    async def body(future):
        return await future

    for value in (None, 7, StopIteration, (1, 2), ValueError("as a value"), ()):
        future = make()
        loop.call_soon(future.set_result, value)
        assert loop.run_until_complete(body(future)) is value
        assert loop.run_until_complete(body(future)) is value


def test_awaiting_raises_the_exception_itself(loop, make):
    async def body(future):
        await future

    future, error = make(), KeyError("no")
    loop.call_soon(future.set_exception, error)
    for _ in range(2):
        with pytest.raises(KeyError) as caught:
            loop.run_until_complete(body(future))
        assert caught.value is error


def test_awaiting_a_cancelled_future_raises_its_message(loop, make):
    async def body(future):
        with pytest.raises(asyncio.CancelledError) as caught:
            await future
        return caught.value.args

    future = make()
    loop.call_soon(future.cancel, "why")
    assert loop.run_until_complete(body(future)) == ("why",)


def test_many_tasks_can_await_one_future(loop, make):
    async def body(number):
        order.append((number, await future))

    async def main():
        await asyncio.gather(*[body(number) for number in range(5)])

    future, order = make(), []
    loop.call_soon(loop.call_soon, future.set_result, "x")
    loop.run_until_complete(main())
    assert order == [(number, "x") for number in range(5)]


def test_the_iterator_of_a_future_can_be_driven_by_hand(make):
    future = make()
    iterator = iter(future)
    assert next(iterator) is future
    assert future._asyncio_future_blocking is True
    with pytest.raises(RuntimeError, match="^await wasn't used with future$"):
        next(iterator)
    future.set_result(9)
    with pytest.raises(StopIteration) as caught:
        next(iter(future))
    assert caught.value.value == 9


@pytest.mark.parametrize("value", [None, 4, (1, 2), (), ValueError("value")])
def test_a_hand_driven_iterator_ends_with_a_plain_stop_iteration(make, value):
    future = make()
    iterator = future.__await__()
    assert iterator.send(None) is future
    future.set_result(value)
    with pytest.raises(StopIteration) as caught:
        iterator.send(None)
    assert type(caught.value) is StopIteration
    assert caught.value.value is value


def test_throwing_into_the_iterator_raises_there(make):
    future = make()
    iterator = iter(future)
    next(iterator)
    with pytest.raises(KeyError, match="thrown"):
        iterator.throw(KeyError("thrown"))
    assert not future.done()
    # The iterator of CPython 3.14's own future crashes here.
    if sys.version_info < (3, 14) or type(iterator).__module__ != "_asyncio":
        with pytest.raises(StopIteration):
            next(iterator)


@pytest.mark.parametrize("wrong", [3, "text", object(), None, int])
def test_only_exceptions_can_be_thrown_into_the_iterator(make, wrong):
    iterator = iter(make())
    next(iterator)
    with pytest.raises(TypeError):
        iterator.throw(wrong)


def test_the_iterator_can_be_closed(make):
    future = make()
    iterator = iter(future)
    next(iterator)
    assert iterator.close() is None
    assert iterator.close() is None


@pytest.mark.parametrize(
    ("finish", "pattern"),
    [
        (None, r"<(\w+ )?(Future|Subclass) pending>"),
        (("set_result", 7), r"<(Future|Subclass) finished result=7>"),
        (("set_result", "x" * 400), r"<(Future|Subclass) finished result='x+\.\.\.x+'>"),
        (("set_exception", ValueError("no")), r"<(Future|Subclass) finished exception=ValueErr.*>"),
        (("cancel",), r"<(Future|Subclass) cancelled>"),
    ],
)
def test_the_repr_tells_the_state(make, finish, pattern):
    future = make()
    if finish:
        getattr(future, finish[0])(*finish[1:])
    assert re.fullmatch(pattern, repr(future))
    if finish and finish[0] == "set_exception":
        future.exception()


def test_the_repr_tells_the_callbacks(make):
    def callback(future):
        pass

    future = make()
    for count, pattern in (
        (1, r".*callback\(\) at .*:\d+"),
        (2, r".*callback\(\) at .*:\d+, .*callback\(\) at .*:\d+"),
        (3, r".*callback\(\) at .*:\d+, <1 more>, .*callback\(\) at .*:\d+"),
        (4, r".*callback\(\) at .*:\d+, <2 more>, .*callback\(\) at .*:\d+"),
    ):
        future.add_done_callback(callback)
        assert re.fullmatch(rf"<(Future|Subclass) pending cb=\[{pattern}\]>", repr(future)), count


def test_a_future_in_debug_mode_knows_where_it_was_made(loop, make):
    assert make()._source_traceback is None
    loop.set_debug(True)
    future = make()
    assert any("test_futures.py" in frame.filename for frame in future._source_traceback)
    assert re.fullmatch(r"<(Future|Subclass) pending created at .*:\d+>", repr(future))


def test_an_exception_that_nobody_retrieves_is_reported(loop, make, reports):
    future, error = make(), ValueError("lost")
    future.set_exception(error)
    kind = type(future).__name__
    del future
    gc.collect()
    (report,) = reports
    assert report["message"] == f"{kind} exception was never retrieved"
    assert report["exception"] is error
    assert sorted(report) == ["exception", "future", "message"]


@pytest.mark.parametrize("retrieve", ["result", "exception"])
def test_an_exception_that_was_retrieved_is_not_reported(make, reports, retrieve):
    future = make()
    future.set_exception(ValueError("seen"))
    try:
        getattr(future, retrieve)()
    except ValueError:
        pass
    del future
    gc.collect()
    assert reports == []


def test_whether_an_exception_is_reported_can_be_turned_off_but_not_on(make, reports):
    future = make()
    assert future._log_traceback is False
    future.set_exception(ValueError("lost"))
    assert future._log_traceback is True
    with pytest.raises(ValueError, match="^_log_traceback can only be set to False$"):
        future._log_traceback = True
    future._log_traceback = False
    del future
    gc.collect()
    assert reports == []


def test_a_lost_exception_of_debug_mode_comes_with_its_origin(loop, make, reports):
    loop.set_debug(True)
    make().set_exception(ValueError("lost"))
    gc.collect()
    (report,) = reports
    assert sorted(report) == ["exception", "future", "message", "source_traceback"]


def test_private_state_that_libraries_read_is_there(make):
    future = make()
    assert future._state == "PENDING"
    assert future._result is None
    assert future._exception is None
    assert future._cancel_message is None
    assert future._callbacks is None or future._callbacks == []
    assert future._loop is future.get_loop()
    assert future._asyncio_future_blocking is False
    context = contextvars.copy_context()
    future.add_done_callback(print, context=context)
    assert list(future._callbacks) == [(print, context)]
    future.add_done_callback(len, context=context)
    assert list(future._callbacks) == [(print, context), (len, context)]
    future.cancel("why")
    assert future._state == "CANCELLED"
    assert future._cancel_message == "why"
    assert future._make_cancelled_error().args == ("why",)


def test_the_blocking_flag_can_be_set_but_not_deleted(make):
    future = make()
    future._asyncio_future_blocking = True
    assert future._asyncio_future_blocking is True
    future._asyncio_future_blocking = 0
    assert future._asyncio_future_blocking is False
    with pytest.raises(AttributeError):
        del future._asyncio_future_blocking
    with pytest.raises(AttributeError):
        del future._log_traceback


def test_a_future_can_be_referenced_weakly_and_has_attributes(make):
    future = make()
    assert weakref.ref(future)() is future
    future.label = "mine"
    assert future.label == "mine"
    with pytest.raises(AttributeError):
        future.other  # noqa: B018


def test_a_future_cannot_be_pickled_or_copied(make):
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        with pytest.raises(TypeError):
            pickle.dumps(make(), protocol)
    with pytest.raises(TypeError):
        copy.copy(make())


def test_a_future_is_hashed_and_compared_by_identity(make):
    one, other = make(), make()
    assert one != other
    assert one == one  # noqa: PLR0124
    assert len({one, other, one}) == 2


def test_the_class_can_be_subscripted(make):
    kind = type(make())
    assert kind[int].__args__ == (int,)


@pytest.mark.parametrize("arguments", [(1,), (None,)])
def test_a_future_takes_no_positional_argument(make, arguments):
    with pytest.raises(TypeError):
        type(make())(*arguments)


def test_a_future_without_a_loop_takes_the_running_one(loop, make):
    kind = type(make())

    async def body():
        return kind().get_loop()

    assert loop.run_until_complete(body()) is loop


def test_a_subclass_can_override_what_callers_use(loop):
    own = type(loop.create_future())

    class Loud(own):
        def __init__(self, *, loop):
            super().__init__(loop=loop)
            self.calls = []

        def set_result(self, value):
            self.calls.append(("set_result", value))
            super().set_result(value)

        def add_done_callback(self, callback, *, context=None):
            self.calls.append("add_done_callback")
            super().add_done_callback(callback, context=context)

        def cancel(self, msg=None):
            self.calls.append("cancel")
            return super().cancel(msg)

    async def body(future):
        return await future

    future = Loud(loop=loop)
    loop.call_soon(loop.call_soon, future.set_result, 3)
    assert loop.run_until_complete(body(future)) == 3
    assert future.calls == ["add_done_callback", ("set_result", 3)]

    async def wait():
        task = loop.create_task(body(future))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    future = Loud(loop=loop)
    loop.run_until_complete(wait())
    assert future.calls == ["add_done_callback", "cancel"]


def test_a_future_of_the_other_kind_can_be_awaited(loop):
    """Any object with the protocol can be awaited, such as asyncio's own Python Future."""

    async def body(future):
        return await future

    future = asyncio.futures._PyFuture(loop=loop)
    loop.call_soon(future.set_result, 5)
    assert loop.run_until_complete(body(future)) == 5


def test_a_future_of_another_loop_cannot_be_awaited(loop, loop_factory):
    async def body(future):
        await future

    other = loop_factory()
    try:
        with pytest.raises(RuntimeError, match="attached to a different loop"):
            loop.run_until_complete(body(other.create_future()))
    finally:
        other.close()


def test_the_future_of_a_thread_can_be_wrapped(loop):
    outer = concurrent.futures.Future()

    async def body():
        return await asyncio.wrap_future(outer)

    thread = threading.Thread(target=outer.set_result, args=(8,))
    loop.call_soon(thread.start)
    assert loop.run_until_complete(body()) == 8
    thread.join()


def test_cancelling_the_wrapping_cancels_the_wrapped(loop):
    outer = concurrent.futures.Future()
    inner = asyncio.wrap_future(outer, loop=loop)
    inner.cancel()
    turn(loop)
    assert outer.cancelled()
