"""`run` and `simulate`: a program on a loop that follows a schedule."""

from __future__ import annotations

import asyncio
import functools
import inspect
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import greenloop
from greenloop.deadlock import Deadlock
from greenloop.event_loop import EventLoop
from greenloop.testing import executors, outside, state
from greenloop.testing.callers import Callers
from greenloop.testing.errors import Diverged, EndlessRun
from greenloop.testing.faults import Offer
from greenloop.testing.network import Network
from greenloop.testing.schedule import DEFAULT_LATE, LONGEST_TOKEN, Clock, Orders, Schedule

_T = TypeVar("_T")

MOST_STEPS: Final = 1_000_000
"""After how many steps a run is taken to be endless, if nothing else is said."""

# The attributes of a loop that belong to its simulation.
_OF_SIMULATION: Final = (
    "run_in_executor",
    "_simulated_by",
    "_offered_faults",
    "_stuck_after",
    "_settled_after",
)

# How often a deadlock is looked at again before it is believed.
_LOOKS: Final = 5


@dataclass(frozen=True)
class Account:
    """What a simulated run has done so far."""

    steps: int
    """How many jobs ran: steps of tasks, callbacks, timers."""

    points: int
    """At how many points there was something to choose."""

    digest: int
    """A number that stands for the whole run: two runs with the same were asked the same."""

    schedule: Schedule
    """The schedule by its deviations, or by its seed where these are too many for a token.

    It has the fault that the run was to have.
    """

    deviations: tuple[tuple[int, int], ...]
    """The choices that were not asyncio's, as pairs: the point, and by how much the job was later.

    First come the jobs of its turn that it let pass, and then turns.
    """

    diverged: int | None
    """The point at which the run was found not to be the one of its schedule."""

    limits: tuple[int, ...]
    """The largest choice at each point, if that was asked for."""

    faults: int
    """How many faults the run has offered (`with_faults`)."""

    fault: str | None
    """The fault that came about: what it was, and at which await."""

    @property
    def difference(self) -> str | None:
        """In which way the run was not the one of its schedule, or None if it was."""
        if self.diverged is not None:
            return f"at point {self.diverged} of {self.points}"
        if self.schedule.fault is not None and self.fault is None:
            return f"in its faults: it offers {self.faults}, numbered from 0"
        return None


def simulate(
    loop: EventLoop,
    schedule: Schedule,
    *,
    deviations: Sequence[tuple[int, int]] | None = None,
    limits: bool = False,
    most_steps: int = MOST_STEPS,
    network: Network | None = None,
) -> None:
    """Have a loop that does not run yet follow a schedule, until `end_simulation`.

    `run` and `explore` are made of it, and so are plugins of test runners.

    Args:
        loop: A loop of Greenloop's.
        schedule: The schedule.
        deviations: Pairs as in `Account.deviations`, in the place of the schedule's own choices.
        limits: Whether `Account.limits` are noted.
        most_steps: After how many steps `EndlessRun` is raised.
        network: The network that the loop uses meanwhile, in the place of the system's.

    Raises:
        TypeError: The loop is another one.
        ValueError: The token of the schedule is damaged.
        RuntimeError: The loop runs, is closed, or is simulated already.
    """
    if not isinstance(loop, EventLoop):
        raise TypeError(f"only Greenloop's loops can be simulated, not {loop!r}")
    native: Any = loop
    native._simulate(
        schedule.order,
        (outside.patience, _stuck, Callers()),
        most_steps,
        deviations=None if deviations is None else list(deviations),
        limits=limits,
    )
    native.run_in_executor = functools.partial(executors.run_in_executor, loop)
    # Deviations that were given have no seed that could stand for them.
    native._simulated_by = schedule if deviations is None else None
    native._offered_faults = Offer(schedule.fault)
    if network is not None:
        network.attach(loop)


def end_simulation(loop: EventLoop) -> None:
    """Have a loop go on as in production. A loop that is not simulated stays as it is."""
    _end_schedule(loop)
    network = Network.of(loop)
    if network is not None:
        network.detach(loop)


def _end_schedule(loop: EventLoop) -> None:
    native: Any = loop
    native._end_simulation()
    for name in _OF_SIMULATION:
        vars(loop).pop(name, None)


def account(loop: EventLoop) -> Account:
    """Return what the simulated loop has done so far.

    Raises:
        RuntimeError: The loop is not simulated.
    """
    native: Any = loop
    found = native._simulation()
    if found is None:
        raise RuntimeError(f"{loop!r} is not simulated")
    steps, points, digest, token, deviations, diverged, limits = found
    offer: Offer = native._offered_faults
    schedule = Schedule.parse(token).with_fault(offer.wanted)
    if native._simulated_by is not None and len(schedule.token) > LONGEST_TOKEN:
        schedule = native._simulated_by
    return Account(
        steps,
        points,
        digest,
        schedule,
        tuple(deviations),
        diverged,
        tuple(limits),
        offer.count,
        offer.happened,
    )


