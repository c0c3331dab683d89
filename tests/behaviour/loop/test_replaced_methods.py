"""Functions that programs put in the place of methods of asyncio's classes are called, at any time.

Tracing products wrap the methods of `BaseEventLoop`, monitors replace `Handle._run`, tests patch
anything.
"""

import asyncio
import functools
import signal
import socket
import sys

import pytest

from greenloop import _native

MOMENTS = ["before the loop is made", "while it is idle", "while it runs"]


@pytest.fixture
def wrap(monkeypatch):
    """Wraps a method of a class; returns the list of the objects that it is called on."""

    def wrap(owner, name):
        receivers = []
        original = getattr(owner, name)

        @functools.wraps(original)
        def wrapper(self, *arguments, **keywords):
            receivers.append(self)
            return original(self, *arguments, **keywords)

        monkeypatch.setattr(owner, name, wrapper)
        return receivers

    return wrap


@pytest.fixture(params=MOMENTS)
def run_wrapped(request, loop_factory, wrap):
    """Runs a program on a loop while a method is wrapped, from one moment on."""

    def run(owner_of, name, program):
        made = []

        def wrap_now():
            made.append(wrap(owner_of(made[0]) if made else owner_of(loop_factory()), name))

        async def main():
            if request.param == "while it runs":
                wrap_now()
                # Up to Python 3.11 it is seen from the next turn on.
                await asyncio.sleep(0)
            await program(asyncio.get_running_loop())

        if request.param == "before the loop is made":
            probe = loop_factory()
            probe.close()
            receivers = wrap(owner_of(probe), name)
            loop = loop_factory()
        else:
            loop = loop_factory()
            made.append(loop)
            if request.param == "while it is idle":
                receivers = wrap(owner_of(loop), name)
        try:
            loop.run_until_complete(main())
        finally:
            loop.close()
        if request.param == "while it runs":
            receivers = made[1]
        return loop, receivers

    return run


async def wait_in_many_ways(loop):
    """Has the loop run a job of each kind, and checks that each has done its work."""
    ran = []
    loop.call_soon(ran.append, "soon")
    loop.call_later(0, ran.append, "later")
    await asyncio.sleep(0)
    await asyncio.sleep(0.001)
    async with asyncio.timeout(10):
        await asyncio.sleep(0)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.001):
            await loop.create_future()
    await asyncio.gather(asyncio.sleep(0), asyncio.sleep(0.001))
    await loop.run_in_executor(None, ran.append, "thread")
    near, far = socket.socketpair()
    with far:
        reader, writer = await asyncio.open_connection(sock=near)
        far.sendall(b"text\n")
        assert await reader.readline() == b"text\n"
        writer.close()
        await writer.wait_closed()
    event = asyncio.Event()
    loop.call_soon_threadsafe(event.set)
    await event.wait()
    assert ran == ["soon", "later", "thread"]


async def take_connections(loop):
    """Uses what servers and connections use."""

    async def answer(reader, writer):
        writer.write(await reader.readline())
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        address = server.sockets[0].getsockname()
        reader, writer = await asyncio.open_connection(*address)
        writer.write(b"text\n")
        assert await reader.readline() == b"text\n"
        writer.close()
        await writer.wait_closed()


async def fail(loop):
    """Lets a callback raise."""
    loop.set_exception_handler(lambda loop, context: None)
    loop.call_soon(lambda: 1 / 0)
    await asyncio.sleep(0)


def test_every_job_is_run_by_a_replaced_run_of_handles(run_wrapped):
    loop, handles = run_wrapped(lambda _: asyncio.events.Handle, "_run", wait_in_many_ways)
    assert all(isinstance(handle, asyncio.Handle) for handle in handles)
    assert {handle._loop for handle in handles} == {loop}
    assert len(handles) >= 15


def test_a_replaced_run_of_handles_knows_the_task_that_a_handle_steps(loop_factory, wrap):
    handles = wrap(asyncio.events.Handle, "_run")

    async def main():
        await asyncio.sleep(0)
        return asyncio.current_task()

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        task = runner.get_loop().create_task(main())
        assert runner.get_loop().run_until_complete(task) is task
    steps = [handle for handle in handles if getattr(handle._callback, "__self__", None) is task]
    assert len(steps) == 2


def test_what_a_replaced_run_of_handles_raises_ends_the_loop(loop, monkeypatch):
    def refuse(handle):
        raise LookupError("not run")

    loop.call_soon(int)
    with monkeypatch.context() as patched:
        patched.setattr(asyncio.events.Handle, "_run", refuse)
        with pytest.raises(LookupError, match="not run"):
            loop.run_forever()
    assert not loop.is_running()


def test_an_undone_wrapper_is_called_no_more(loop_factory, monkeypatch):
    original, calls = asyncio.events.Handle._run, []
    loop = loop_factory()
    with monkeypatch.context() as patched:
        patched.setattr(asyncio.events.Handle, "_run", lambda h: (calls.append(h), original(h)))
        create_task = asyncio.BaseEventLoop.create_task
        patched.setattr(
            asyncio.BaseEventLoop,
            "create_task",
            lambda self, *arguments, **keywords: (
                calls.append(self),
                create_task(self, *arguments, **keywords),
            )[1],
        )
        loop.run_until_complete(asyncio.sleep(0))
        assert loop in calls
    calls.clear()
    loop.run_until_complete(asyncio.sleep(0))
    assert calls == []
    loop.close()


