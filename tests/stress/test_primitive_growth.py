"""Primitives that are used over and over leave no object behind, and cycles through them are found.

On asyncio and with ours, on both loops; what blocks is ended in every way there is.
"""

import asyncio
import gc
import sys
import weakref

import pytest
from blocking import BLOCKINGS
from differential import ASYNCIO, GREENLOOP, NATIVE_ON_ASYNCIO

from growth import assert_nothing_stays

TIMES = 200

CONTESTANTS = pytest.mark.parametrize(
    "one", [ASYNCIO, GREENLOOP, NATIVE_ON_ASYNCIO], ids=lambda one: one.name
)


@pytest.fixture
def loop_factory(one):
    """The loop belongs to the contestant here."""
    return one.new_loop


class Thing:
    """Something that can be referenced weakly."""


async def give(value=None):
    return value


async def fail():
    raise ValueError("expected")


# What ends a wait that blocks.


async def woken(loop, blocking, primitive):
    task = loop.create_task(held(blocking, primitive))
    await asyncio.sleep(0)
    if blocking.with_lock:
        task.cancel()
    else:
        blocking.wake(primitive)
    await asyncio.wait([task])
    retrieve(task)


async def cancelled(loop, blocking, primitive):
    task = loop.create_task(held(blocking, primitive))
    await asyncio.sleep(0)
    task.cancel("message")
    await asyncio.wait([task])
    retrieve(task)


async def closed(loop, blocking, primitive):
    driven = held(blocking, primitive)
    driven.send(None)
    driven.close()


async def dropped(loop, blocking, primitive):
    driven = held(blocking, primitive)
    driven.send(None)
    del driven


async def thrown_into(loop, blocking, primitive):
    awaitable = blocking.wait(primitive)
    awaitable.send(None)
    try:
        awaitable.throw(ValueError("expected"))
    except (ValueError, RuntimeError):
        pass


async def abandoned(loop, blocking, primitive):
    """The task and the primitive are a cycle that the collector has to find."""
    task = loop.create_task(held(blocking, primitive))
    task._log_destroy_pending = False
    await asyncio.sleep(0)


async def abandoned_beginning_with_the_wait(loop, blocking, primitive):
    """The same, with a wait that is older than what awaits it, so that it may be ended first."""
    task = loop.create_task(awaiting(blocking.wait(primitive)))
    task._log_destroy_pending = False
    await asyncio.sleep(0)


ENDS = [
    woken,
    cancelled,
    closed,
    dropped,
    thrown_into,
    abandoned,
    abandoned_beginning_with_the_wait,
]


async def held(blocking, primitive):
    await blocking.wait(primitive)


async def awaiting(awaitable):
    await awaitable


def retrieve(task):
    return task.cancelled() or task.exception()


@pytest.mark.slow
@CONTESTANTS
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("end", ENDS, ids=lambda end: end.__name__)
@pytest.mark.parametrize("blocking", BLOCKINGS, ids=lambda one: one.name)
def test_a_wait_leaves_nothing_behind(loop, one, blocking, end, monkeypatch):
    async def operation():
        for _ in range(TIMES):
            await end(loop, blocking, blocking.make(one.api))

    # What goes wrong where nobody can be told.
    unraisable = []
    monkeypatch.setattr(sys, "unraisablehook", lambda one: unraisable.append(one.exc_value))
    assert_nothing_stays(loop, operation)
    assert unraisable == []


# What is no class of its own, or awaits other things.


async def sleeps(loop, api):
    for _ in range(TIMES):
        await api.sleep(0, object())
        await api.sleep(1e-9)
        task = loop.create_task(api.sleep(3600))
        await api.sleep(0)
        task.cancel()
        await api.wait([task])


async def gathers(loop, api):
    for _ in range(TIMES):
        await api.gather(*[give(object()) for _ in range(3)])
        await api.gather(fail(), give(), return_exceptions=True)
        outer = api.gather(api.sleep(3600), loop.create_future())
        await api.sleep(0)
        outer.cancel()
        try:
            await outer
        except asyncio.CancelledError:
            pass


