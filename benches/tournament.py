"""Interleaving: who measures what, in which order, and what is kept of it.

A round visits every workload, and within a workload every contestant in turn; the first contestant
changes from round to round. Drift of the machine (heat, neighbours) thus falls on all contestants
of a workload alike, and their ratios survive what their times do not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from .fresh_process import Outcome

Cell = tuple[str, str]
"""A workload's name and a contestant's name."""


@dataclass
class Record:
    """What the rounds brought for one cell."""

    samples: list[dict[str, float]] = field(default_factory=list)
    failure: Outcome | None = None
    """Set at the first round that is not measured; the cell is not run again, since a hang
    would cost its whole time limit in every round."""


def turns(workloads: Sequence[str], contestants: Sequence[str], rounds: int) -> Iterator[Cell]:
    """The cells in the order of their measurements."""
    for number in range(rounds):
        first = number % len(contestants)
        for workload in workloads:
            for contestant in (*contestants[first:], *contestants[:first]):
                yield workload, contestant


def hold(
    cells: Iterator[Cell],
    measure: Callable[[str, str], Outcome],
    progress: Callable[[str, str, Outcome], None],
) -> dict[Cell, Record]:
    """Measures the cells in their order; never raises because of a contestant."""
    records: dict[Cell, Record] = {}
    for workload, contestant in cells:
        record = records.setdefault((workload, contestant), Record())
        if record.failure is not None:
            continue
        outcome = measure(workload, contestant)
        progress(workload, contestant, outcome)
        if outcome.status == "measured":
            record.samples.append(outcome.sample)
        else:
            record.failure = outcome
    return records