@pytest.mark.parametrize(
    ("name", "program"),
    [
        ("call_at", wait_in_many_ways),
        ("call_later", wait_in_many_ways),
        ("call_soon", wait_in_many_ways),
        ("call_soon_threadsafe", wait_in_many_ways),
        ("create_future", wait_in_many_ways),
        ("create_task", wait_in_many_ways),
        ("run_in_executor", wait_in_many_ways),
        ("time", wait_in_many_ways),
        ("_run_once", wait_in_many_ways),
        ("call_exception_handler", fail),
        ("create_server", take_connections),
        ("create_connection", take_connections),
    ],
)
@pytest.mark.parametrize(
    "owner_of",
    [lambda _: asyncio.BaseEventLoop, type],
    ids=["of asyncio's class", "of its own class"],
)
def test_a_wrapped_method_is_called(run_wrapped, owner_of, name, program):
    loop, receivers = run_wrapped(owner_of, name, program)
    assert receivers
    assert set(receivers) == {loop}


@pytest.mark.parametrize("name", ["run_forever", "run_until_complete"])
def test_what_runs_a_loop_can_be_wrapped(loop, wrap, name):
    receivers = wrap(asyncio.BaseEventLoop, name)
    loop.run_until_complete(wait_in_many_ways(loop))
    assert receivers == [loop]


def test_a_task_of_a_wrapped_method_is_the_one_that_is_run(loop_factory, monkeypatch):
    """As tracing products do: the coroutine is put into another one, and its context is kept."""
    original = asyncio.BaseEventLoop.create_task
    order = []

    def create_task(self, coroutine, **keywords):
        async def traced():
            order.append("begin")
            try:
                return await coroutine
            finally:
                order.append("end")

        return original(self, traced(), **keywords)

    monkeypatch.setattr(asyncio.BaseEventLoop, "create_task", create_task)

    async def main():
        return await asyncio.create_task(asyncio.sleep(0, "result"), name="mine")

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        assert runner.run(main()) == "result"
        assert order == ["begin", "begin", "end", "end"]


@pytest.mark.parametrize("name", ["call_soon", "call_later", "create_task", "run_until_complete"])
@pytest.mark.parametrize(
    "owner_of",
    [lambda _: asyncio.BaseEventLoop, type],
    ids=["of asyncio's class", "of its own class"],
)
def test_a_method_wrapped_while_the_loop_is_idle_is_called_once(loop, wrap, owner_of, name):
    arguments = {
        "call_soon": lambda: [int],
        "call_later": lambda: [0, int],
        "create_task": lambda: [asyncio.sleep(0)],
        "run_until_complete": lambda: [asyncio.sleep(0)],
    }
    loop.run_until_complete(asyncio.sleep(0))
    receivers = wrap(owner_of(loop), name)
    for calls in 1, 2:
        getattr(loop, name)(*arguments[name]())
        assert receivers == [loop] * calls
    loop.run_until_complete(asyncio.sleep(0.001))


@pytest.mark.parametrize("owner", asyncio.SelectorEventLoop.__mro__[:3])
def test_a_wrapped_close_is_called_and_closes(loop_factory, wrap, owner):
    loop = loop_factory()
    loop.add_signal_handler(signal.SIGUSR1, int)
    handle = loop.call_later(1000, int)
    loop.run_until_complete(loop.run_in_executor(None, int))
    executor = loop._default_executor
    receivers = wrap(owner, "close")
    loop.close()
    assert receivers == [loop]
    assert loop.is_closed()
    assert executor._shutdown
    assert signal.getsignal(signal.SIGUSR1) is signal.SIG_DFL
    assert not loop._scheduled
    assert handle.when() > 0
    with pytest.raises(RuntimeError, match="closed"):
        loop.call_soon(int)
    loop.close()
    assert set(receivers) == {loop}


def test_a_running_loop_calls_a_wrapper_as_long_as_it_is_there(loop, monkeypatch):
    originals = {
        name: getattr(asyncio.BaseEventLoop, name) for name in ("call_soon", "create_task")
    }
    calls = []

    def wrapper(name):
        def wrapped(self, *arguments, **keywords):
            calls.append(name)
            return originals[name](self, *arguments, **keywords)

        return wrapped

    async def main():
        for _ in range(3):
            with monkeypatch.context() as patched:
                for name in originals:
                    patched.setattr(asyncio.BaseEventLoop, name, wrapper(name))
                await asyncio.sleep(0)
                await asyncio.create_task(asyncio.sleep(0))
                assert set(calls) == {"call_soon", "create_task"}
            await asyncio.sleep(0)
            calls.clear()
            await asyncio.create_task(asyncio.sleep(0))
            assert not calls

    loop.run_until_complete(main())


