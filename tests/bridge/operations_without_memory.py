"""Operations on Rust futures of an extension, for `tests/stress/failing_allocations.py`.

What the extension itself makes of Rust values is its own affair, so it makes nothing here.
"""

import asyncio
import contextlib

import greenloop_bridge_example as example


def ready(loop):
    async def use():
        assert await example.ready(5) == 5

    yield use


def ready_never_awaited(loop):
    def use():
        example.ready(5).close()

    yield use


def large(loop):
    async def use():
        assert await example.large() == 100

    yield use


def woken_by_itself(loop):
    async def use():
        assert await example.yield_times(3) == 3

    yield use


def future_of_python(loop):
    async def use():
        future = loop.create_future()
        loop.call_soon(future.set_result, 5)
        assert await example.pass_through(future) == 5

    yield use


def coroutine_of_python(loop):
    async def use():
        assert await example.pass_through(asyncio.sleep(0, 5)) == 5

    yield use


def error_of_python(loop):
    async def use():
        future = loop.create_future()
        loop.call_soon(future.set_exception, ValueError())
        with contextlib.suppress(ValueError):
            await example.pass_through(future)

    yield use


def error_of_rust(loop):
    async def use():
        with contextlib.suppress(ValueError):
            await example.fail(ValueError())

    yield use


def dropped_while_it_waits(loop):
    """The slower one is cancelled when it is dropped."""

    async def use():
        slow, quick = loop.create_future(), loop.create_future()
        loop.call_soon(quick.set_result, 5)
        assert await example.first(slow, quick) == 5
        await asyncio.sleep(0)
        assert slow.cancelled()

    yield use


def cancelled(loop):
    async def use():
        future = loop.create_future()
        task = loop.create_task(example.pass_through(future))
        await asyncio.sleep(0)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    yield use
