"""Future: its states, its reports, and everything else that can be asked of one."""

import asyncio
import contextvars
import copy
import gc
import pickle
import re
import weakref

import pytest


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
