"""`explore`: a program in many orders, and the shortest schedule in which it fails."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from greenloop.testing import showing
from greenloop.testing.network import Network
from greenloop.testing.schedule import DEFAULT_LATE, Clock, Orders, Schedule
from greenloop.testing.searching import by_chance, within_bound
from greenloop.testing.shrinking import Run, shrink
from greenloop.testing.simulation import MOST_STEPS, Account, Outcome, note, run_once

if TYPE_CHECKING:
    from greenloop.tracing import Trace


@dataclass(frozen=True)
class Finding:
    """A failure, and the shortest schedule that was found to bring it about."""

    exception: BaseException
    """The exception of the program under that schedule."""

    schedule: Schedule
    """The schedule. Its text is the token for `run`."""

    account: Account
    """What the run did."""

    found_after: int
    """In which run it was found first, counted from 1."""

    shrunk_in: int
    """How many further runs it took to find the schedule."""

    trace: Trace | None
    """What the tasks did in that run, or None where the process is recorded by something else."""

    @property
    def diagram(self) -> str | None:
        """The sequence diagram of the trace as text."""
        return None if self.trace is None else showing.diagram(self.trace)


@dataclass(frozen=True)
class Exploration:
    """What the runs of a program came to."""

    runs: int
    """How many runs there were, those to shrink a failure not counted."""

    steps: int
    """How many jobs ran in all of them."""

    finding: Finding | None
    """The failure, if one was found."""

    exhausted: bool
    """Whether no order is left.

    Either nothing was ever to be chosen, and the program has run once, and once with each fault
    that it offers; or all orders within the bound were tried.

    Schedules do not vary how long a step takes. In production timers with different deadlines may
    come in another order if the process stands still between the steps that set them.
    """

    def check(self) -> None:
        """Raise the exception that was found, with notes: how to run the same again, and a diagram.

        If none was found, do nothing.
        """
        if self.finding is None:
            return
        exception, diagram = self.finding.exception, self.finding.diagram
        exception.add_note(note(self.finding.account))
        if diagram is not None:
            exception.add_note(diagram)
        raise exception


def explore(
    main: Callable[[], Awaitable[Any]],
    *,
    schedules: int = 1000,
    orders: Orders = "exact",
    clock: Clock = "virtual",
    late: int = DEFAULT_LATE,
    seed: int = 0,
    bound: int | None = None,
    most_steps: int = MOST_STEPS,
    network: Network | None = None,
) -> Exploration:
    """Run a program in many orders and with its faults, until it fails in one.

    The first run has asyncio's order, and those after it that order with each fault that the
    program offers (`with_faults`). Then single deviations from it and random schedules take turns;
    half of the latter have a random fault. With a bound, all orders with at most so many deviations
    are tried instead, those with fewer first, without a fault and with each. A failure is any
    exception of the program, a deadlock, or a run without an end.

    Args:
        main: A function that is called without arguments for each run, and returns an awaitable. It
            makes everything that a run uses anew.
        schedules: How many runs there are at most.
        orders: `"exact"` or `"hostile"`.
        clock: `"virtual"` or `"real"`.
        late: By how many turns a job may be late.
        seed: Another one tries other random schedules.
        bound: How many deviations from asyncio's order a schedule has at most, if all of them are
            to be tried. Few failures need more than two.
        most_steps: After how many steps a run is taken to be endless.
        network: The network that the program uses, in the place of the system's. Each run begins
            with what was configured before, and with the first of its chances.

    Raises:
        ValueError: Arguments are none.
    """
    if schedules < 1:
        raise ValueError(f"at least one schedule is run, not {schedules!r}")
    if bound is not None and bound < 0:
        raise ValueError(f"a bound is a number of deviations from 0, not {bound!r}")
    base = Schedule.asyncios(orders=orders, clock=clock, late=late)

    def run(deviations: list[tuple[int, int]], fault: int | None) -> Outcome:
        schedule = base.with_fault(fault)
        return run_once(
            main, schedule, deviations=deviations, most_steps=most_steps, network=network
        )

    first = run_once(main, base, limits=True, most_steps=most_steps, network=network)
    steps = first.account.steps
    if first.exception is not None:
        return Exploration(1, steps, _finding(run, first, 1, 0), False)
    runs = 1
    if bound is None:
        search = by_chance(first.account, base, seed)
    else:
        search = within_bound(first.account, base, bound)
    attempt = next(search, None)
    while attempt is not None and runs < schedules:
        runs += 1
        outcome = run_once(
            main,
            attempt.schedule,
            deviations=attempt.deviations,
            limits=bound is not None,
            most_steps=most_steps,
            network=network,
        )
        steps += outcome.account.steps
        if outcome.exception is not None:
            shrunk, tried = shrink(run, outcome)
            return Exploration(runs, steps, _finding(run, shrunk, runs, tried), False)
        try:
            attempt = search.send(outcome.account)
        except StopIteration:
            attempt = None
    return Exploration(runs, steps, None, exhausted=attempt is None)


def _finding(run: Run[Outcome], failure: Outcome, found_after: int, shrunk_in: int) -> Finding:
    """Run the failure once more, to record it."""
    assert failure.exception is not None
    account = failure.account
    again, trace = showing.recorded(lambda: run(list(account.deviations), account.schedule.fault))
    if type(again.exception) is not type(failure.exception):
        # It depends on what no schedule decides: the trace would be one of another run.
        trace = None
    return Finding(failure.exception, account.schedule, account, found_after, shrunk_in, trace)
