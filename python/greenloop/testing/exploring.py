"""`explore`: a program in many orders, and the shortest schedule in which it fails."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from greenloop.testing.schedule import DEFAULT_LATE, Clock, Orders, Schedule
from greenloop.testing.shrinking import shrink
from greenloop.testing.simulation import MOST_STEPS, Account, Outcome, note, run_once

SWEPT_SHARE: Final = 2
"""One in so many schedules tries a single deviation while there are any; others are random."""


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
    """Whether nothing was ever to be chosen, so that no schedule has another order.

    Schedules do not vary how long a step takes. In production timers with different deadlines may
    come in another order if the process stands still between the steps that set them.
    """

    def check(self) -> None:
        """Raise the exception that was found, with a note that says how to run the same again.

        If none was found, do nothing.
        """
        if self.finding is not None:
            self.finding.exception.add_note(note(self.finding.account))
            raise self.finding.exception


def explore(
    main: Callable[[], Awaitable[Any]],
    *,
    schedules: int = 1000,
    orders: Orders = "exact",
    clock: Clock = "virtual",
    late: int = DEFAULT_LATE,
    seed: int = 0,
    most_steps: int = MOST_STEPS,
) -> Exploration:
    """Run a program in many orders, until it fails in one.

    The first run has asyncio's order. Then single deviations from it and random schedules take
    turns. A failure is any exception of the program, a deadlock, or a run without an end.

    Args:
        main: A function that is called without arguments for each run, and returns an awaitable. It
            makes everything that a run uses anew.
        schedules: How many runs there are at most.
        orders: `"exact"` or `"hostile"`.
        clock: `"virtual"` or `"real"`.
        late: By how many turns a job may be late.
        seed: Another one tries other schedules.
        most_steps: After how many steps a run is taken to be endless.

    Raises:
        ValueError: Arguments are none.
    """
    if schedules < 1:
        raise ValueError(f"at least one schedule is run, not {schedules!r}")
    base = Schedule.asyncios(orders=orders, clock=clock, late=late)
    first = run_once(main, base, limits=True, most_steps=most_steps)
    steps = first.account.steps
    if first.exception is not None:
        return Exploration(1, steps, _finding(first, 1, 0), False)
    if not first.account.points:
        return Exploration(1, steps, None, True)
    runs = 1
    for deviations, schedule in tries(first.account.limits, base, seed):
        if runs == schedules:
            break
        runs += 1
        outcome = run_once(main, schedule, deviations=deviations, most_steps=most_steps)
        steps += outcome.account.steps
        if outcome.exception is not None:
            shrunk, tried = shrink(
                lambda deviations: run_once(
                    main, base, deviations=deviations, most_steps=most_steps
                ),
                outcome,
            )
            return Exploration(runs, steps, _finding(shrunk, runs, tried), False)
    return Exploration(runs, steps, None, False)


def _finding(outcome: Outcome, found_after: int, shrunk_in: int) -> Finding:
    assert outcome.exception is not None
    account = outcome.account
    return Finding(outcome.exception, account.schedule, account, found_after, shrunk_in)


def tries(
    limits: tuple[int, ...], base: Schedule, seed: int
) -> Iterator[tuple[list[tuple[int, int]] | None, Schedule]]:
    """Yield the schedules to try: those with a single deviation, and random ones in between.

    Args:
        limits: The largest choice at each point of the run in asyncio's order.
        base: The schedule of that run. Deviations are from its order.
        seed: Another one yields others.
    """
    singles = [(point, by) for point, most in enumerate(limits) for by in range(1, most + 1)]
    random.Random(seed).shuffle(singles)
    number = 0
    while True:
        if singles and number % SWEPT_SHARE == 0:
            yield [singles.pop()], base
        else:
            chance = random.Random(f"{seed} {number}").getrandbits(32)
            level, clock, late = base.orders, base.clock, base.late
            yield None, Schedule.by_seed(chance, orders=level, clock=clock, late=late)
        number += 1
