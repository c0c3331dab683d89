"""Chains of what is called, driven, thrown into or closed inside of another of its kind."""

import asyncio
import gc
import sys

from registry import chain, on_ordinary_stack, until_it_ends


def outcome(loop, coroutine):
    try:
        return repr(loop.run_until_complete(coroutine))
    except RecursionError:
        return "RecursionError"


def nested_wait_for(length, delay):
    awaitable = asyncio.sleep(0, 7)
    for _ in range(length):
        awaitable = asyncio.wait_for(awaitable, delay)
    return awaitable


@chain("RecursionError" if sys.version_info >= (3, 12) else "7")
def driving_wait_for_in_wait_for(loop, length):
    return outcome(loop, nested_wait_for(length, 50))


@chain("RecursionError")
def driving_wait_for_without_delay(loop, length):
    return outcome(loop, nested_wait_for(length, None))


def begin_deep(loop):
    """The deepest `wait_for` in `wait_for` that can be begun, to a tenth; it waits."""

    def begin(length):
        async def main():
            future = awaitable = loop.create_future()
            for _ in range(length):
                awaitable = asyncio.wait_for(awaitable, None)
            task = loop.create_task(awaitable)
            task._log_destroy_pending = False
            await asyncio.sleep(0)
            if not task.done():
                return task, future
            assert isinstance(task.exception(), RecursionError)

        return loop.run_until_complete(main())

    length = 1
    while begin(length * 2):
        length *= 2
    while begin(length * 11 // 10 + 1):
        length = length * 11 // 10 + 1
    return begin(length)


@chain("ended: True")
def throwing_into_the_deepest(loop, length):
    task, future = begin_deep(loop)
    task.cancel()
    try:
        loop.run_until_complete(task)
    except (asyncio.CancelledError, RecursionError):
        return f"ended: {task.done()}"


@chain("left: 0")
def closing_the_deepest(loop, length):
    task, future = begin_deep(loop)
    try:
        task.get_coro().close()
    except RecursionError:
        pass
    del task, future
    gc.collect()
    return f"left: {len(asyncio.all_tasks(loop))}"


@chain("left: 0")
def dropping_the_deepest(loop, length):
    task, future = begin_deep(loop)
    del task, future
    gc.collect()
    return f"left: {len(asyncio.all_tasks(loop))}"


# Python code that is called and calls again.


@chain("RecursionError")
def coroutines_between(loop, length):

    async def nest():
        await asyncio.wait_for(nest(), None)

    return outcome(loop, nest())


if sys.version_info >= (3, 12):

    @chain("RecursionError")
    def eager_tasks_in_eager_tasks(loop, length):
        loop.set_task_factory(asyncio.eager_task_factory)

        async def nest():
            await loop.create_task(nest())

        return outcome(loop, nest())


@chain("ended")
def handles_that_run_themselves(loop, length):
    handle = loop.call_later(1e6, lambda: handle._run())
    handle._run()
    handle.cancel()
    return "ended"


@chain("RecursionError")
def comparisons_that_put(loop, length):
    class Item:
        def __lt__(self, other):
            queue.put_nowait(Item())
            return False

    queue = asyncio.PriorityQueue()
    queue.put_nowait(Item())
    return until_it_ends(lambda: queue.put_nowait(Item()))


@chain("RecursionError")
def callbacks_that_compare_themselves(loop, length):
    class Callback:
        def __call__(self, future):
            pass

        def __eq__(self, other):
            future.remove_done_callback(Callback())

    future = loop.create_future()
    future.add_done_callback(Callback())
    return until_it_ends(lambda: future.remove_done_callback(None))


@chain("RecursionError")
def handlers_that_call_themselves(loop, length):
    def handle(loop, context):
        loop.call_exception_handler(context)

    ends = []
    loop.default_exception_handler = lambda context: ends.append(context["exception"])
    loop.set_exception_handler(handle)
    loop.call_exception_handler({"message": "nested"})
    return type(ends[0]).__name__


@chain("ended")
def texts_of_futures(loop, length):
    class Result:
        def __repr__(self):
            return repr(future())

    def future():
        future = loop.create_future()
        future.set_result(Result())
        return future

    # `reprlib` makes a text of its own of one that cannot be had.
    repr(future())
    return "ended"


@chain("ended")
def loops_in_loops(loop, length):
    def nest(depth):
        asyncio._set_running_loop(None)
        inner = type(loop)()
        try:
            if depth:
                inner.call_soon(nest, depth - 1)
            inner.call_soon(inner.stop)
            inner.run_forever()
        finally:
            inner.close()

    loop.call_soon(nest, 150)
    loop.call_soon(loop.stop)
    loop.run_forever()
    return "ended"


# Pointers that others have set, and that are followed.


@chain("ValueError")
def a_circle_of_contexts(loop, length):
    one, other = ValueError(1), ValueError(2)
    one.__context__, other.__context__ = other, one

    async def main():
        async with asyncio.timeout(0):
            try:
                await asyncio.sleep(10)
            except asyncio.CancelledError:
                raise one from None

    try:
        loop.run_until_complete(main())
    except ValueError:
        return "ValueError"


@chain("ValueError")
@on_ordinary_stack
def a_long_chain_of_contexts(loop, length):
    last = exception = ValueError()
    for _ in range(length):
        exception.__context__ = ValueError()
        exception = exception.__context__

    async def main():
        async with asyncio.timeout(0):
            try:
                await asyncio.sleep(10)
            except asyncio.CancelledError:
                raise last from None

    try:
        loop.run_until_complete(main())
    except ValueError:
        return "ValueError"
