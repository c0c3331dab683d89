"""Operations on several awaitables, and on scopes, for `failing_allocations`."""

import asyncio
import contextlib


def gather(loop):
    async def use():
        assert await asyncio.gather(asyncio.sleep(0, 1), asyncio.sleep(0, 2)) == [1, 2]
        results = await asyncio.gather(_fail(), _fail(), return_exceptions=True)
        assert len(results) == 2
        with contextlib.suppress(ValueError):
            await asyncio.gather(_fail(), asyncio.sleep(0))

    yield use


async def _fail():
    raise ValueError


def gather_cancelled(loop):
    async def use():
        future = asyncio.gather(asyncio.sleep(99), asyncio.sleep(99))
        await asyncio.sleep(0)
        repr(future)
        future.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await future

    yield use


def wait(loop):
    async def use():
        tasks = [loop.create_task(asyncio.sleep(0)) for _ in range(3)]
        done, pending = await asyncio.wait(tasks)
        assert len(done) == 3 and not pending
        slow = loop.create_task(asyncio.sleep(99))
        await asyncio.wait([slow], timeout=0.0001)
        await asyncio.wait([slow, tasks[0]], return_when=asyncio.FIRST_COMPLETED)
        slow.cancel()

    yield use


def as_completed(loop):
    async def use():
        for future in asyncio.as_completed([asyncio.sleep(0, 1), asyncio.sleep(0, 2)], timeout=9):
            await future

    yield use


def shield(loop):
    async def use():
        assert await asyncio.shield(asyncio.sleep(0, 4)) == 4
        inner = loop.create_task(asyncio.sleep(0))
        outer = asyncio.shield(inner)
        outer.cancel()
        await inner

    yield use


def wait_for(loop):
    async def use():
        assert await asyncio.wait_for(asyncio.sleep(0, 4), 99) == 4
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.sleep(99), 0.0001)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.sleep(99), 0)

    yield use


def timeout(loop):
    async def use():
        async with asyncio.timeout(99) as scope:
            repr(scope)
            scope.reschedule(scope.when() + 1)
            await asyncio.sleep(0)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.0001):
                await asyncio.sleep(99)
        repr(scope)

    yield use


def task_group(loop):
    async def use():
        async with asyncio.TaskGroup() as group:
            first = group.create_task(asyncio.sleep(0, 1))
            group.create_task(asyncio.sleep(0, 2), name="second")
            repr(group)
        assert first.result() == 1

    yield use


def task_group_that_fails(loop):
    async def use():
        with contextlib.suppress(ExceptionGroup):
            async with asyncio.TaskGroup() as group:
                group.create_task(asyncio.sleep(99))
                group.create_task(_fail())

    yield use


def ensure_future(loop):
    class Awaitable:
        def __await__(self):
            yield from asyncio.sleep(0).__await__()
            return 1

    async def use():
        assert await asyncio.ensure_future(Awaitable()) == 1

    yield use


def sleeps(loop):
    async def use():
        await asyncio.sleep(0)
        await asyncio.sleep(0.0001)
        assert await asyncio.sleep(0.0001, 5) == 5

    yield use
