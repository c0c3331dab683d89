"""Which schedules are tried after the first run: by chance, or all within a bound.

Both searches are generators: they yield what to try, and are sent the account of that run.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Generator
from typing import Final, NamedTuple, TypeAlias

from greenloop.testing.schedule import Schedule
from greenloop.testing.simulation import Account

SWEPT_SHARE: Final = 2
"""One in so many schedules tries a single deviation while there are any; others are random."""

FAULTY_SHARE: Final = 0.5
"""Which part of the random schedules has a fault, if the program offers any."""


class Attempt(NamedTuple):
    """A schedule that is to be tried."""

    schedule: Schedule
    """The schedule."""

    deviations: list[tuple[int, int]] | None = None
    """Deviations in the place of the schedule's own choices, if they are given."""


Search: TypeAlias = Generator[Attempt, Account, None]


def by_chance(first: Account, base: Schedule, seed: int) -> Search:
    """Yield schedules without an end: those with a single deviation, and random ones in between.

    Those with one fault and no deviation come first. If there is nothing to choose they are all.

    Args:
        first: The run in asyncio's order and without a fault, with its limits. Without these all
            schedules are random.
        base: The schedule of that run. Deviations are from its order.
        seed: Another one yields others.
    """
    for fault in range(first.faults):
        yield Attempt(base.with_fault(fault))
    if not first.points:
        return
    singles = [(point, by) for point, most in enumerate(first.limits) for by in range(1, most + 1)]
    random.Random(seed).shuffle(singles)
    number = 0
    while True:
        if singles and number % SWEPT_SHARE == 0:
            yield Attempt(base, [singles.pop()])
        else:
            chance = random.Random(f"{seed} {number}")
            level, clock, late = base.orders, base.clock, base.late
            schedule = Schedule.by_seed(
                chance.getrandbits(32), orders=level, clock=clock, late=late
            )
            if first.faults and chance.random() < FAULTY_SHARE:
                schedule = schedule.with_fault(chance.randrange(first.faults))
            yield Attempt(schedule)
        number += 1


def within_bound(first: Account, base: Schedule, bound: int) -> Search:
    """Yield all schedules with at most so many deviations, and with each fault; fewer come first.

    The orders with one deviation more than those of a run differ from it behind its last one: what
    was chosen before stays, and what can be chosen behind is known by its limits.

    Args:
        first: The run in asyncio's order and without a fault, with its limits.
        base: The schedule of that run.
        bound: The most deviations.
    """
    runs = deque([(first, base)] if bound else [])
    for fault in range(first.faults):
        faulty = base.with_fault(fault)
        account = yield Attempt(faulty, [])
        if bound:
            runs.append((account, faulty))
    while runs:
        account, schedule = runs.popleft()
        deviations = list(account.deviations)
        begin = deviations[-1][0] + 1 if deviations else 0
        for point in range(begin, len(account.limits)):
            for by in range(1, account.limits[point] + 1):
                further = [*deviations, (point, by)]
                found = yield Attempt(schedule, further)
                if len(further) < bound:
                    runs.append((found, schedule))
