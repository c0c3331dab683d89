"""Chains of what holds another of its kind, and ends with the one that holds it."""

import asyncio
import functools
import gc
import weakref

from registry import chain, on_ordinary_stack


def is_gone(make, length):
    """Whether the first of a chain is gone when the last one is dropped."""
    chain = make(length)
    first = weakref.ref(next(chain))
    for last in chain:
        pass
    assert first() is not None
    del last, chain
    return f"gone: {first() is None}"


@chain("gone: True")
def futures_as_results(loop, length):
    def make(length):
        yield (future := loop.create_future())
        for _ in range(length):
            outer = loop.create_future()
            outer.set_result(future)
            yield (future := outer)

    return is_gone(make, length)


@chain("gone: True")
def futures_in_callbacks(loop, length):
    def make(length):
        yield (future := loop.create_future())
        for _ in range(length):
            outer = loop.create_future()
            outer.add_done_callback(functools.partial(print, future))
            yield (future := outer)

    return is_gone(make, length)


@chain("gone: True")
def futures_in_iterators(loop, length):
    def make(length):
        yield (future := loop.create_future())
        for _ in range(length):
            outer = loop.create_future()
            outer.set_result(future.__await__())
            yield (future := outer)

    return is_gone(make, length)


@chain("gone: True")
def futures_in_exceptions(loop, length):
    def make(length):
        yield (future := loop.create_future())
        for _ in range(length):
            outer = loop.create_future()
            outer.set_exception(ValueError(future))
            outer.exception()
            yield (future := outer)

    return is_gone(make, length)


@chain("gone: True")
@on_ordinary_stack
def subclasses_of_futures(loop, length):
    class Named(asyncio.Future):
        def __init__(self, inner):
            super().__init__(loop=loop)
            self.inner = inner

    def make(length):
        yield (future := Named(None))
        for _ in range(length):
            yield (future := Named(future))

    return is_gone(make, length)


@chain("gone: True")
def shields(loop, length):
    async def main():
        future = loop.create_future()
        outer = future
        for _ in range(length):
            outer = asyncio.shield(outer)
        first = weakref.ref(future)
        outer.cancel()
        await asyncio.sleep(0)
        del future, outer
        gc.collect()
        return f"gone: {first() is None}"

    return loop.run_until_complete(main())


@chain("gone")
def handles(loop, length):
    def make(length):
        yield (handle := loop.call_later(1e6, print))
        for _ in range(length):
            yield (handle := asyncio.Handle(print, (handle,), loop))

    chain = make(length)
    for last in chain:
        pass
    del last, chain
    return "gone"


@chain("gone: True")
def queues_in_queues(loop, length):
    def make(length):
        yield (queue := asyncio.Queue())
        for number in range(length):
            outer = asyncio.LifoQueue() if number % 2 else asyncio.Queue()
            outer.put_nowait(queue)
            yield (queue := outer)

    return is_gone(make, length)


@chain("gone: True")
def primitives_in_attributes(loop, length):
    classes = [asyncio.Event, asyncio.Lock, asyncio.Queue, asyncio.Condition, asyncio.TaskGroup]

    def make(length):
        yield (inner := asyncio.Event())
        for number in range(length):
            outer = classes[number % len(classes)]()
            outer.inner = inner
            yield (inner := outer)

    return is_gone(make, length)


@chain("gone: True")
def deadlines_in_timeouts(loop, length):
    def make(length):
        yield (inner := asyncio.Timeout(None))
        for _ in range(length):
            yield (inner := asyncio.Timeout(inner))

    return is_gone(make, length)


@chain("gone")
def awaitables_never_awaited(loop, length):
    inner = asyncio.sleep(0)
    for _ in range(length):
        inner = asyncio.wait_for(inner, 1)
    del inner
    return "gone"


@chain("gone")
def awaitables_that_carry_others(loop, length):
    inner = asyncio.sleep(0)
    for _ in range(length):
        inner = asyncio.sleep(0, inner)
    del inner
    return "gone"


@chain("gone")
def awaitables_that_were_begun(loop, length):
    inner = asyncio.sleep(0)
    inner.send(None)
    for _ in range(length):
        outer = asyncio.sleep(0, inner)
        outer.send(None)
        inner = outer
    del inner, outer
    return "gone"


@chain("left: 0")
def coroutines_of_tasks(loop, length):
    async def hold(inner):
        await loop.create_future()

    async def main():
        task = None
        for _ in range(length):
            task = loop.create_task(hold(task))
            task._log_destroy_pending = False
        await asyncio.sleep(0)

    loop.run_until_complete(main())
    gc.collect()
    return f"left: {len(asyncio.all_tasks(loop))}"


@chain("left: 0")
def tasks_that_await_each_other_collected(loop, length):
    async def follow(inner):
        await inner

    async def main():
        inner = loop.create_future()
        for _ in range(length):
            inner = loop.create_task(follow(inner))
            inner._log_destroy_pending = False
        await asyncio.sleep(0)

    loop.run_until_complete(main())
    gc.collect()
    return f"left: {len(asyncio.all_tasks(loop))}"


@chain("gone: True")
def gathers_of_gathers_dropped(loop, length):
    async def main():
        inner = future = loop.create_future()
        for _ in range(length):
            inner = asyncio.gather(inner)
        first = weakref.ref(future)
        del inner, future
        gc.collect()
        return f"gone: {first() is None}"

    return loop.run_until_complete(main())


@chain("7 in as many lists as gathers: True")
def gathers_of_gathers_done(loop, length):
    async def main():
        inner = future = loop.create_future()
        for _ in range(length):
            inner = asyncio.gather(inner)
        future.set_result(7)
        del future
        result = await inner
        del inner
        depth = 0
        while isinstance(result, list):
            depth, (result,) = depth + 1, result
        return f"{result} in as many lists as gathers: {depth == length}"

    return loop.run_until_complete(main())
