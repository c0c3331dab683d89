"""`_waiters`: what those find who look at a primitive's line, or put something into it."""

import asyncio
import collections
import copy
import gc
import inspect
import warnings
import weakref

import pytest

from primitives_under_test import ORACLE, turns

KINDS = ["Lock", "Event", "Condition", "Semaphore", "BoundedSemaphore"]


class Future:
    """What the primitives ask of a future."""

    def done(self):
        return False

    def cancelled(self):
        return False


@pytest.fixture(params=KINDS)
def primitive(sync, request):
    """One primitive of each kind that has a line."""
    return getattr(sync, request.param)()


def test_the_line_of_what_is_acquired_is_made_on_demand(sync):
    assert sync.Lock()._waiters is None
    assert sync.Semaphore()._waiters is None
    assert len(sync.Event()._waiters) == 0
    assert len(sync.Condition()._waiters) == 0


def test_a_future_put_into_the_line_is_counted(primitive):
    if primitive._waiters is None:
        primitive._waiters = collections.deque()
    future = Future()
    primitive._waiters.append(future)
    assert "waiters:1]" in repr(primitive)
    assert primitive._waiters[0] is future
    assert primitive._waiters[-1] is future
    assert future in primitive._waiters
    assert list(primitive._waiters) == [future]
    with pytest.raises(IndexError):
        primitive._waiters[1]
    primitive._waiters.remove(future)
    with pytest.raises(ValueError):
        primitive._waiters.remove(future)
    with pytest.raises(IndexError):
        primitive._waiters.popleft()
    assert not primitive._waiters


def test_a_future_put_into_the_line_is_woken_in_its_turn(sync):
    async def main():
        semaphore = sync.Semaphore(0)
        task = asyncio.create_task(semaphore.acquire())
        await turns(1)
        future = asyncio.get_running_loop().create_future()
        semaphore._waiters.append(future)
        semaphore.release()
        assert not future.done()
        semaphore.release()
        assert await task is True
        assert semaphore._waiters.popleft() is future
        return future.result()

    assert sync.run(main()) is True


def test_waiters_may_be_put_into_another_order(sync):
    async def main():
        semaphore, order = sync.Semaphore(0), []

        async def worker(number):
            await semaphore.acquire()
            order.append(number)

        tasks = [asyncio.create_task(worker(number)) for number in range(3)]
        await turns(1)
        semaphore._waiters = collections.deque(reversed(semaphore._waiters))
        for _ in tasks:
            semaphore.release()
        await asyncio.gather(*tasks)
        return order, len(semaphore._waiters)

    assert sync.run(main()) == ([2, 1, 0], 0)


def test_a_waiter_may_be_put_into_the_line_twice(sync):
    async def main():
        semaphore = sync.Semaphore(0)
        task = asyncio.create_task(semaphore.acquire())
        await turns(1)
        [waiter] = semaphore._waiters
        semaphore._waiters = collections.deque([waiter, waiter])
        assert [one is waiter for one in semaphore._waiters] == [True, True]
        semaphore.release()
        assert await task is True
        return len(semaphore._waiters)

    assert sync.run(main()) == 1


def test_attributes_of_ones_own_and_weak_references(primitive):
    primitive.note = "mine"
    assert primitive.note == "mine"
    assert weakref.ref(primitive)() is primitive
    del primitive.note
    assert not hasattr(primitive, "note")


def test_the_loop_is_bound_by_get_loop(sync, primitive):
    async def main():
        assert primitive._loop is None
        running = asyncio.get_running_loop()
        assert primitive._get_loop() is running
        assert primitive._loop is running
        primitive._loop = object()
        with pytest.raises(RuntimeError, match="is bound to a different event loop"):
            primitive._get_loop()

    sync.run(main())


def test_a_primitive_that_somebody_waits_for_is_collected_with_its_task(sync):
    class Thing:
        pass

    makers = {
        "Lock": lambda lock: lock.acquire(),
        "Event": lambda event: event.wait(),
        "Semaphore": lambda semaphore: semaphore.acquire(),
        "Condition": lambda condition: condition.wait_for(lambda: False),
        "Barrier": lambda barrier: barrier.wait(),
    }

    async def body(thing, kind):
        made = getattr(sync, kind)(2) if kind == "Barrier" else getattr(sync, kind)()
        thing.made, made.thing = made, thing
        if kind in ("Lock", "Semaphore", "Condition"):
            await made.acquire()
        await makers[kind](made)

    async def main():
        alive = []
        for kind in makers:
            thing = Thing()
            alive.append(weakref.ref(thing))
            task = asyncio.create_task(body(thing, kind))
            del thing
            await turns(1)
            task._log_destroy_pending = False
            del task
        gc.collect()
        return [reference() for reference in alive]

    assert sync.run(main()) == [None] * len(makers)


def test_a_method_that_is_never_awaited_does_nothing_and_is_warned_of(sync):
    lock = sync.Lock()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        lock.acquire()
        gc.collect()
    assert [str(warning.message) for warning in caught] == [
        "coroutine 'Lock.acquire' was never awaited"
    ]
    assert not lock.locked()


def made(sync, kind):
    """A primitive with arguments, where it takes any."""
    return getattr(sync, kind)(
        *([3] if kind in ("Semaphore", "BoundedSemaphore", "Barrier") else [])
    )


@pytest.mark.parametrize("kind", [*KINDS, "Barrier"])
def test_signatures_are_asyncios(sync, kind):
    assert inspect.signature(getattr(sync, kind)) == inspect.signature(getattr(ORACLE, kind))
    ours, asyncios = made(sync, kind), made(ORACLE, kind)
    for name, method in inspect.getmembers(asyncios, inspect.ismethod):
        # The steps between its public methods are not the same.
        if name.startswith("__a") or name == "_get_loop" or not name.startswith("_"):
            expected, actual = inspect.signature(method), inspect.signature(getattr(ours, name))
            assert str(actual) == str(expected), name
            assert getattr(ours, name).__doc__ or not method.__doc__, name


@pytest.mark.parametrize("kind", [*KINDS, "Barrier"])
def test_a_fresh_primitive_can_be_copied(sync, kind):
    original = made(sync, kind)
    original.note = ["mine"]
    other = copy.deepcopy(original)
    assert type(other) is type(original)
    assert other.note == ["mine"]
    assert other.note is not original.note
    assert repr(other).partition("[")[2] == repr(original).partition("[")[2]
    if kind == "BoundedSemaphore":
        with pytest.raises(ValueError):
            other.release()


def test_the_copy_of_a_condition_has_a_copy_of_the_lock(sync):
    async def main():
        condition = sync.Condition()
        other = copy.deepcopy(condition)
        async with condition:
            return other.locked(), other._lock is condition._lock, other.acquire.__self__

    locked, same, lock = sync.run(main())
    assert (locked, same) == (False, False)
    assert isinstance(lock, sync.Lock)
