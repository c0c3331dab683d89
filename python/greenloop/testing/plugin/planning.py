"""`Plan`: in which orders a test of pytest runs, by its options and markers."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Final

from greenloop.event_loop import EventLoop
from greenloop.testing.faults import Fault, checked
from greenloop.testing.schedule import DEFAULT_LATE, Clock, Orders, Schedule
from greenloop.testing.searching import Attempt, by_chance
from greenloop.testing.simulation import Account, simulate

DEFAULT_SEEDS: Final = 20
"""In how many orders a test runs if no number is said."""


@dataclass(frozen=True)
class Plan:
    """In which orders a test runs."""

    base: Schedule
    """The schedule of the first run. The deviations of the others are from its order."""

    seeds: int
    """How many runs there are, beside those with one fault in asyncio's order."""

    is_replay: bool
    """Whether the one run is to be the same as another one: the schedule was given."""

    faults: tuple[Fault, ...] = ()
    """What may happen at each await of the test, beside what it gives to `with_faults`."""

    def further(self, first: Account) -> Iterator[Attempt]:
        """Yield what to try after the first run.

        Args:
            first: The first run, with its limits. Without these all schedules are random.
        """
        yield from itertools.islice(by_chance(first, self.base, 0), self.runs(first) - 1)

    def runs(self, first: Account) -> int:
        """Return how many runs there are: one for each fault is added to those that were asked."""
        return self.seeds + first.faults


def plan(
    seeds: int | None = None,
    seed: int | str | None = None,
    orders: Orders = "exact",
    clock: Clock = "virtual",
    late: int = DEFAULT_LATE,
    faults: Collection[Fault] = (),
) -> Plan:
    """Return the plan of these settings.

    Args:
        seeds: In how many orders the test runs.
        seed: A token or a seed: the test runs once. A token has orders, clock and lateness of its
            own.
        orders: `"exact"` or `"hostile"`.
        clock: `"virtual"` or `"real"`.
        late: By how many turns a job may be late.
        faults: What may happen at each await of the test, as `with_faults` takes it.

    Raises:
        ValueError: One of them is none.
    """
    if seeds is None:
        seeds = DEFAULT_SEEDS
    elif not _is_number(seeds) or seeds < 1:
        raise ValueError(f"seeds is a number of orders from 1, not {seeds!r}")
    if not _is_number(late):
        raise ValueError(f"late is a number of turns, not {late!r}")
    if isinstance(faults, str) or not isinstance(faults, Collection):
        raise ValueError(f"faults are several, such as a list, not {faults!r}")
    faults = checked(faults)
    if seed is None:
        return Plan(Schedule.asyncios(orders=orders, clock=clock, late=late), seeds, False, faults)
    if isinstance(seed, str) and not seed.isdecimal():
        schedule = Schedule.parse(seed)
        _check(schedule)
    elif isinstance(seed, str) or _is_number(seed):
        schedule = Schedule.by_seed(int(seed), orders=orders, clock=clock, late=late)
    else:
        raise ValueError(f"seed is a token or a number, not {seed!r}")
    return Plan(schedule, 1, True, faults)


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _check(schedule: Schedule) -> None:
    """Raise ValueError for a token that no loop can follow."""
    loop = EventLoop()
    try:
        simulate(loop, schedule)
    finally:
        loop.close()
