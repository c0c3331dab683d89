"""Exceptions of callbacks and handlers: who gets them, with which words, and what goes on."""

import asyncio
import logging
import re

import pytest

from loop_turns import run_turns


def fail(*_):
    raise ValueError("from the callback")


@pytest.fixture
def logged(caplog):
    """What asyncio's logger says."""
    caplog.set_level(logging.DEBUG, logger="asyncio")
    return caplog


def test_an_exception_of_a_callback_is_reported_and_the_turn_goes_on(loop, reports):
    order = []
    loop.call_soon(order.append, 1)
    handle = loop.call_soon(fail, 3)
    loop.call_soon(order.append, 2)
    run_turns(loop)
    assert order == [1, 2]
    (report,) = reports
    assert report["handle"] is handle
    assert isinstance(report["exception"], ValueError)
    assert re.match(r"Exception in callback fail\(.*\) at .*test_exceptions\.py", report["message"])
    assert sorted(report) == ["exception", "handle", "message"]


def test_an_exception_of_a_timer_is_reported(loop, reports):
    handle = loop.call_later(0, fail)
    loop.call_later(0.001, loop.stop)
    loop.run_forever()
    (report,) = reports
    assert report["handle"] is handle
    assert re.match(r"Exception in callback fail\(\) at", report["message"])


def test_an_exception_of_a_done_callback_is_reported(loop, reports):
    order = []
    future = loop.create_future()
    future.add_done_callback(fail)
    future.add_done_callback(order.append)
    future.set_result(1)
    run_turns(loop)
    assert order == [future]
    (report,) = reports
    assert re.match(r"Exception in callback fail\(.*\) at", report["message"])
    assert isinstance(report["handle"], asyncio.Handle)


def test_a_cancelled_error_of_a_callback_is_reported_too(loop, reports):
    def cancel():
        raise asyncio.CancelledError("lost")

    loop.call_soon(cancel)
    run_turns(loop)
    assert [type(report["exception"]) for report in reports] == [asyncio.CancelledError]


@pytest.mark.parametrize("error", [BaseException, GeneratorExit])
def test_any_other_base_exception_of_a_callback_is_reported(loop, reports, error):
    def leave():
        raise error("base")

    loop.call_soon(leave)
    run_turns(loop)
    assert [type(report["exception"]) for report in reports] == [error]


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize(
    "kind", ["callback", "timer", "done callback", "task", "exception handler"]
)
def test_an_exception_that_ends_the_program_leaves_the_loop_usable(loop, error, kind):
    order = []

    def leave(*_):
        raise error("now")

    async def leave_from_task():
        leave()

    if kind == "callback":
        loop.call_soon(leave)
    elif kind == "timer":
        loop.call_later(0, leave)
    elif kind == "done callback":
        future = loop.create_future()
        future.add_done_callback(leave)
        future.set_result(None)
    elif kind == "task":
        task = loop.create_task(leave_from_task())
    else:
        loop.set_exception_handler(leave)
        loop.call_soon(fail)
    loop.call_soon(order.append, "rest of the turn")
    with pytest.raises(error, match="now"):
        loop.run_forever()
    assert not loop.is_running()
    assert not loop.is_closed()
    run_turns(loop, 2)
    assert order == ["rest of the turn"]
    if kind == "task":
        assert isinstance(task.exception(), error)


def test_a_report_can_be_made_by_hand(loop, reports):
    context = {"message": "by hand", "more": 1}
    assert loop.call_exception_handler(context) is None
    assert reports == [context]


def test_the_handler_can_be_read_and_taken_away(loop):
    def handler(loop, context):
        pass

    assert loop.get_exception_handler() is None
    loop.set_exception_handler(handler)
    assert loop.get_exception_handler() is handler
    loop.set_exception_handler(None)
    assert loop.get_exception_handler() is None


@pytest.mark.parametrize("wrong", [3, "text", object(), [1]])
def test_a_handler_is_callable_or_none(loop, wrong):
    with pytest.raises(TypeError, match="A callable object or None is expected, got"):
        loop.set_exception_handler(wrong)


def test_without_a_handler_a_report_is_logged(loop, logged):
    loop.call_soon(fail)
    run_turns(loop)
    (record,) = logged.records
    assert record.levelno == logging.ERROR
    assert record.name == "asyncio"
    lines = record.getMessage().splitlines()
    assert re.match(r"Exception in callback fail\(\) at", lines[0])
    assert re.match(r"handle: <Handle fail\(\) at", lines[1])
    assert isinstance(record.exc_info[1], ValueError)


def test_the_default_handler_logs_every_key_in_order(loop, logged):
    loop.default_exception_handler({"message": "words", "zebra": 1, "ant": "two"})
    (record,) = logged.records
    assert record.getMessage() == "words\nant: 'two'\nzebra: 1"
    assert not record.exc_info


def test_the_default_handler_has_words_for_a_report_without(loop, logged):
    loop.call_exception_handler({})
    assert logged.records[0].getMessage() == "Unhandled exception in event loop"


def test_a_handler_that_raises_is_logged_with_what_it_was_called_for(loop, logged):
    def handler(loop, context):
        raise KeyError("from the handler")

    loop.set_exception_handler(handler)
    loop.call_soon(fail)
    run_turns(loop)
    (record,) = logged.records
    lines = record.getMessage().splitlines()
    assert lines[0] == "Unhandled error in exception handler"
    assert lines[1].startswith("context: {'message': 'Exception in callback fail()")
    assert isinstance(record.exc_info[1], KeyError)


def test_a_default_handler_that_raises_is_logged(loop, logged):
    def broken(context):
        raise KeyError("from the default handler")

    loop.default_exception_handler = broken
    loop.call_exception_handler({"message": "words"})
    (record,) = logged.records
    assert record.getMessage() == "Exception in default exception handler"
    assert isinstance(record.exc_info[1], KeyError)


def test_a_default_handler_that_raises_while_a_handler_has_raised_is_logged(loop, logged):
    def broken(*_):
        raise KeyError("broken")

    loop.default_exception_handler = broken
    loop.set_exception_handler(broken)
    loop.call_exception_handler({"message": "words"})
    (record,) = logged.records
    assert record.getMessage().startswith(
        "Exception in default exception handler while handling an unexpected error"
    )


def test_a_subclass_can_override_the_default_handler(loop):
    seen = []

    class Own(type(loop)):
        def default_exception_handler(self, context):
            seen.append(context["message"])

    own = Own()
    try:
        own.call_soon(fail)
        run_turns(own)
    finally:
        own.close()
    assert [message.partition(" at")[0] for message in seen] == ["Exception in callback fail()"]


def test_a_patched_exception_handler_method_gets_the_reports(loop):
    seen = []
    loop.call_exception_handler = seen.append
    loop.call_soon(fail)
    run_turns(loop)
    assert [type(context["exception"]) for context in seen] == [ValueError]


def test_the_traceback_of_a_tasks_exception_begins_at_its_coroutine(loop):
    async def inner():
        raise ValueError("deep")

    async def outer():
        await inner()

    task = loop.create_task(outer())
    loop.run_until_complete(asyncio.wait([task]))
    names = []
    traceback = task.exception().__traceback__
    while traceback:
        names.append(traceback.tb_frame.f_code.co_name)
        traceback = traceback.tb_next
    assert names[-2:] == ["outer", "inner"]
