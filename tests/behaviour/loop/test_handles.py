"""Handle and TimerHandle: asyncio's whole surface."""

import asyncio
import contextvars
import re
import sys
import weakref

import pytest


def callback(*_):
    pass


def test_handles_are_of_asyncios_kinds(loop):
    assert isinstance(loop.call_soon(callback), asyncio.Handle)
    assert not isinstance(loop.call_soon(callback), asyncio.TimerHandle)
    assert isinstance(loop.call_soon_threadsafe(callback), asyncio.Handle)
    assert isinstance(loop.call_later(1, callback), asyncio.TimerHandle)
    assert isinstance(loop.call_at(1, callback), asyncio.TimerHandle)


def test_cancelling_is_remembered_and_can_be_repeated(loop):
    for handle in (loop.call_soon(callback), loop.call_later(1, callback)):
        assert handle.cancelled() is False
        assert handle.cancel() is None
        assert handle.cancelled() is True
        handle.cancel()
        assert handle.cancelled() is True


def test_a_handle_that_ran_is_not_cancelled(loop):
    handles = [loop.call_soon(callback), loop.call_later(0, callback)]
    loop.call_soon(loop.call_soon, loop.stop)
    loop.run_forever()
    assert [handle.cancelled() for handle in handles] == [False, False]


def test_a_handle_can_cancel_itself_while_it_runs(loop):
    ran = []

    def run():
        handle.cancel()
        ran.append(handle.cancelled())
        loop.stop()

    handle = loop.call_soon(run)
    loop.run_forever()
    assert ran == [True]


@pytest.mark.parametrize("debug", [False, True])
def test_the_repr_names_callback_and_place(loop, debug):
    loop.set_debug(debug)
    handle = loop.call_soon(callback, 1, "two")
    line = callback.__code__.co_firstlineno
    created = r" created at .*test_handles\.py:\d+" if debug else ""
    # Newer versions of Python show the arguments in debug mode only.
    assert re.fullmatch(
        rf"<Handle callback\((1, 'two')?\) at .*test_handles\.py:{line}{created}>", repr(handle)
    )
    like_asyncio = repr(asyncio.Handle(callback, (1, "two"), loop))
    assert repr(handle).partition(" created")[0] == like_asyncio.partition(" created")[0]


def test_the_repr_of_a_cancelled_handle_has_lost_its_callback(loop):
    handle = loop.call_soon(callback)
    handle.cancel()
    assert repr(handle) == "<Handle cancelled>"


def test_a_cancelled_handle_remembers_its_callback_in_debug_mode(loop):
    loop.set_debug(True)
    handle = loop.call_soon(callback, 1)
    handle.cancel()
    assert re.fullmatch(
        r"<Handle cancelled callback\(1\) at .*:\d+ created at .*:\d+>", repr(handle)
    )


def test_the_repr_of_a_timer_tells_when(loop):
    handle = loop.call_at(123, callback)
    assert re.fullmatch(r"<TimerHandle when=123 callback\(\) at .*:\d+>", repr(handle))
    handle.cancel()
    assert repr(handle) == "<TimerHandle cancelled when=123>"


def test_timers_compare_by_deadline(loop):
    early, late, same = (loop.call_at(when, callback) for when in (1.0, 2.0, 1.0))
    assert early < late
    assert early <= late
    assert late > early
    assert late >= early
    assert early <= same
    assert early >= same
    assert not early < same
    assert early == early  # noqa: PLR0124
    assert early == same
    assert early != late
    assert hash(early) == hash(same) == hash(1.0)
    assert (early == 1.0) is False
    with pytest.raises(TypeError):
        early < 1.0  # noqa: B015


def test_cancelled_and_live_timers_of_one_deadline_differ(loop):
    one, other = loop.call_at(1.0, callback), loop.call_at(1.0, callback)
    other.cancel()
    assert one != other


def test_handles_can_be_referenced_weakly(loop):
    for handle in (loop.call_soon(callback), loop.call_later(1, callback)):
        assert weakref.ref(handle)() is handle


@pytest.mark.skipif(sys.version_info < (3, 12), reason="get_context is new in Python 3.12")
def test_a_handle_gives_its_context(loop):
    context = contextvars.Context()
    assert loop.call_soon(callback, context=context).get_context() is context
    assert loop.call_later(1, callback, context=context).get_context() is context
    assert isinstance(loop.call_soon(callback).get_context(), contextvars.Context)


def test_a_hand_made_handle_is_as_good(loop):
    ran = []
    asyncio.Handle(ran.append, (1,), loop)._run()
    assert ran == [1]
    timer = asyncio.TimerHandle(5.0, ran.append, (1,), loop)
    assert timer.when() == 5.0
    assert timer < loop.call_at(6.0, callback)
