"""`__init__` and `__setstate__` of objects that live: they begin anew, or nothing has changed.

What fails half way must not leave half of an object, and what is dropped on the way may come back.
"""

import asyncio
import gc
import ssl
import sys
import weakref

import pytest
from differential import ASYNCIO, GREENLOOP

import greenloop
from greenloop import _native
from loop_turns import run_turns

BOTH = pytest.mark.parametrize("one", [ASYNCIO, GREENLOOP], ids=lambda one: one.name)
# From then on a future refuses.
BEGINS_ANEW = pytest.mark.skipif(sys.version_info >= (3, 15), reason="refused")


@pytest.fixture
def loop(one):
    loop = one.new_loop()
    yield loop
    loop.close()


async def give(value=None):
    return value


# Handles.


@BOTH
@pytest.mark.parametrize("arguments", [5, None, object()])
def test_arguments_of_a_handle_that_are_no_sequence_are_reported_when_it_runs(loop, one, arguments):
    reports, calls = [], []
    loop.set_exception_handler(lambda loop, context: reports.append(context["exception"]))
    handle = loop.call_soon(lambda *given: calls.append(given), 2**100)
    handle.__init__(calls.append, arguments, loop)
    assert handle._args is arguments
    try:
        run_turns(loop, 2)
    except TypeError as error:
        # asyncio cannot show such a handle, and says so.
        reports.append(error)
    assert calls == []
    assert "iterable" in str(reports[0])


@BOTH
def test_a_handle_calls_back_with_the_items_of_any_iterable(loop, one):
    calls = []
    for arguments in ([1, 2], iter([3]), "ab", {5: 6}, ()):
        handle = loop.call_soon(print, "never")
        handle.__init__(lambda *given: calls.append(given), arguments, loop)
    run_turns(loop, 2)
    assert calls == [(1, 2), (3,), ("a", "b"), (5,), ()]


@BOTH
@pytest.mark.parametrize("name", ["call_soon", "call_later"])
def test_a_cancelled_handle_that_is_initialised_again_is_alive(loop, one, name):
    calls = []
    arguments = (0, print) if name == "call_later" else (print,)
    handle = getattr(loop, name)(*arguments)
    handle.cancel()
    again = (loop.time(),) if name == "call_later" else ()
    handle.__init__(*again, calls.append, ("called",), loop)
    assert not handle.cancelled()
    handle._run()
    assert calls == ["called"]


def test_a_handle_whose_loop_cannot_be_asked_stays_as_it_was():
    loop, calls = greenloop.new_event_loop(), []
    for handle in (loop.call_soon(calls.append, 1), loop.call_later(0, calls.append, 2)):
        again = (5.0,) if isinstance(handle, asyncio.TimerHandle) else ()
        with pytest.raises(AttributeError):
            handle.__init__(*again, print, ("never",), 5)
        assert handle._loop is loop and handle._args
    run_turns(loop, 3)
    loop.close()
    assert calls == [1, 2]


@BOTH
def test_an_argument_that_dies_may_initialise_its_handle_once_more(loop, one):
    calls = []

    class Argument:
        def __del__(self):
            handle.__init__(calls.append, ("last",), loop)

    handle = loop.call_soon(calls.append, Argument())
    handle.__init__(calls.append, ("first",), loop)
    gc.collect()
    run_turns(loop, 2)
    assert calls in (["last"], ["first"])
    assert isinstance(handle._args, tuple)


def test_a_handle_may_become_one_of_a_subclass():
    class Mine(greenloop.Handle):
        __slots__ = ()

    loop = greenloop.new_event_loop()
    loop.call_soon(lambda: handles.append(loop.call_soon(print)))
    handles = []
    run_turns(loop, 1)
    object.__dict__["__class__"].__set__(handles[0], Mine)
    handles[0].cancel()
    handles.clear()
    gc.collect()
    loop.close()


# Futures and tasks.


@BEGINS_ANEW
@BOTH
def test_a_future_that_begins_anew_is_pending_on_its_new_loop(loop, one):
    other = one.new_loop()
    future = one.future(loop=other)
    future.add_done_callback(print)
    future.set_exception(ValueError())
    future.__init__(loop=loop)
    assert future.get_loop() is loop and not future.done()
    assert not future._callbacks
    other.close()
    gone = weakref.ref(other)
    del other
    gc.collect()
    assert gone() is None


@BEGINS_ANEW
@BOTH
def test_a_result_that_dies_sees_a_future_that_has_begun_anew(loop, one):
    seen = []

    class Result:
        def __del__(self):
            seen.append((future._state, future.get_loop() is loop))
            future.add_done_callback(seen.append)

    other = one.new_loop()
    future = one.future(loop=other)
    future.set_result(Result())
    other.close()
    del other
    future.__init__(loop=loop)
    gc.collect()
    if one is GREENLOOP:
        assert seen == [("PENDING", True)]
        future.set_result(None)
        run_turns(loop, 2)
        assert seen[1:] == [future]