def run(
    main: Coroutine[Any, Any, _T] | Callable[[], Awaitable[_T]],
    *,
    schedule: Schedule | str | None = None,
    seed: int | None = None,
    orders: Orders = "exact",
    clock: Clock = "virtual",
    late: int = DEFAULT_LATE,
    most_steps: int = MOST_STEPS,
    network: Network | None = None,
) -> _T:
    """Run a program once under a schedule, on a new loop, and return its result.

    Without a schedule and without a seed the order is asyncio's, and only time is virtual. An
    exception of the program gets a note with the token that gives the same run again.

    Args:
        main: The coroutine, or a function that is called without arguments and returns an
            awaitable.
        schedule: A schedule or its token. It has the level, clock and lateness of its own.
        seed: Choose by chance, and by this seed.
        orders: With a seed: `"exact"` or `"hostile"`.
        clock: Without a schedule: `"virtual"` or `"real"`.
        late: With a seed: by how many turns a job may be late.
        most_steps: After how many steps the run is taken to be endless.
        network: The network that the program uses, in the place of the system's.

    Raises:
        Deadlock: The program waits for what can never happen.
        EndlessRun: It did more steps than it was allowed to.
        Diverged: It ended well, but was not the run of the schedule.
        ValueError: Arguments are none, or a schedule and a seed were given.
    """
    if schedule is not None and seed is not None:
        raise ValueError("a run has a schedule or a seed, not both")
    if isinstance(schedule, str):
        schedule = Schedule.parse(schedule)
    if schedule is None and seed is not None:
        schedule = Schedule.by_seed(seed, orders=orders, clock=clock, late=late)
    if schedule is None:
        schedule = Schedule.asyncios(orders=orders, clock=clock, late=late)
    outcome = run_once(main, schedule, most_steps=most_steps, network=network)
    if outcome.exception is not None:
        outcome.exception.add_note(note(outcome.account))
        raise outcome.exception
    difference = outcome.account.difference
    if difference is not None:
        raise Diverged(f"the run differs from the one of the schedule {schedule} {difference}")
    result: _T = outcome.result
    return result


@dataclass(frozen=True)
class Outcome:
    """How a run ended."""

    result: Any
    exception: BaseException | None
    account: Account


def run_once(
    main: Coroutine[Any, Any, Any] | Callable[[], Awaitable[Any]],
    schedule: Schedule,
    *,
    deviations: Sequence[tuple[int, int]] | None = None,
    limits: bool = False,
    most_steps: int = MOST_STEPS,
    network: Network | None = None,
) -> Outcome:
    """Run a program once, and return how it ended. `KeyboardInterrupt` and `SystemExit` go on."""
    result: Any = None
    exception: BaseException | None = None
    with ExitStack() as stack:
        runner = greenloop.Runner()
        loop: Any = runner.get_loop()
        if network is not None:
            # Until the runner has closed the loop: tasks that are left may end their connections.
            network.attach(loop)
            stack.callback(network.detach, loop)
        stack.enter_context(runner)
        simulate(loop, schedule, deviations=deviations, limits=limits, most_steps=most_steps)
        try:
            result = runner.run(_coroutine(main))
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:
            exception = error
        told = account(loop)
        # Tasks that are left are cancelled in asyncio's order, and nobody is asked any more.
        _end_schedule(loop)
    return Outcome(result, exception, told)


def _coroutine(main: Any) -> Coroutine[Any, Any, Any]:
    if inspect.iscoroutine(main):
        return main
    if inspect.iscoroutinefunction(main):
        made: Coroutine[Any, Any, Any] = main()
        return made
    # Another function may need the running loop to make what it returns.
    return _await(main)


async def _await(main: Any) -> Any:
    return await main()


def note(account: Account) -> str:
    """Return the line that says how to run the same again."""
    count = len(account.deviations)
    deviations = "1 deviation" if count == 1 else f"{count} deviations"
    fault = "" if account.fault is None else f", {account.fault}"
    return (
        f"greenloop: {account.schedule.orders} orders, {account.schedule.clock} clock, "
        f"{account.steps} steps, {deviations} from asyncio's order{fault}; "
        f"the same again: {account.schedule}"
    )


def _stuck(how: str) -> None:
    """Raise the exception of a run that can never go on, or that never ends."""
    if how == "deadlock":
        loop: Any = asyncio.get_running_loop()
        steps = loop._simulation()[0]
        # A thread may have called the loop while it asked what is outside, and have ended, or have
        # been on its way to the loop though it was seen to wait.
        after, looks = vars(loop).get("_stuck_after", (steps, 0))
        looks = looks + 1 if after == steps else 1
        if looks <= _LOOKS:
            loop._stuck_after = steps, looks
            if threading.active_count() > 1:
                time.sleep(outside.PATIENCE / _LOOKS)
            return
        raise Deadlock(f"deadlock: nothing is left to happen\n{state.described()}")
    raise EndlessRun(f"the run does not end\n{state.described()}")
