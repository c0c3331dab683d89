"""Objects that hold a queue, a lock or a scope are copied and pickled with it."""

import asyncio
import copy
import pickle
from collections import deque

import pytest

import greenloop
from greenloop import _native

QUEUES = ["Queue", "LifoQueue", "PriorityQueue"]
PLAIN = ["Lock", "Event", "Condition", "Semaphore", "BoundedSemaphore", *QUEUES, "TaskGroup"]
CLASSES = {"asyncio": asyncio, "greenloop": _native}


@pytest.fixture(params=CLASSES.values(), ids=CLASSES.keys())
def classes(request):
    return request.param


def by_pickle(protocol):
    return lambda original: pickle.loads(pickle.dumps(original, protocol))


DEEP = {
    "deepcopy": copy.deepcopy,
    **{f"protocol {number}": by_pickle(number) for number in range(pickle.HIGHEST_PROTOCOL + 1)},
}


@pytest.fixture(params=DEEP.values(), ids=DEEP.keys())
def deep(request):
    """A way to a copy that shares nothing with the original."""
    return request.param


def made(classes, name):
    if name == "Barrier":
        return classes.Barrier(3)
    if name == "Timeout":
        return classes.Timeout(5)
    return getattr(classes, name)()


def shown(one):
    return repr(one).partition("[")[2]


@pytest.mark.parametrize("name", [*PLAIN, "Barrier", "Timeout"])
def test_what_nobody_waits_for_is_copied_in_every_way(classes, name, deep):
    for way in (copy.copy, deep):
        original = made(classes, name)
        other = way(original)
        assert type(other) is type(original)
        assert other is not original
        assert shown(other) == shown(original)
        assert set(getattr(other, "__dict__", ())) == set(getattr(original, "__dict__", ()))


def drained(queue):
    return [queue.get_nowait() for _ in range(queue.qsize())]


@pytest.mark.parametrize("name", QUEUES)
def test_a_deep_copy_of_a_queue_has_copies_of_its_items(classes, name, deep):
    queue = getattr(classes, name)(5)
    for item in ([2], [1], [3]):
        queue.put_nowait(item)
    queue.get_nowait()
    queue.task_done()
    queue.note = ["mine"]
    other = deep(queue)
    assert (other.maxsize, other.qsize(), other.note) == (5, 2, ["mine"])
    assert other._unfinished_tasks == queue._unfinished_tasks == 2
    assert not other._finished.is_set()
    other.put_nowait([0])
    assert queue.qsize() == 2
    queue.put_nowait([0])
    items = drained(queue)
    assert drained(other) == items
    for _ in range(3):
        other.task_done()
    assert other._finished.is_set()
    assert not queue._finished.is_set()
    with pytest.raises(ValueError, match="task_done"):
        other.task_done()


@pytest.mark.parametrize("name", QUEUES)
def test_a_shallow_copy_of_a_queue_shares_the_items(classes, name):
    queue = getattr(classes, name)(2)
    queue.put_nowait(1)
    other = copy.copy(queue)
    other.put_nowait(2)
    assert queue.full()
    assert other._queue is queue._queue
    assert other._finished is queue._finished
    assert sorted(drained(queue)) == [1, 2]
    assert other.empty()


def test_a_copy_works_on_a_loop(loop, classes, deep):
    async def main():
        queue = deep(classes.Queue(1))
        getter = asyncio.ensure_future(queue.get())
        joiner = asyncio.ensure_future(queue.join())
        await asyncio.sleep(0)
        await queue.put("item")
        assert await getter == "item"
        queue.task_done()
        await joiner
        lock = deep(classes.Lock())
        async with lock:
            assert lock.locked()
        barrier = deep(classes.Barrier(1))
        assert await barrier.wait() == 0

    loop.run_until_complete(main())


class Slotted(_native.Queue):
    __slots__ = ("extra",)


class OfAsyncio(asyncio.Queue):
    __slots__ = ("extra",)


@pytest.mark.parametrize("kind", [OfAsyncio, Slotted])
def test_slots_of_a_subclass_are_copied_too(kind):
    queue = kind(3)
    queue.extra, queue.other = [1], [2]
    for way in (copy.deepcopy, by_pickle(2), by_pickle(5)):
        other = way(queue)
        assert (other.extra, other.other, other.maxsize) == ([1], [2], 3)


@pytest.mark.parametrize("name", [*QUEUES, "Lock"])
def test_what_somebody_waits_for_is_copied_by_reference_only(loop, classes, name, deep):
    async def main():
        one = getattr(classes, name)()
        if name == "Lock":
            await one.acquire()
            waiting = one.acquire()
        else:
            waiting = one.get()
        waiter = asyncio.ensure_future(waiting)
        await asyncio.sleep(0)
        assert type(copy.copy(one)) is type(one)
        with pytest.raises(TypeError, match="cannot pickle"):
            deep(one)
        waiter.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiter

    loop.run_until_complete(main())


@pytest.mark.parametrize("name", QUEUES)
def test_the_state_of_asyncios_queue_makes_ours(name):
    theirs, ours = getattr(asyncio, name)(4), getattr(greenloop, name)
    for item in (2, 1, 3):
        theirs.put_nowait(item)
    other = ours.__new__(ours)
    other.__setstate__(copy.deepcopy(vars(theirs)))
    assert (other.maxsize, other._unfinished_tasks) == (4, 3)
    assert not other._finished.is_set()
    assert type(other._finished) is greenloop.Event
    assert drained(other) == drained(theirs)
    state = other.__getstate__()
    assert list(state) == list(vars(theirs))
    assert copy.deepcopy(state["_getters"]) == deque()


def test_tasks_futures_and_coroutines_refuse_in_every_protocol(loop, deep):
    async def main():
        queue = greenloop.Queue()
        coroutine = queue.get()
        for one in (loop.create_future(), asyncio.current_task(), coroutine):
            with pytest.raises(TypeError, match="cannot pickle"):
                deep(one)
        coroutine.close()

    loop.run_until_complete(main())


def test_a_timeout_that_is_entered_does_not_become_a_copy():
    async def main():
        async with greenloop.timeout(5) as timeout:
            state = copy.copy(greenloop.Timeout(1)).__getstate__()
            with pytest.raises(TypeError, match="entered"):
                timeout.__setstate__(state)
        other = copy.copy(timeout)
        assert (other.when(), other.expired()) == (timeout.when(), False)
        with pytest.raises(RuntimeError, match="already been entered"):
            async with other:
                pass

    greenloop.run(main())


@pytest.mark.parametrize(
    "error",
    [
        asyncio.CancelledError("m"),
        asyncio.IncompleteReadError(b"p", 4),
        asyncio.LimitOverrunError("m", 3),
        asyncio.InvalidStateError("s"),
        asyncio.QueueEmpty(),
        asyncio.BrokenBarrierError(),
    ],
    ids=repr,
)
def test_the_exceptions_are_copied(error, deep):
    other = deep(error)
    assert type(other) is type(error)
    assert repr(other) == repr(error)
