"""Random tasks on random primitives, cancelled at random turns, leave the same trace as on asyncio.

The trace says in which turn each wait ended and how, and after each turn the state of every
primitive: its value, how many stand in its line, and which of those were woken or cancelled.
"""

import asyncio

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from primitives_under_test import ORACLE, SETTINGS, Setting, turns

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::RuntimeWarning")]


def inherited(setting):
    """The same classes, inherited from, so that every call is made by name."""

    class Classes:
        pass

    for name in ("Lock", "Event", "Semaphore", "BoundedSemaphore", "Condition", "Barrier"):
        setattr(Classes, name, type(name, (getattr(setting, name),), {}))
    return Setting(Classes, setting.run)


def over_asyncios_lock(setting):
    """The same classes, but for conditions over a lock that is asyncio's."""

    class Classes:
        def Condition():
            return setting.Condition(ORACLE.Lock())

    for name in ("Lock", "Event", "Semaphore", "BoundedSemaphore", "Barrier"):
        setattr(Classes, name, getattr(setting, name))
    return Setting(Classes, setting.run)


OTHERS = {name: setting for name, setting in SETTINGS.items() if setting is not ORACLE}
CONTESTANTS = {
    **OTHERS,
    "inherited": inherited(OTHERS["greenloop"]),
    "over-asyncios-lock": over_asyncios_lock(OTHERS["greenloop"]),
}

STATEMENTS = [
    *("lock", "take a permit", "give a permit", "with a permit", "bounded", "give bounded"),
    *("set", "clear", "wait for event", "wait", "wait for number", "notify", "count"),
    *("barrier", "enter barrier", "reset", "abort", "sleep"),
]
# A statement, how long it holds what it got, and a number for whatever it needs.
statement = st.tuples(st.sampled_from(STATEMENTS), st.integers(0, 3), st.integers(0, 3))
# What happens between two turns: nothing, or a task is cancelled.
moments = st.lists(st.none() | st.integers(0, 5), max_size=40)
programs = st.tuples(
    st.lists(st.lists(statement, min_size=1, max_size=6), min_size=2, max_size=6),
    moments,
    st.integers(0, 2),
    st.integers(1, 3),
)


class Program:
    """One run of a program on one kind of primitives."""

    def __init__(self, sync, permits, parties):
        self.trace, self.turn, self.number = [], 0, 0
        self.lock, self.event = sync.Lock(), sync.Event()
        self.semaphore, self.bounded = sync.Semaphore(permits), sync.BoundedSemaphore(1)
        self.condition, self.barrier = sync.Condition(), sync.Barrier(parties)

    def states(self):
        barrier = self.barrier
        lines = [self.lock, self.event, self.semaphore, self.bounded, self.condition]
        return (
            self.lock.locked(),
            self.event.is_set(),
            (self.semaphore._value, self.semaphore.locked(), self.bounded._value),
            self.condition.locked(),
            (barrier._state, barrier._count, barrier.n_waiting, barrier.broken),
            [line._waiters is None for line in lines],
            [
                [(one.done(), one.cancelled()) for one in line._waiters or ()]
                for line in [*lines, barrier._cond]
            ],
        )

    async def perform(self, what, hold, number):
        match what:
            case "lock":
                async with self.lock:
                    await turns(hold)
            case "take a permit":
                return await self.semaphore.acquire()
            case "give a permit":
                self.semaphore.release()
            case "with a permit":
                async with self.semaphore:
                    await turns(hold)
            case "bounded":
                return await self.bounded.acquire()
            case "give bounded":
                self.bounded.release()
            case "set":
                self.event.set()
            case "clear":
                self.event.clear()
            case "wait for event":
                return await self.event.wait()
            case "wait":
                async with self.condition:
                    return await self.condition.wait()
            case "wait for number":
                async with self.condition:
                    return await self.condition.wait_for(lambda: self.number > number)
            case "notify":
                async with self.condition:
                    self.condition.notify(number)
                    await turns(hold)
            case "count":
                async with self.condition:
                    self.number += 1
                    self.condition.notify_all()
                    await turns(hold)
            case "barrier":
                return await self.barrier.wait()
            case "enter barrier":
                async with self.barrier as index:
                    return index
            case "reset":
                await self.barrier.reset()
            case "abort":
                await self.barrier.abort()
            case "sleep":
                await turns(number)
        return None

    async def task(self, name, statements):
        for what, hold, number in statements:
            try:
                outcome = await self.perform(what, hold, number)
            except (asyncio.CancelledError, Exception) as error:
                outcome = (type(error), error.args, type(error.__context__))
                if isinstance(error, asyncio.CancelledError) and number % 2:
                    self.trace.append((self.turn, name, what, outcome))
                    raise
            self.trace.append((self.turn, name, what, outcome))

    async def run(self, bodies, moments):
        tasks = [asyncio.create_task(self.task(*named)) for named in enumerate(bodies)]
        for cancelled in [*moments, *[None] * 10]:
            self.turn += 1
            self.trace.append(self.states())
            if cancelled is not None:
                task = tasks[cancelled % len(tasks)]
                self.trace.append(task.cancel(f"in turn {self.turn}"))
            await asyncio.sleep(0)
        for _ in range(12):
            for task in tasks:
                task.cancel("at the end")
            await asyncio.sleep(0)
        self.trace.append([(task.done(), task.done() and task.cancelled()) for task in tasks])
        self.trace.append(self.states())
        return self.trace


def trace_of(program, sync):
    bodies, moments, permits, parties = program

    async def main():
        return await Program(sync, permits, parties).run(bodies, moments)

    return sync.run(main())


@pytest.mark.parametrize("contestant", CONTESTANTS.values(), ids=CONTESTANTS.keys())
def test_tasks_wait_as_they_do_on_asyncio(contestant):
    """The main property."""
    most = settings().max_examples
    examples = most if contestant is OTHERS["greenloop"] else min(most, 200)

    @settings(max_examples=examples)
    @given(programs)
    def check(program):
        assert trace_of(program, contestant) == trace_of(program, ORACLE)

    check()


def test_an_unfair_lock_is_found_out():
    """Else the property would prove nothing."""

    class Unfair(ORACLE.Lock):
        async def acquire(self):
            while self._locked:
                await asyncio.sleep(0)
            self._locked = True
            return True

    class Classes:
        Lock = Unfair

    for name in ("Event", "Semaphore", "BoundedSemaphore", "Condition", "Barrier"):
        setattr(Classes, name, getattr(ORACLE, name))

    # That it fails is enough: the smallest program that does so is not looked for.
    @settings(max_examples=300, database=None, print_blob=False, phases=[Phase.generate])
    @given(programs)
    def check(program):
        assert trace_of(program, Setting(Classes, asyncio.run)) == trace_of(program, ORACLE)

    with pytest.raises(AssertionError):
        check()
