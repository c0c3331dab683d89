"""Every way to block in a primitive: what makes it, what waits for it, and what ends the wait."""

import sys
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Blocking:
    """One wait that blocks, and how it goes on."""

    name: str
    # From the API under test to the primitive, in a state in which the wait blocks.
    make: Callable
    # From the primitive to a fresh awaitable.
    wait: Callable
    # What lets one waiter go on.
    wake: Callable
    # A wait that needs the lock of a condition, which is then held by the waiter.
    with_lock: bool = False


def _full(make_queue: Callable) -> Callable:
    def make(api):
        queue = make_queue(api)
        queue.put_nowait(0)
        return queue

    return make


def _taken(make_lock: Callable) -> Callable:
    """A lock that is held, taken without a loop: the first step of an awaitable is all it needs."""

    def make(api):
        lock = make_lock(api)
        acquisition = lock.acquire()
        try:
            acquisition.send(None)
        except StopIteration:
            pass
        return lock

    return make


def _wake_barrier(barrier):
    """Send the waiters away; letting them pass needs another task."""
    resetting = barrier.reset()
    try:
        resetting.send(None)
    except StopIteration:
        pass


BLOCKINGS = [
    *[
        Blocking(f"{name}.get", make, lambda queue: queue.get(), lambda queue: queue.put_nowait(1))
        for name, make in {
            "Queue": lambda api: api.Queue(),
            "LifoQueue": lambda api: api.LifoQueue(),
            "PriorityQueue": lambda api: api.PriorityQueue(),
        }.items()
    ],
    Blocking(
        "Queue.put",
        _full(lambda api: api.Queue(1)),
        lambda queue: queue.put(1),
        lambda queue: queue.get_nowait(),
    ),
    Blocking(
        "Queue.join",
        _full(lambda api: api.Queue()),
        lambda queue: queue.join(),
        lambda queue: queue.task_done(),
    ),
    Blocking(
        "Event.wait",
        lambda api: api.Event(),
        lambda event: event.wait(),
        lambda event: event.set(),
    ),
    Blocking(
        "Lock.acquire",
        _taken(lambda api: api.Lock()),
        lambda lock: lock.acquire(),
        lambda lock: lock.release(),
    ),
    Blocking(
        "Semaphore.acquire",
        lambda api: api.Semaphore(0),
        lambda semaphore: semaphore.acquire(),
        lambda semaphore: semaphore.release(),
    ),
    Blocking(
        "BoundedSemaphore.acquire",
        _taken(lambda api: api.BoundedSemaphore(1)),
        lambda semaphore: semaphore.acquire(),
        lambda semaphore: semaphore.release(),
    ),
    Blocking(
        "Condition.acquire",
        _taken(lambda api: api.Condition()),
        lambda condition: condition.acquire(),
        lambda condition: condition.release(),
    ),
    Blocking(
        "Condition.wait",
        _taken(lambda api: api.Condition()),
        lambda condition: condition.wait(),
        lambda condition: condition.notify(),
        with_lock=True,
    ),
    Blocking(
        "Barrier.wait",
        lambda api: api.Barrier(2),
        lambda barrier: barrier.wait(),
        _wake_barrier,
    ),
]
if sys.version_info >= (3, 13):
    BLOCKINGS.append(
        Blocking(
            "Queue.get, shut down",
            lambda api: api.Queue(),
            lambda queue: queue.get(),
            lambda queue: queue.shutdown(),
        )
    )