@BEGINS_ANEW
def test_a_future_that_cannot_begin_anew_stays_as_it_was():
    loop = greenloop.new_event_loop()
    for future in (
        loop.create_future(),
        loop.create_task(give()),
        greenloop.gather(loop.create_future()),
    ):
        arguments = ([],) if hasattr(future, "_children") else ()
        for wrong in (5, object()):
            with pytest.raises((AttributeError, TypeError)):
                future.__init__(*arguments, loop=wrong)
        assert future.get_loop() is loop
    run_turns(loop, 2)
    loop.close()


@BEGINS_ANEW
def test_a_task_that_is_given_no_coroutine_goes_on_with_its_own():
    class Name:
        def __str__(self):
            raise KeyError("no name")

    loop = greenloop.new_event_loop()
    task = loop.create_task(give("result"), name="first")
    with pytest.raises(TypeError, match="a coroutine was expected"):
        task.__init__(5, loop=loop)
    coroutine = give()
    with pytest.raises(KeyError):
        task.__init__(coroutine, loop=loop, name=Name())
    coroutine.close()
    assert task.get_name() == "first"
    assert loop.run_until_complete(task) == "result"
    loop.close()


@BEGINS_ANEW
@BOTH
def test_a_task_that_begins_anew_has_a_new_name_and_the_result_of_its_new_coroutine(loop, one):
    task = one.task(give("first"), loop=loop, name="first")
    loop.run_until_complete(task)
    task.__init__(give("second"), loop=loop)
    assert task.get_name() != "first"
    assert loop.run_until_complete(task) == "second"


# Primitives.


def waiting(loop, awaitable):
    """A task that waits."""
    task = loop.create_task(awaitable)
    run_turns(loop, 2)
    assert not task.done()
    return task


@BOTH
@pytest.mark.parametrize("kind", ["Lock", "Event", "Semaphore", "Condition", "Queue", "Barrier"])
def test_a_primitive_that_begins_anew_has_no_waiters(loop, one, kind):
    async def wait():
        if kind == "Condition":
            async with primitive:
                await primitive.wait()
        elif kind in ("Event", "Barrier"):
            await primitive.wait()
        elif kind == "Queue":
            await primitive.get()
        else:
            await primitive.acquire()
            await primitive.acquire()

    arguments = (2,) if kind == "Barrier" else ()
    primitive = getattr(one.api, kind)(*arguments)
    fresh = repr(getattr(one.api, kind)(*arguments)).partition(" at ")[2].partition(" ")[2]
    task = waiting(loop, wait())
    primitive.__init__(*arguments)
    assert repr(primitive).partition(" at ")[2].partition(" ")[2] == fresh
    for name in ("_waiters", "_getters"):
        assert not getattr(primitive, name, None)
    # The earlier waiter is woken by nobody, and can be cancelled as ever.
    run_turns(loop, 2)
    assert not task.done()
    task.cancel()
    try:
        loop.run_until_complete(asyncio.wait([task], timeout=1))
    finally:
        assert task.done()
        task.exception() if not task.cancelled() else None


@BOTH
def test_a_semaphore_that_begins_anew_has_its_new_value(loop, one):
    for kind in (one.api.Semaphore, one.api.BoundedSemaphore):
        semaphore = kind(1)
        with pytest.raises(ValueError, match="must be >= 0"):
            semaphore.__init__(-1)
        semaphore.__init__(3)
        assert semaphore._value == 3


class HalfALock:
    """What a condition cannot work with."""

    def locked(self):
        return False

    def acquire(self):
        pass


class OtherHalf:
    """The same, of which the first is missing that is asked for."""

    def acquire(self):
        pass

    def release(self):
        pass


@BOTH
def test_a_condition_that_is_given_half_a_lock_refuses_it(loop, one):
    async def use():
        async with condition:
            condition.notify_all()
        return condition.locked()

    condition = one.api.Condition()
    for half in (HalfALock(), OtherHalf(), 5, object()):
        with pytest.raises(AttributeError):
            condition.__init__(half)
        if one is GREENLOOP:
            assert loop.run_until_complete(use()) is False


