"""A call of an asynchronous method returns a coroutine, and no generator."""

import asyncio
import collections.abc
import functools
import inspect
import socket
import types

import pytest

import greenloop

KINDS = ("Awaitable", "Coroutine", "Generator", "Iterator", "Iterable", "AsyncIterator", "Sized")


async def in_vain():
    """What `async def` makes, to compare with."""


def kinds(one):
    return {kind for kind in KINDS if isinstance(one, getattr(collections.abc, kind))}


@pytest.fixture(params=[asyncio, greenloop], ids=["asyncio's classes", "our classes"])
def classes(request):
    """Where the primitives come from: all work on any loop."""
    return request.param


@pytest.fixture
def run(loop_factory):
    """Runs a coroutine on a loop of the kind under test."""

    def run(coroutine):
        with asyncio.Runner(loop_factory=loop_factory) as runner:
            return runner.run(coroutine)

    return run


def awaitables(classes):
    """One of each family."""
    near, far = socket.socketpair()
    near.setblocking(False)
    far.close()
    reader = classes.StreamReader()
    yield classes.Queue().get()
    yield classes.Lock().acquire()
    yield classes.Event().wait()
    yield classes.Barrier(2).wait()
    yield classes.Barrier(2).reset()
    yield classes.Timeout(None).__aenter__()
    yield classes.sleep(0)
    yield classes.wait_for(asyncio.get_running_loop().create_future(), 1)
    yield classes.open_connection("localhost", 1)
    yield reader.readline()
    yield reader.__anext__()
    yield asyncio.get_running_loop().sock_recv(near, 1)
    near.close()


def test_an_awaitable_is_of_the_kinds_that_a_coroutine_is_of(run, classes):
    async def main():
        coroutine = in_vain()
        count = 0
        for one in awaitables(classes):
            assert kinds(one) == kinds(coroutine) == {"Awaitable", "Coroutine"}
            assert asyncio.iscoroutine(one)
            assert inspect.isawaitable(one)
            for name in ("__iter__", "__next__"):
                assert hasattr(one, name) == hasattr(coroutine, name) is False
            one.close()
            count += 1
        coroutine.close()
        return count

    assert run(main()) == 12


def test_what_await_is_called_by_hand_returns_is_an_iterator(run, classes):
    async def main():
        coroutine = in_vain()
        for one in awaitables(classes):
            iterator = one.__await__()
            assert kinds(iterator) == kinds(coroutine.__await__())
            assert kinds(iterator) == {"Generator", "Iterator", "Iterable"}
            assert iter(iterator) is iterator
            iterator.close()
            with pytest.raises(RuntimeError, match="cannot reuse already awaited coroutine"):
                await one
        coroutine.close()

    run(main())


def test_the_iterator_of_a_future_cannot_be_awaited(run):
    async def main():
        future = asyncio.get_running_loop().create_future()
        assert kinds(future.__await__()) == {"Generator", "Iterator", "Iterable"}

    run(main())


def test_code_that_takes_generators_for_coroutines_takes_no_awaitable_for_one(run, classes):
    """As decorators do that were written before `async def`, such as tornado's `gen.coroutine`."""

    def coroutine(function):
        @functools.wraps(function)
        async def wrapper(*arguments):
            result = function(*arguments)
            if isinstance(result, collections.abc.Generator):
                while True:
                    result.send(None)
            return result

        return wrapper

    async def main():
        queue = classes.Queue()
        queue.put_nowait(5)
        return await (await coroutine(queue.get)()), await (
            await coroutine(classes.sleep)(0, "slept")
        )

    assert run(main()) == (5, "slept")


def test_an_awaitable_is_driven_by_every_form_of_delegation(run, classes):
    class Returning:
        def __init__(self, make):
            self.make = make

        def __await__(self):
            return self.make().__await__()

    class Delegating(Returning):
        def __await__(self):
            return (yield from self.make().__await__())

    class Stepping(Returning):
        def __await__(self):
            iterator = self.make().__await__()
            while True:
                try:
                    yielded = iterator.__next__()
                except StopIteration as stop:
                    return stop.value
                yield yielded

    @types.coroutine
    def generator(make):
        return (yield from make())

    async def main():
        loop = asyncio.get_running_loop()
        queue = classes.Queue()
        came = []
        for item, way in enumerate([Returning, Delegating, Stepping, generator]):
            loop.call_soon(queue.put_nowait, item)
            came.append(await way(queue.get))
        return came, len(queue._getters)

    assert run(main()) == ([0, 1, 2, 3], 0)


def test_a_cancellation_reaches_an_awaitable_through_its_iterator(run, classes):
    class Waiting:
        def __init__(self, queue):
            self.queue = queue

        def __await__(self):
            return self.queue.get().__await__()

    async def main():
        queue = classes.Queue()
        task = asyncio.ensure_future(Waiting(queue))
        await asyncio.sleep(0)
        assert len(queue._getters) == 1
        task.cancel("enough")
        with pytest.raises(asyncio.CancelledError):
            await task
        return len(queue._getters)

    assert run(main()) == 0


def test_an_iterator_by_hand_passes_everything_on(run, classes):
    async def main():
        event = classes.Event()
        iterator = event.wait().__await__()
        assert asyncio.isfuture(iterator.send(None))
        with pytest.raises(KeyError):
            iterator.throw(KeyError("thrown"))
        assert len(event._waiters) == 0
        event.set()
        with pytest.raises(StopIteration) as stop:
            next(event.wait().__await__())
        return stop.value.value

    assert run(main()) is True