@pytest.mark.parametrize(
    "name", ["_run_forever_setup", "_run_forever_cleanup", "_set_coroutine_origin_tracking"]
)
@pytest.mark.parametrize("debug", [False, True])
def test_how_a_run_begins_and_ends_can_be_wrapped(loop, wrap, name, debug):
    if not hasattr(asyncio.BaseEventLoop, name):
        pytest.skip("this version of asyncio has no such method")
    before = sys.get_asyncgen_hooks(), sys.get_coroutine_origin_tracking_depth()
    receivers = wrap(asyncio.BaseEventLoop, name)
    loop.set_debug(debug)

    async def main():
        generator = forever()
        await anext(generator)
        return generator.ag_running, sys.get_coroutine_origin_tracking_depth() > 0

    async def forever():
        while True:
            yield

    for _ in range(2):
        assert loop.run_until_complete(main()) == (False, debug)
        assert not loop.is_running()
        assert (sys.get_asyncgen_hooks(), sys.get_coroutine_origin_tracking_depth()) == before
    loop.run_until_complete(loop.shutdown_asyncgens())
    assert set(receivers) == {loop}


def test_changed_code_of_a_function_is_seen_by_new_loops(loop_factory):
    """Some tracing products leave asyncio's function in its place and change what it does."""
    function = asyncio.BaseEventLoop.create_task
    code = function.__code__
    calls = []

    def create_task(self, coro, *, name=None, context=None, **others):
        self.noted.append(coro)
        return tasks.Task(coro, loop=self)  # noqa: F821 - a global of asyncio's module

    function.__code__ = create_task.__code__
    keywords, function.__kwdefaults__ = function.__kwdefaults__, create_task.__kwdefaults__
    try:
        loop = loop_factory()
        loop.noted = calls
        loop.run_until_complete(asyncio.sleep(0))
    finally:
        function.__code__ = code
        function.__kwdefaults__ = keywords
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()
    assert calls


def test_a_loop_is_an_instance_of_asyncios(loop):
    assert isinstance(loop, asyncio.BaseEventLoop)
    assert isinstance(loop, asyncio.SelectorEventLoop)
    assert issubclass(type(loop), asyncio.AbstractEventLoop)


@pytest.mark.parametrize("names", [asyncio, _native], ids=["asyncio's", "ours"])
class TestPrimitives:
    """Methods replaced in a primitive's class, by one that a primitive of the same kind has."""

    @pytest.mark.parametrize("name", ["Lock", "Semaphore", "BoundedSemaphore"])
    @pytest.mark.parametrize("method", ["acquire", "release"])
    def test_entering_and_leaving_is_seen(self, loop, wrap, names, name, method):
        primitive_class = getattr(names, name)
        before = primitive_class()
        receivers = wrap(primitive_class, method)

        async def main():
            for primitive in before, primitive_class():
                async with primitive:
                    assert primitive.locked()
                assert receivers.pop() is primitive

        loop.run_until_complete(main())
        assert not receivers

    def test_a_bounded_semaphore_has_what_is_replaced_in_its_base(self, loop, wrap, names):
        receivers = wrap(names.Semaphore, "acquire")

        async def main():
            async with names.BoundedSemaphore() as entered:
                assert entered is None

        loop.run_until_complete(main())
        assert len(receivers) == 1

    def test_an_undone_replacement_leaves_a_lock_that_works(self, loop, monkeypatch, names):
        lock = names.Lock()

        async def main():
            for _ in range(3):
                with monkeypatch.context() as patched:
                    patched.setattr(names.Lock, "release", lambda self: None)
                    async with lock:
                        pass
                    assert lock.locked()
                lock.release()
                async with lock:
                    assert lock.locked()
                assert not lock.locked()

        loop.run_until_complete(main())

    def test_waiting_for_a_condition_is_seen(self, loop, wrap, names):
        receivers = wrap(names.Condition, "wait")

        async def main():
            condition, answers = names.Condition(), [True, False]

            async def notify():
                async with condition:
                    condition.notify_all()

            async with condition:
                task = asyncio.ensure_future(notify())
                await condition.wait_for(answers.pop)
            await task
            return condition

        condition = loop.run_until_complete(main())
        assert receivers == [condition]

    @pytest.mark.parametrize(
        "method", ["_put", "_get", "full", "empty", "put_nowait", "get_nowait"]
    )
    def test_what_a_queue_calls_is_seen(self, loop, wrap, names, method):
        receivers = wrap(names.Queue, method)

        async def main():
            queue = names.Queue(2)
            await queue.put(1)
            assert await queue.get() == 1
            return queue

        queue = loop.run_until_complete(main())
        assert set(receivers) == {queue}

    def test_a_line_is_read_by_a_replaced_readuntil(self, loop, wrap, names):
        receivers = wrap(names.StreamReader, "readuntil")

        async def main():
            reader = names.StreamReader()
            reader.feed_data(b"text\n")
            assert await reader.readline() == b"text\n"
            return reader

        reader = loop.run_until_complete(main())
        assert receivers == [reader]
