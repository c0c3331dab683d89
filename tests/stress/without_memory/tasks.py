"""Operations on futures and tasks for `failing_allocations`."""

import asyncio
import contextlib

from without_memory.common import crashes_the_interpreter, ignore


def future_life(loop):
    def use():
        future = loop.create_future()
        future.add_done_callback(int)
        future.add_done_callback(abs)
        future._callbacks
        future.remove_done_callback(abs)
        future.set_result(1)
        future.result()
        future.exception()

    handler = loop.get_exception_handler()
    loop.set_exception_handler(ignore)
    try:
        yield use
        loop.call_soon(loop.stop)
        loop.run_forever()
    finally:
        loop.set_exception_handler(handler)


def future_that_fails(loop):
    def use():
        future = asyncio.Future(loop=loop)
        future.set_exception(ValueError)
        repr(future)
        with contextlib.suppress(ValueError):
            future.result()
        future.exception()
        cancelled = loop.create_future()
        cancelled.cancel("why")
        repr(cancelled)
        with contextlib.suppress(asyncio.CancelledError):
            cancelled.result()

    yield use


def future_refuses(loop):
    future = loop.create_future()

    def use():
        for call in future.result, future.exception, lambda: future.set_exception(5):
            with contextlib.suppress(asyncio.InvalidStateError, TypeError):
                call()

    yield use


def future_awaited(loop):
    async def use():
        future = loop.create_future()
        task = loop.create_task(_wait_for(future))
        await asyncio.sleep(0)
        future.set_result(3)
        assert await task == 3

    yield use


async def _wait_for(future):
    return await future


def future_nobody_asked_for(loop):
    def use():
        loop.create_future().set_exception(ValueError())

    handler = loop.get_exception_handler()
    loop.set_exception_handler(ignore)
    try:
        yield use
    finally:
        loop.set_exception_handler(handler)


def task_life(loop):
    async def use():
        task = loop.create_task(asyncio.sleep(0, 5), name="a name")
        task.get_name()
        task.set_name("other")
        task.get_coro()
        asyncio.current_task()
        asyncio.all_tasks()
        task.cancelling()
        assert await task == 5

    yield use


def descriptions(loop):
    future = loop.create_future()
    future.add_done_callback(int)

    async def use():
        task = loop.create_task(asyncio.sleep(0), name="a name")
        for described in task, future, loop:
            repr(described)
        task.get_stack()
        await task
        repr(task)

    yield use


def frames_of_a_wait(loop):
    async def use():
        queue = asyncio.Queue()
        queue.put_nowait(1)
        task = loop.create_task(queue.join())
        try:
            await asyncio.sleep(0)
            coroutine = task.get_coro()
            coroutine.cr_frame
            coroutine.cr_await
        finally:
            queue.task_done()
        await task

    yield use


def task_awaited_twice(loop):
    async def use():
        task = loop.create_task(asyncio.sleep(0))
        await asyncio.gather(_wait_for(task), _wait_for(task))

    yield use


def task_without_a_name(loop):
    async def use():
        task = loop.create_task(asyncio.sleep(0))
        task.get_name()
        await task

    yield use


def task_that_raises(loop):
    async def fail():
        await asyncio.sleep(0)
        raise ValueError

    async def use():
        with contextlib.suppress(ValueError):
            await loop.create_task(fail())

    yield use


def task_cancelled(loop):
    async def use():
        task = loop.create_task(asyncio.sleep(99))
        await asyncio.sleep(0)
        task.cancel("why")
        task.uncancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    yield use


def task_cancelled_before_it_begins(loop):
    async def use():
        task = loop.create_task(asyncio.sleep(99))
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    yield use


@crashes_the_interpreter
def task_that_awaits_what_it_must_not(loop):
    class Bad:
        def __await__(self):
            yield 5

    async def bad():
        await Bad()

    async def use():
        with contextlib.suppress(RuntimeError):
            await loop.create_task(bad())

    yield use


def tasks_that_spin(loop):
    async def spin():
        for _ in range(5):
            await asyncio.sleep(0)

    async def use():
        for task in [loop.create_task(spin()) for _ in range(3)]:
            await task

    yield use


def task_in_a_context(loop):
    import contextvars

    async def use():
        await asyncio.create_task(asyncio.sleep(0), context=contextvars.copy_context())

    yield use


def eager_tasks(loop):
    async def use():
        await asyncio.create_task(asyncio.sleep(0))
        await asyncio.gather(asyncio.sleep(0, 1), asyncio.sleep(0, 2))

    factory = getattr(asyncio, "eager_task_factory", None)
    loop.set_task_factory(factory)
    yield use
    loop.set_task_factory(None)
