"""A random program of tasks on a queue has the same trace with asyncio's classes and with ours.

A trace is every event with its turn, its outcome and the queue in words. Our classes run on our
loop with and without debug mode, where a wait goes through a future, and on asyncio's loop.
"""

import asyncio
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import greenloop
from greenloop import _native

pytestmark = pytest.mark.slow

KINDS = ("Queue", "LifoQueue", "PriorityQueue")
# Half of the items do not compare with the other half, which a priority queue stumbles over.
ITEMS = st.one_of(st.integers(0, 9), st.sampled_from("ab"))
TURNS = 40


def overriding(base):
    """A subclass as users write them: own methods, which the queue has to call."""

    class Overriding(base):
        def _init(self, maxsize):
            self.calls = ["init"]
            super()._init(maxsize)

        def _put(self, item):
            self.calls.append("put")
            super()._put(item)

        def _get(self):
            self.calls.append("get")
            return super()._get()

        def qsize(self):
            self.calls.append("qsize")
            return super().qsize()

        def empty(self):
            self.calls.append("empty")
            return super().empty()

        def full(self):
            self.calls.append("full")
            return super().full()

        def put_nowait(self, item):
            self.calls.append("put_nowait")
            return super().put_nowait(item)

        def get_nowait(self):
            self.calls.append("get_nowait")
            return super().get_nowait()

    Overriding.__name__ = base.__name__
    return Overriding


def own_store(base):
    """A subclass with a store of its own."""

    class OwnStore(base):
        def _init(self, maxsize):
            self._queue = {}

        def _put(self, item):
            self._queue[item] = None

        def _get(self):
            return self._queue.popitem()[0]

    OwnStore.__name__ = base.__name__
    return OwnStore


VARIANTS = {"plain": lambda base: base, "overriding": overriding, "own store": own_store}


def statements():
    return st.one_of(
        st.tuples(st.just("put"), ITEMS),
        st.tuples(st.just("get")),
        st.tuples(st.just("put"), ITEMS),
        st.tuples(st.just("get")),
        st.tuples(st.just("put_nowait"), ITEMS),
        st.tuples(st.just("get_nowait")),
        st.tuples(st.just("task_done")),
        st.tuples(st.just("join")),
        st.tuples(st.just("cancel"), st.integers(0, 4)),
        st.tuples(st.just("yield"), st.integers(1, 3)),
        st.tuples(st.just("task of get")),
        st.tuples(st.just("look at the store")),
        st.tuples(st.just("resize"), st.integers(-1, 3)),
    )


# The turn of a shutdown and whether it is an immediate one.
SHUTDOWNS = st.tuples(st.integers(1, 12), st.booleans())
if sys.version_info < (3, 13):
    SHUTDOWNS = st.nothing()


PROGRAMS = st.fixed_dictionaries(
    {
        "kind": st.sampled_from(KINDS),
        "variant": st.sampled_from(["plain", "plain", "overriding", "own store"]),
        "maxsize": st.sampled_from([0, 1, 1, 2, 3, 1.5, -1, True]),
        "tasks": st.lists(st.lists(statements(), max_size=8), min_size=1, max_size=5),
        "stubborn": st.booleans(),
        "shutdown": st.one_of(st.none(), st.none(), st.none(), SHUTDOWNS),
    }
)


class Run:
    """One program, run once."""

    def __init__(self, program, classes):
        base = getattr(classes, program["kind"])
        self.program = program
        self.queue = VARIANTS[program["variant"]](base)(program["maxsize"])
        self.trace = []
        self.turn = 0
        self.tasks = []

    def record(self, *words):
        calls = list(getattr(self.queue, "calls", ()))
        self.trace.append((self.turn, *words, str(self.queue), calls))

    def count_turns(self, loop):
        self.turn += 1
        shutdown = self.program["shutdown"]
        if shutdown and shutdown[0] == self.turn:
            try:
                self.queue.shutdown(immediate=shutdown[1])
            except TypeError as error:
                # A queue of priorities cannot hand out items that have no order.
                self.record("shutdown", str(error))
            else:
                self.record("shutdown")
        loop.call_soon(self.count_turns, loop)

    async def execute(self, verb, *arguments):
        queue = self.queue
        if verb in ("put", "get", "join"):
            return await getattr(queue, verb)(*arguments)
        if verb == "cancel":
            number = arguments[0] % len(self.tasks)
            return self.tasks[number].cancel()
        if verb == "yield":
            for _ in range(*arguments):
                await asyncio.sleep(0)
            return None
        if verb == "task of get":
            self.tasks.append(asyncio.ensure_future(queue.get()))
            return None
        if verb == "look at the store":
            return repr(queue._queue)
        if verb == "resize":
            queue._maxsize = arguments[0]
            return None
        return getattr(queue, verb)(*arguments)

    async def body(self, number, statements):
        for statement in statements:
            try:
                result = await self.execute(*statement)
            except asyncio.CancelledError:
                self.record(number, statement, "cancelled")
                if not self.program["stubborn"]:
                    raise
            except Exception as error:
                self.record(number, statement, type(error).__name__, str(error))
            else:
                self.record(number, statement, result)

    async def main(self):
        loop = asyncio.get_running_loop()
        self.count_turns(loop)
        bodies = enumerate(self.program["tasks"])
        self.tasks += [loop.create_task(self.body(*numbered)) for numbered in bodies]
        while self.turn < TURNS:
            await asyncio.sleep(0)
        self.record("in the end", len(self.queue._getters), len(self.queue._putters))
        # Stubborn tasks go on with their next statement, which may make another task that waits.
        while not all(task.done() for task in self.tasks):
            for task in self.tasks:
                task.cancel()
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        results = await asyncio.gather(*self.tasks, return_exceptions=True)
        self.record("results", [repr(result) for result in results])


def trace_of(program, classes, new_loop, debug=False):
    run = Run(program, classes)
    with asyncio.Runner(loop_factory=new_loop, debug=debug) as runner:
        runner.run(run.main())
    return run.trace


CONTESTANTS = {
    "on our loop": (greenloop.new_event_loop, False),
    "on our loop in debug mode": (greenloop.new_event_loop, True),
    "on asyncio's loop": (asyncio.SelectorEventLoop, False),
}


@settings(max_examples=min(settings().max_examples, 500))
@given(PROGRAMS)
@pytest.mark.parametrize("contestant", CONTESTANTS.values(), ids=CONTESTANTS.keys())
def test_a_program_has_the_same_trace_as_with_asyncios_queues(contestant, program):
    expected = trace_of(program, asyncio.queues, asyncio.SelectorEventLoop)
    assert trace_of(program, _native, *contestant) == expected
