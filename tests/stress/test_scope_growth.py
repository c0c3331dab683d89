"""Timeouts, waits and groups leave nothing behind, however they end; their cycles are found."""

import asyncio
import gc
import weakref

import pytest

import greenloop
from greenloop import _native
from growth import assert_nothing_stays

pytestmark = pytest.mark.slow

TIMES = 200


@pytest.fixture(
    params=[asyncio.SelectorEventLoop, greenloop.new_event_loop], ids=["asyncio", "ours"]
)
def loop_factory(request):
    """Ours run on both loops."""
    return request.param


class Thing:
    """Something that can be referenced weakly."""


async def forever(kept=None):
    await asyncio.get_running_loop().create_future()


async def fail():
    raise ValueError("expected")


async def in_time():
    for _ in range(TIMES):
        async with _native.timeout(1000) as scope:
            scope.reschedule(None)
            scope.reschedule(asyncio.get_running_loop().time() + 1000)
            await asyncio.sleep(0)
        await _native.wait_for(asyncio.sleep(0), 1000)
        await _native.wait_for(asyncio.sleep(0), None)


async def late():
    for _ in range(TIMES):
        for wait in (
            lambda: _native.wait_for(forever(object()), 0),
            lambda: _native.wait_for(forever(object()), 1e-5),
            lambda: in_timeout(0),
            lambda: in_timeout(1e-5),
        ):
            try:
                await wait()
            except TimeoutError:
                pass


async def in_timeout(delay):
    async with _native.timeout(delay):
        await forever(object())


async def well():
    for _ in range(TIMES):
        async with _native.TaskGroup() as group:
            for _ in range(3):
                group.create_task(asyncio.sleep(0))
            assert len(group._tasks) == 3


async def badly():
    for _ in range(TIMES):
        try:
            async with _native.TaskGroup() as group:
                group.create_task(fail())
                group.create_task(forever(group))
                await forever(object())
        except* ValueError:
            pass


async def dropped():
    for _ in range(TIMES):
        for wait in (_native.wait_for(forever(), 1000), _native.timeout(1000).__aenter__()):
            try:
                wait.send(None)
            except StopIteration as entered:
                await entered.value.__aexit__(None, None, None)
        group = _native.TaskGroup()
        await group.__aenter__()
        task = group.create_task(asyncio.sleep(0))
        leaving = group.__aexit__(None, None, None)
        leaving.send(None)
        leaving.close()
        await task


async def cancelled():
    async def waits():
        async with _native.timeout(1000), _native.TaskGroup() as group:
            group.create_task(_native.wait_for(forever(), 1000))

    for _ in range(TIMES):
        task = asyncio.create_task(waits())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])


OPERATIONS = [in_time, late, well, badly, dropped, cancelled]


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.__name__)
def test_nothing_stays(loop, operation):
    loop.set_exception_handler(lambda loop, context: None)
    assert_nothing_stays(loop, operation)


async def in_a_timeout(thing):
    async with _native.timeout(1000):
        await forever(thing)


async def in_a_wait(thing):
    await _native.wait_for(forever(thing), 1000)


async def in_a_group(thing):
    async with _native.TaskGroup() as group:
        group.create_task(forever(thing))


@pytest.mark.parametrize("end", ["closed", "dropped"])
@pytest.mark.parametrize("program", [in_a_timeout, in_a_wait, in_a_group])
def test_a_loop_that_ends_takes_along_what_waits_in_it(program, end):
    loop, thing = greenloop.new_event_loop(), Thing()
    kept = weakref.ref(thing)
    tasks = [loop.create_task(program(thing))]
    for _ in range(3):
        loop.call_soon(loop.stop)
        loop.run_forever()
    for task in (*tasks, *asyncio.all_tasks(loop)):
        task._log_destroy_pending = False
    if end == "closed":
        loop.close()
    del tasks, task, thing, loop
    for _ in range(3):
        gc.collect()
    assert kept() is None
