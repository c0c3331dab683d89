"""A task in timeouts, waits and groups is cancelled at every turn: the trace is asyncio's.

The trace says in which turn each part of a program went on and how it ended, with the causes and
contexts of exceptions and how many requests for cancellation are left.
"""

import asyncio
import itertools
import sys
import time

import pytest

from primitives_under_test import SCOPES, turns

# Long enough to be in the future when a program comes to its first wait, and short enough to spin.
SOON = 0.002
LATER = 0.0025
DELAYS = (SOON, 0, 1000, None)

# Turns at which the task is cancelled.
CANCELLATIONS = [(), *((turn,) for turn in range(7)), (2, 4), (3, 3), (4, 6)]


class Trouble(Exception):
    pass


def described(error, depth=4):
    """An exception and what it came from."""
    if error is None or depth == 0:
        return None
    members = getattr(error, "exceptions", ())
    return (
        type(error).__name__,
        tuple(argument for argument in error.args if isinstance(argument, (str, int))),
        tuple(described(member, depth - 1) for member in members),
        described(error.__cause__, depth - 1),
        described(error.__context__, depth - 1),
    )


class World:
    """What a program sees: the scopes under test, and where it leaves its trace."""

    def __init__(self, scopes):
        self.scopes = scopes
        self.turn = 0
        self.trace = []

    def log(self, *what):
        self.trace.append((self.turn, *what))

    async def count(self):
        for _ in range(40):
            await turns(1)
            self.turn += 1

    async def pass_deadlines(self):
        """All that was to end soon is due in the fourth turn."""
        await turns(3)
        over = time.monotonic() + 0.003
        while time.monotonic() < over:
            pass

    async def child(self, name, number, error=None, when_cancelled=None):
        try:
            await turns(number)
        except asyncio.CancelledError as cancellation:
            self.log(name, "cancelled", cancellation.args)
            if when_cancelled:
                await turns(2)
                raise when_cancelled from None
            raise
        self.log(name, "done")
        if error:
            raise error
        return name


async def waits(world):
    await turns(6)
    return "waited"


async def swallows(world):
    try:
        await turns(6)
    except asyncio.CancelledError:
        world.log("swallowed")
    await turns(2)
    return "swallowed"


async def fails_when_cancelled(world):
    try:
        await turns(6)
    except asyncio.CancelledError:
        raise Trouble(1)


async def fails_together_when_cancelled(world):
    try:
        await turns(6)
    except asyncio.CancelledError:
        raise ExceptionGroup("together", [Trouble(1), Trouble(2)])


async def cancels_itself(world):
    asyncio.current_task().cancel("myself")
    await turns(2)


async def returns(world):
    return "returned"


async def fails(world):
    raise Trouble(0)


BODIES = [
    waits,
    swallows,
    fails_when_cancelled,
    fails_together_when_cancelled,
    cancels_itself,
    returns,
    fails,
]


def in_timeout(delay, body):
    async def program(world):
        async with world.scopes.timeout(delay) as scope:
            try:
                await body(world)
            finally:
                world.log("leaves", scope.expired())
        world.log("left", scope.expired(), repr(scope))

    return program


def in_two_timeouts(outer, inner, body):
    async def program(world):
        async with world.scopes.timeout(outer) as one:
            try:
                async with world.scopes.timeout(inner) as other:
                    await body(world)
            finally:
                world.log(one.expired(), other.expired(), asyncio.current_task().cancelling())

    return program


def in_wait_for(delay, body):
    async def program(world):
        return await world.scopes.wait_for(body(world), delay)

    return program


def task_in_wait_for(delay, body):
    async def program(world):
        task = asyncio.ensure_future(body(world))
        try:
            return await world.scopes.wait_for(task, delay)
        finally:
            world.log("the task is", task.done(), task.cancelled())

    return program


def in_group(children, body):
    async def program(world):
        group = world.scopes.TaskGroup()
        try:
            async with group:
                for number, child in enumerate(children):
                    group.create_task(world.child(number, *child))
                await body(world)
        finally:
            world.log(repr(group), group._parent_cancel_requested, repr(group._errors))

    return program


def in_group_in_timeout(children, body):
    async def program(world):
        async with world.scopes.timeout(SOON):
            await in_group(children, body)(world)

    return program


CHILDREN = {
    "none": [],
    "well": [(1,), (4,)],
    "failing": [(2, Trouble("a")), (5,)],
    "failing twice": [(1, Trouble("a")), (1, Trouble("b")), (4,)],
    "failing when cancelled": [(2, Trouble("a")), (9, None, Trouble("late"))],
}


def programs():
    """Every combination, named."""
    for delay, body in itertools.product(DELAYS, BODIES):
        yield f"timeout {delay} {body.__name__}", in_timeout(delay, body)
        yield f"wait_for {delay} {body.__name__}", in_wait_for(delay, body)
        yield f"wait_for {delay} task {body.__name__}", task_in_wait_for(delay, body)
    for delays in ((SOON, LATER), (LATER, SOON), (0, 0), (SOON, 1000), (1000, 0)):
        for body in (waits, swallows, fails_when_cancelled):
            yield f"timeouts {delays} {body.__name__}", in_two_timeouts(*delays, body)
    for (name, children), body in itertools.product(CHILDREN.items(), BODIES):
        yield f"group {name} {body.__name__}", in_group(children, body)
        yield f"group {name} {body.__name__} in a timeout", in_group_in_timeout(children, body)


PROGRAMS = dict(programs())


def trace(scopes, program, eager, cancellations):
    """What the program does if it is cancelled at these turns."""

    async def main():
        if eager:
            asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)

        async def guarded():
            try:
                world.log("returned", await program(world))
            except BaseException as error:
                world.log("raised", described(error))
            world.log("cancelling", asyncio.current_task().cancelling())
            try:
                await turns(2)
            except asyncio.CancelledError as error:
                world.log("later", described(error))

        async def cancel(turn):
            await turns(turn)
            world.log("cancel", task.cancel(f"at {turn}"))

        counter = asyncio.create_task(world.count())
        others = [asyncio.create_task(world.pass_deadlines())]
        task = asyncio.create_task(guarded())
        others += [asyncio.create_task(cancel(turn)) for turn in cancellations]
        await asyncio.wait([task, *others])
        counter.cancel()

    world = World(scopes)
    scopes.run(main())
    return world.trace


def assert_same(kind, program, eager, cancellations):
    """Compare with asyncio. A machine that stands still lets deadlines pass early, so try again."""
    for _ in range(10):
        expected = trace(SCOPES["asyncio"], program, eager, cancellations)
        seen = trace(SCOPES[kind], program, eager, cancellations)
        if seen == expected:
            return
    assert seen == expected


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("kind", ["greenloop", "greenloop-on-asyncio"])
@pytest.mark.parametrize("name", PROGRAMS)
def test_the_trace_is_asyncios(name, kind):
    for cancellations in CANCELLATIONS:
        assert_same(kind, PROGRAMS[name], False, cancellations)


@pytest.mark.slow
@pytest.mark.skipif(sys.version_info < (3, 12), reason="there are eager tasks from 3.12 on")
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("name", [name for name in PROGRAMS if "in a timeout" not in name])
def test_the_trace_of_eager_tasks_is_asyncios(name):
    for cancellations in CANCELLATIONS:
        assert_same("greenloop", PROGRAMS[name], True, cancellations)
