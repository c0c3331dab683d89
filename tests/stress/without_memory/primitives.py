"""Operations on locks, queues and their like for `failing_allocations`."""

import asyncio
import contextlib
import copy
import pickle

from without_memory.common import crashes_the_interpreter


def _drive(coroutine):
    """One step by hand."""
    try:
        coroutine.send(None)
    except StopIteration:
        pass
    finally:
        coroutine.close()


def _waits_and_works(loop, primitive, wait, wake):
    """Waits for a primitive, is cancelled, waits again and is woken."""

    async def use():
        first, second = loop.create_task(wait(primitive)), loop.create_task(wait(primitive))
        await asyncio.sleep(0)
        repr(primitive)
        first.cancel()
        await asyncio.sleep(0)
        wake(primitive)
        await second

    return use


def lock(loop):
    async def use():
        async with lock:
            pass
        await lock.acquire()
        await waits()

    async def works():
        async with lock:
            assert lock.locked()

    lock = asyncio.Lock()
    waits = _waits_and_works(loop, lock, type(lock).acquire, type(lock).release)
    yield use
    if lock.locked():
        lock.release()
    loop.run_until_complete(works())
    assert not lock.locked()


def event(loop):
    event = asyncio.Event()
    yield _waits_and_works(loop, event, type(event).wait, type(event).set)
    event.set()
    loop.run_until_complete(event.wait())


def semaphore(loop):
    semaphore = asyncio.Semaphore(0)
    yield _waits_and_works(loop, semaphore, type(semaphore).acquire, type(semaphore).release)
    semaphore.release()
    loop.run_until_complete(semaphore.acquire())


def bounded_semaphore(loop):
    semaphore = asyncio.BoundedSemaphore(1)

    async def use():
        async with semaphore:
            repr(semaphore)
        with contextlib.suppress(ValueError):
            semaphore.release()

    yield use
    loop.run_until_complete(semaphore.acquire())


def condition(loop):
    condition = asyncio.Condition()

    async def wait(condition):
        async with condition:
            await condition.wait()

    async def use():
        tasks = [loop.create_task(wait(condition)) for _ in range(2)]
        await asyncio.sleep(0)
        repr(condition)
        async with condition:
            condition.notify_all()
        for task in tasks:
            await task

    async def works():
        async with condition:
            condition.notify()
            await condition.wait_for(condition.locked)

    yield use
    if condition.locked():
        condition.release()
    loop.run_until_complete(works())


def barrier(loop):
    async def use():
        barrier = asyncio.Barrier(2)
        other = loop.create_task(barrier.wait())
        await asyncio.sleep(0)
        repr(barrier)
        await barrier.wait()
        await other
        await barrier.abort()
        with contextlib.suppress(asyncio.BrokenBarrierError):
            await barrier.wait()
        await barrier.reset()

    yield use


def _queue(make):
    def operation(loop):
        queue = make(1)

        async def use():
            getter = loop.create_task(queue.get())
            await asyncio.sleep(0)
            repr(queue)
            await queue.put((1, "x"))
            await queue.put((2, "y"))
            putter = loop.create_task(queue.put((3, "z")))
            await asyncio.sleep(0)
            repr(queue)
            str(queue)
            await getter
            await queue.get()
            await putter
            assert queue.get_nowait()
            queue.put_nowait((4, "u"))
            queue.task_done()

        async def works():
            while not queue.empty():
                queue.get_nowait()
            await queue.put((1, "x"))
            assert await queue.get() == (1, "x")

        yield use
        loop.run_until_complete(works())

    return operation


def queue(loop):
    yield from _queue(asyncio.Queue)(loop)


def lifo_queue(loop):
    yield from _queue(asyncio.LifoQueue)(loop)


def priority_queue(loop):
    yield from _queue(asyncio.PriorityQueue)(loop)


def queue_that_keeps_its_items(loop):
    """A failure loses no item: what went in and did not come out is still there."""
    queue, got = asyncio.Queue(), []
    for number in range(3):
        queue.put_nowait([number])

    async def use():
        for _ in range(3):
            item = await queue.get()
            got.append(item)

    yield use
    left = []
    while not queue.empty():
        left.append(queue.get_nowait())
    # The item on its way when a list could not grow is dropped by the program, not by the queue.
    assert 3 - len(got) - len(left) <= 1, (got, left)


def queue_joined(loop):
    async def use():
        queue = asyncio.Queue()
        queue.put_nowait(1)
        joining = loop.create_task(queue.join())
        await asyncio.sleep(0)
        queue.get_nowait()
        queue.task_done()
        await joining
        if hasattr(queue, "shutdown"):
            queue.shutdown()
            with contextlib.suppress(asyncio.QueueShutDown):
                await queue.get()

    yield use


def primitives_made(loop):
    def use():
        for make in (
            asyncio.Lock,
            asyncio.Event,
            asyncio.Condition,
            asyncio.Semaphore,
            asyncio.BoundedSemaphore,
            asyncio.Queue,
            asyncio.LifoQueue,
            asyncio.PriorityQueue,
        ):
            made = make()
            repr(made)
            str(made)
            made.attribute = 1
        asyncio.Barrier(2)

    yield use


def primitives_by_hand(loop):
    queue = asyncio.Queue()
    queue.put_nowait(1)
    calls = [asyncio.Lock().acquire, asyncio.Event().wait, asyncio.Semaphore().acquire]

    async def use():
        for call in calls:
            _drive(call())
        coroutine = queue.put(5)
        repr(coroutine)
        coroutine.__name__, coroutine.__qualname__
        _drive(coroutine)

    yield use


def copies(loop):
    originals = [asyncio.Lock(), asyncio.Event(), asyncio.Semaphore(2)]

    def use():
        for original in originals:
            copy.copy(original)
            copy.deepcopy(original)
            pickle.loads(pickle.dumps(original))

    yield use


@crashes_the_interpreter
def wrong_loop(loop):
    event = asyncio.Event()

    def use():
        other = asyncio.new_event_loop()
        try:
            with contextlib.suppress(RuntimeError):
                other.run_until_complete(asyncio.wait_for(event.wait(), 0.01))
        finally:
            other.close()

    async def bind():
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(event.wait(), 0)
        waiting = loop.create_task(event.wait())
        await asyncio.sleep(0)
        waiting.cancel()

    loop.run_until_complete(bind())
    yield use
    asyncio._set_running_loop(None)
