"""The statements of a random program that use queues, locks, events, conditions and barriers.

Beside the trace, this part keeps two accounts that hold on any implementation: at a quiet moment
nobody waits for what is there to be had, and what was put into a queue is taken from it once or is
still in it.
"""

import asyncio
import contextlib
from collections import Counter

from trace_words import words

import greenloop

PARTIES = 2


class PrimitiveStatements:
    """What a `ProgramRun` can do with the primitives of the implementation under test."""

    def make_primitives(self) -> None:
        """Make those that a program names by number or by name."""
        api, size = self.api, self.program.queue_size
        self.queues = [api.Queue(size), api.LifoQueue(size), api.PriorityQueue(size)]
        self.events = [api.Event(), api.Event()]
        shared = api.Lock()
        self.gates = {
            "lock": api.Lock(),
            "shared": shared,
            "semaphore": api.Semaphore(2),
            "bounded": api.BoundedSemaphore(1),
            "condition": api.Condition(),
            "sharing": api.Condition(shared),
        }
        self.barrier = api.Barrier(PARTIES)
        # How many items there were so far.
        self.items = 0
        # What waits, by what it waits for; only what is awaited by its own statement.
        self.waiting: Counter = Counter()
        # How often items went in and came out: 1 is in the queue, 0 was taken.
        self.stock: list[Counter] = [Counter() for _ in self.queues]
        # Queues from which somebody takes who keeps no account, or drops what is there.
        self.unaccounted: set[int] = set()

    @contextlib.contextmanager
    def waits(self, *what: object):
        """Count a task among those who wait."""
        self.waiting[what] += 1
        try:
            yield
        finally:
            self.waiting[what] -= 1

    # Raw awaitables, to be gathered, shielded, made tasks of, or awaited with a limit.

    def get_of(self, queue: int):
        """What `get` returns, which need not be awaited, and whose item may get lost."""
        self.unaccounted.add(queue)
        return self.queues[queue].get()

    def acquisition(self, gate: str):
        """What `acquire` returns."""
        return self.gates[gate].acquire()

    def event_wait(self, number: int):
        """What `wait` of an event returns."""
        return self.events[number].wait()

    # Queues.

    def item(self, value: int) -> tuple:
        """Make an item that is like no other, and can be compared."""
        self.items += 1
        return (value, self.items)

    async def await_get(self, number: int, queue: int) -> None:
        """Take from a queue."""
        with self.waits("get", queue):
            item = await self.queues[queue].get()
        self.stock[queue][item] -= 1
        self.record("got", number, queue, item)

    async def await_put(self, number: int, queue: int, value: int) -> None:
        """Put into a queue."""
        item = self.item(value)
        with self.waits("put", queue):
            await self.queues[queue].put(item)
        self.stock[queue][item] += 1
        self.record("put", number, queue, item, self.queues[queue].qsize())

    async def await_join(self, number: int, queue: int) -> None:
        """Wait until everything was reported as done."""
        with self.waits("join", queue):
            await self.queues[queue].join()
        self.record("joined", number, queue)

    def do_get_nowait(self, queue: int) -> None:
        """Take from a queue, or be refused."""

        def get() -> None:
            item = self.queues[queue].get_nowait()
            self.stock[queue][item] -= 1
            self.record("got now", queue, item)

        self.guarded("get_nowait", get)

    def do_put_nowait(self, queue: int, value: int) -> None:
        """Put into a queue, or be refused."""
        item = self.item(value)

        def put() -> None:
            self.queues[queue].put_nowait(item)
            self.stock[queue][item] += 1

        self.guarded("put_nowait", put)

    def do_task_done(self, queue: int) -> None:
        """Report an item as done."""
        self.guarded("task_done", self.queues[queue].task_done)

    def do_shutdown(self, queue: int, immediate: bool) -> None:
        """Shut a queue down (Python 3.13 on)."""
        if immediate:
            self.unaccounted.add(queue)
        self.guarded("shutdown", self.queues[queue].shutdown, immediate)

    # What is acquired and released.

    async def await_acquire(self, number: int, gate: str) -> None:
        """Acquire, to be released by anybody at any time."""
        with self.waits("gate", gate):
            acquired = await self.gates[gate].acquire()
        self.record("acquired", number, gate, acquired)

    async def await_holding(self, number: int, gate: str, statements: list[tuple]) -> None:
        """Execute statements while holding a lock, a semaphore or a condition."""
        async with self.gates[gate] as nothing:
            self.record("holds", number, gate, nothing)
            await self.execute_all(number, statements)

    def do_release(self, gate: str) -> None:
        """Release, perhaps what somebody else has acquired, or nobody."""
        self.guarded("release", self.gates[gate].release)

    def do_look_at(self, gate: str) -> None:
        """See the primitives from outside."""
        seen = self.gates[gate]
        self.record("looked", words(repr(seen)), seen.locked())
        self.record("saw", *[words(repr(one)) for one in (*self.events, *self.queues)])

    # Events.

    async def await_wait_event(self, number: int, event: int) -> None:
        """Wait for an event."""
        with self.waits("event", event):
            result = await self.events[event].wait()
        self.record("event", number, event, result)

    def do_set_event(self, event: int, value: bool) -> None:
        """Set or clear an event."""
        if value:
            self.events[event].set()
        else:
            self.events[event].clear()

    # Conditions.

    async def await_wait_condition(self, number: int, condition: str) -> None:
        """Wait to be notified."""
        async with self.gates[condition]:
            self.record("notified", number, await self.gates[condition].wait())

    async def await_wait_until(self, number: int, condition: str, value: int) -> None:
        """Wait until the queues have brought enough items."""

        def enough() -> object:
            self.record("asked", number, value)
            return self.items >= value and self.items

        async with self.gates[condition]:
            self.record("enough", number, await self.gates[condition].wait_for(enough))

    async def await_notify(self, number: int, condition: str, count: int) -> None:
        """Notify a number of tasks, or all."""
        async with self.gates[condition]:
            if count == 0:
                self.gates[condition].notify_all()
            else:
                self.gates[condition].notify(count)
        self.record("notifies", number, count)

    def do_notify_without_lock(self, condition: str) -> None:
        """Notify, whether somebody has the lock or not."""
        self.guarded("notify", self.gates[condition].notify)

    # The barrier.

    async def await_wait_barrier(self, number: int) -> None:
        """Wait for the others."""
        with self.waits("barrier"):
            self.record("passed", number, await self.barrier.wait())

    async def await_within_barrier(self, number: int, statements: list[tuple]) -> None:
        """Wait for the others, and execute statements."""
        async with self.barrier as position:
            self.record("within", number, position, self.barrier.n_waiting, self.barrier.broken)
            await self.execute_all(number, statements)

    async def await_reset_barrier(self, number: int) -> None:
        """Send away who waits."""
        await self.barrier.reset()
        self.record("reset", number, words(repr(self.barrier)))

    async def await_abort_barrier(self, number: int) -> None:
        """Break the barrier for good."""
        await self.barrier.abort()
        self.record("aborted", number, words(repr(self.barrier)))

    # The two accounts.

    def stuck(self) -> list[tuple]:
        """Name what tasks wait for though it is there; to be asked when nothing goes on."""
        available = {
            **{("get", n): not queue.empty() for n, queue in enumerate(self.queues)},
            **{("put", n): not queue.full() for n, queue in enumerate(self.queues)},
            **{("join", n): not queue._unfinished_tasks for n, queue in enumerate(self.queues)},
            **{("gate", name): _is_free(gate) for name, gate in self.gates.items()},
            **{("event", n): event.is_set() for n, event in enumerate(self.events)},
            ("barrier",): self.waiting[("barrier",)] >= PARTIES,
        }
        return [what for what, count in self.waiting.items() if count and available[what]]

    def miscounted(self) -> list[tuple]:
        """Name items that were lost or taken twice. Empties the queues."""
        wrong = []
        for number, queue in enumerate(self.queues):
            while not queue.empty():
                self.stock[number][queue.get_nowait()] -= 1
            if number not in self.unaccounted:
                wrong += [(number, *one) for one in self.stock[number].items() if one[1]]
        return wrong


def _is_free(gate) -> bool:
    # A semaphore counts as locked as long as somebody waits, whatever its value.
    if isinstance(gate, (asyncio.Semaphore, greenloop.Semaphore)):
        return gate._value > 0
    return not gate.locked()
