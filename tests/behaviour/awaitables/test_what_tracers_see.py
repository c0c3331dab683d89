"""Whatever a tracer or a debugger sees at the end of an `await` is a plain `StopIteration`."""

import asyncio
import bdb
import gc
import subprocess
import sys

import pytest

import greenloop
from primitives_under_test import turns

VALUES = (7, "text", (1, 2), (), ValueError("as a value"), StopIteration(3))


def ended(iterator):
    """The exception that ends an iterator which has nothing more to yield."""
    with pytest.raises(StopIteration) as caught:
        next(iterator)
    return caught.value


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_an_iterator_asked_by_hand_raises_the_very_class(loop, value):
    future = loop.create_future()
    future.set_result(value)
    for make in (iter, type(future).__await__, lambda future: future.__await__().__iter__()):
        error = ended(make(future))
        assert type(error) is StopIteration
        assert error.value is value
        assert error.args == (value,)
        assert repr(error) == f"StopIteration({value!r})"
    assert list(future) == []


def test_an_operation_asked_by_hand_raises_the_very_class(sync):
    async def main():
        event, lock = sync.Event(), sync.Lock()
        event.set()
        for coroutine in (event.wait(), lock.acquire()):
            error = ended(coroutine.__await__())
            assert (type(error), error.args) == (StopIteration, (True,))

    sync.run(main())


def awaits(loop, queue, value):
    """A coroutine that awaits what is done already, of each kind there is."""
    future = loop.create_future()
    future.set_result(value)

    def generator():
        return (yield from future)

    class Wrapper:
        def __await__(self):
            return future.__await__()

    async def coroutine():
        return await future

    async def main():
        task = asyncio.ensure_future(coroutine())
        await turns(2)
        queue.put_nowait(value)
        given = [
            await future,
            await task,
            await asyncio.shield(future),
            await Wrapper(),
            await queue.get(),
            await delegated(generator()),
        ]
        for awaitable in (future, coroutine(), future, coroutine()):
            given.append(await awaitable)
        return given

    return main()


async def delegated(generator):
    class Delegating:
        def __await__(self):
            return (yield from generator)

    return await Delegating()


@pytest.fixture(params=[asyncio.Queue, greenloop.Queue], ids=["asyncio's", "ours"])
def queue_class(request):
    return request.param


class Seen:
    """The exceptions that a tracer was told of."""

    def __init__(self):
        self.errors = []

    def trace(self, frame, event, argument):
        if event == "exception":
            self.errors.append((frame.f_code.co_name, *argument))
        return self.trace

    def monitor(self, code, offset, error):
        self.errors.append((code.co_name, type(error), error, None))

    def check(self, value):
        """Look at all that ended something; return where `value` was unpacked."""
        ends = [entry for entry in self.errors if issubclass(entry[1], StopIteration)]
        for _, kind, error, traceback in ends:
            assert kind is StopIteration
            assert type(error) is StopIteration
            assert traceback is None
            # A `for` ends without a value.
            assert error.args == (() if error.value is None else (value,))
        return [name for name, _, error, _ in ends if error.value is value]


def test_a_tracer_is_told_of_the_very_class(loop, queue_class):
    seen, value, before = Seen(), object(), sys.gettrace()
    program = awaits(loop, queue_class(), value)
    sys.settrace(seen.trace)
    try:
        given = loop.run_until_complete(program)
    finally:
        sys.settrace(before)
    assert all(one is value for one in given)
    assert len(given) == 10
    # A future is asked by `__next__` while a tracer is on, in all versions but the newest.
    if sys.version_info < (3, 15):
        assert seen.check(value).count("main") >= 5
    else:
        seen.check(value)


@pytest.mark.skipif(sys.version_info < (3, 12), reason="sys.monitoring is new in 3.12")
@pytest.mark.parametrize("event", ["RAISE", "STOP_ITERATION"])
def test_a_monitoring_tool_is_told_of_the_very_class(loop, queue_class, event):
    seen, value, monitoring = Seen(), object(), sys.monitoring
    events = getattr(monitoring.events, event)
    tool = next(number for number in range(6) if monitoring.get_tool(number) is None)
    program = awaits(loop, queue_class(), value)
    monitoring.use_tool_id(tool, "a test of greenloop")
    try:
        monitoring.register_callback(tool, events, seen.monitor)
        monitoring.set_events(tool, events)
        given = loop.run_until_complete(program)
    finally:
        monitoring.set_events(tool, 0)
        monitoring.free_tool_id(tool)
    assert all(one is value for one in given)
    seen.check(value)


def test_a_value_is_dropped_with_its_last_holder(loop):
    async def main():
        value = object()
        before = sys.getrefcount(value)
        for _ in range(3):
            future = loop.create_future()
            future.set_result(value)
            assert await future is value
            del future
            assert sys.getrefcount(value) == before

    loop.run_until_complete(main())


class Stepper(bdb.Bdb):
    """Steps over each line of the coroutine it was started in, as `next` of `pdb` does."""

    def __init__(self):
        super().__init__()
        self.lines = []
        self.errors = []

    def user_line(self, frame):
        self.lines.append(frame.f_lineno - frame.f_code.co_firstlineno)
        self.set_next(frame)

    def user_return(self, frame, value):
        self.set_continue()

    def user_exception(self, frame, info):
        self.errors.append(info)


def test_a_debugger_steps_over_an_await_once(loop, queue_class):
    stepper, queue, before = Stepper(), queue_class(), sys.gettrace()

    async def child():
        await asyncio.sleep(0)
        return 5

    async def main():
        queue.put_nowait(1)
        task = asyncio.ensure_future(child())
        await turns(3)
        stepper.set_trace(sys._getframe())
        await task
        await queue.get()
        await asyncio.gather(child(), child())
        await asyncio.ensure_future(child())
        await asyncio.shield(task)
        await turns(2)

    # A collection may call functions of others (`gc.callbacks`), and the debugger would step there.
    gc.disable()
    try:
        loop.run_until_complete(main())
    finally:
        sys.settrace(before)
        gc.enable()
    assert stepper.errors == []
    assert stepper.lines == [5, 6, 7, 8, 9, 10]


TRACED = """
import sys
import greenloop
seen = []
sys.settrace(lambda frame, event, argument: seen.append(event))
(lambda: None)()
sys.settrace(None)
assert seen == ["call"], seen
"""


def test_a_traced_program_goes_on_after_the_import():
    """Up to 3.12 an exception that is sent and taken back is looked for from then on."""
    subprocess.run([sys.executable, "-c", TRACED], check=True, timeout=30)