@pytest.mark.parametrize("kind", ["Lock", "Event", "Semaphore", "Condition"])
def test_a_state_that_changes_while_it_is_set_is_set(kind):
    primitive = getattr(greenloop, kind)()
    before = primitive.__getstate__()

    class Mine(type(primitive)):
        def __setattr__(self, name, value):
            state[f"another after {name}"] = 5
            super().__setattr__(name, value)

    state = dict(before)
    mine = Mine()
    mine.__setstate__(state)
    assert repr(mine).partition("[")[2] == repr(primitive).partition("[")[2]


@BOTH
@pytest.mark.parametrize("kind", ["Lock", "Event"])
def test_waiters_that_are_set_to_what_they_were_still_wait(loop, one, kind):
    primitive = getattr(one.api, kind)()
    future = loop.create_future()
    if kind == "Lock":
        loop.run_until_complete(primitive.acquire())
        task = waiting(loop, primitive.acquire())
    else:
        task = waiting(loop, primitive.wait())
    primitive._waiters.append(future)
    for _ in range(3):
        primitive._waiters = (
            type(primitive._waiters)(primitive._waiters)
            if one is ASYNCIO
            else list(primitive._waiters)
        )
        gc.collect()
        assert len(primitive._waiters) == 2
    if kind == "Lock":
        primitive.release()
        loop.run_until_complete(task)
        primitive.release()
    else:
        primitive.set()
        loop.run_until_complete(task)
    assert future.done()


@BOTH
def test_a_wait_that_is_ended_by_hand_may_begin_anew(loop, one):
    async def get():
        return await queue.get()

    queue = one.api.Queue()
    tasks = [waiting(loop, get()) for _ in range(2)]
    for _ in range(3):
        tasks[0]._fut_waiter.set_result(None)
        run_turns(loop, 2)
        gc.collect()
        assert not tasks[0].done()
    for item in ("first", "second"):
        queue.put_nowait(item)
    loop.run_until_complete(asyncio.wait(tasks, timeout=1))
    assert sorted(task.result() for task in tasks) == ["first", "second"]


# Streams and connections.


@BOTH
def test_a_reader_that_begins_anew_is_empty(loop, one):
    reader = one.api.StreamReader(limit=5, loop=loop)
    reader.feed_data(b"data")
    reader.feed_eof()
    reader.set_exception(ValueError())
    for limit in (0, -1, "text", None):
        with pytest.raises((ValueError, TypeError)):
            reader.__init__(limit=limit, loop=loop)
    if one is GREENLOOP:
        assert reader._limit == 5 and reader._buffer == b"data"
    reader.__init__(loop=loop)
    assert reader._buffer == b"" and not reader.at_eof() and reader.exception() is None
    assert reader._limit == 2**16


def test_a_protocol_that_cannot_begin_anew_stays_as_it_was():
    loop = greenloop.new_event_loop()
    reader = greenloop.StreamReader(loop=loop)
    protocol = greenloop.StreamReaderProtocol(reader, loop=loop)
    for arguments in ((5, None, loop), (greenloop.StreamReader(loop=loop), None, 5)):
        with pytest.raises((TypeError, AttributeError)):
            protocol.__init__(*arguments)
        assert protocol._stream_reader is reader and protocol._loop is loop
    loop.close()


@BOTH
def test_a_writer_that_is_given_no_reader_refuses_it(loop, one):
    writer = one.api.StreamWriter(None, None, None, loop)
    with pytest.raises(AssertionError):
        writer.__init__(5, 5, 5, loop)
    if one is GREENLOOP:
        assert writer._transport is None and writer._protocol is None
    transport = type("Transport", (asyncio.Transport,), {"is_closing": lambda self: True})
    writer._transport = transport()


def test_a_tls_protocol_that_cannot_begin_anew_stays_as_it_was():
    class Context:
        def wrap_bio(self, *arguments, **keywords):
            raise KeyError("no object")

    class Another:
        def wrap_bio(self, *arguments, **keywords):
            return object()

    loop = greenloop.new_event_loop()
    context = ssl.create_default_context()
    context.check_hostname = False
    given = loop, asyncio.Protocol()
    protocol = _native.SSLProtocol(*given, context, None, False, "host")
    before = protocol._sslobj, protocol._incoming, protocol._outgoing, protocol._extra
    with pytest.raises(KeyError):
        protocol.__init__(*given, Context(), None, False, "host")
    with pytest.raises(ValueError, match="ssl_handshake_timeout"):
        protocol.__init__(*given, context, None, False, "other", True, -1)
    after = protocol._sslobj, protocol._incoming, protocol._outgoing, protocol._extra
    assert all(one is other for one, other in zip(before, after, strict=True))
    # An object that is not the interpreter's own is not shown memory, whatever was there before.
    protocol.__init__(*given, Another(), None, False, "host")
    with pytest.raises(AttributeError):
        protocol.connection_made(asyncio.Transport())
    loop.close()