async def shields(loop, api):
    for _ in range(TIMES):
        await api.shield(give())
        inner = loop.create_future()
        outer = api.shield(inner)
        outer.cancel()
        inner.set_result(object())
        await api.sleep(0)


async def waits(loop, api):
    for _ in range(TIMES):
        futures = [loop.create_future() for _ in range(3)]
        loop.call_soon(futures[1].set_result, object())
        await api.wait(futures, return_when=asyncio.FIRST_COMPLETED)
        await api.wait(futures, timeout=0)
        for first in api.as_completed([give(object()), give()]):
            await first


async def limits(loop, api):
    for _ in range(TIMES):
        async with api.timeout(3600) as limit:
            limit.reschedule(None)
            await api.sleep(0)
        try:
            async with api.timeout(0):
                await loop.create_future()
        except TimeoutError:
            pass
        await api.wait_for(give(object()), 3600)
        try:
            await api.wait_for(loop.create_future(), 0)
        except TimeoutError:
            pass


async def groups(loop, api):
    for _ in range(TIMES):
        async with api.TaskGroup() as group:
            for _ in range(3):
                group.create_task(give(object()))
        try:
            async with api.TaskGroup() as group:
                group.create_task(api.sleep(3600))
                group.create_task(fail())
        except* ValueError:
            pass


async def subclasses(loop, api):
    class Items(api.Queue):
        def _init(self, maxsize):
            self.me = self
            self._queue = []

        def _put(self, item):
            self._queue.append(item)

        def _get(self):
            return self._queue.pop()

    class Gate(api.Lock):
        pass

    for _ in range(TIMES):
        queue, gate = Items(), Gate()
        queue.gate, gate.queue = gate, queue
        async with gate:
            await queue.put(object())
            await queue.get()
    del Items, Gate
    gc.collect()


OPERATIONS = [sleeps, gathers, shields, waits, limits, groups, subclasses]


@pytest.mark.slow
@CONTESTANTS
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: one.__name__)
def test_an_operation_leaves_nothing_behind(loop, one, operation):
    assert_nothing_stays(loop, lambda: operation(loop, one.api))


# Cycles.


def cycle_of_a_waiting_task(loop, blocking, primitive, thing):
    async def body():
        mine = (primitive, thing)  # noqa: F841
        await blocking.wait(primitive)

    task = loop.create_task(body())
    task._log_destroy_pending = False


def cycle_of_a_driven_coroutine(loop, blocking, primitive, thing):
    async def body():
        mine = (primitive, thing)  # noqa: F841
        await blocking.wait(primitive)

    async def drive():
        thing.driven = body()
        thing.driven.send(None)

    loop.create_task(drive())


def cycle_through_an_attribute(loop, blocking, primitive, thing):
    primitive.me, primitive.thing = primitive, thing
    thing.wait = primitive


def cycle_through_items(loop, blocking, primitive, thing):
    if hasattr(primitive, "put_nowait") and not primitive.full():
        primitive.put_nowait((1, primitive, thing))


CYCLES = [value for name, value in list(globals().items()) if name.startswith("cycle_")]


@CONTESTANTS
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("cycle", CYCLES, ids=lambda cycle: cycle.__name__)
@pytest.mark.parametrize("blocking", BLOCKINGS, ids=lambda one: one.name)
def test_a_cycle_is_collected_while_the_loop_lives(loop, one, blocking, cycle):
    def make():
        primitive, thing = blocking.make(one.api), Thing()
        cycle(loop, blocking, primitive, thing)
        return [weakref.ref(thing), weakref.ref(primitive)]

    references = make()
    for _ in range(3):
        loop.call_soon(loop.stop)
        loop.run_forever()
    gc.collect()
    gc.collect()
    assert [reference() for reference in references] == [None, None]
