"""What awaiting Rust costs, as ratios of one run: `python -m benches.bridge`.

    python -m benches.bridge [--rounds N] [--contestant C]

Each ratio compares two rows on the same loop, measured as the benchmarks are: in fresh processes,
interleaved, by CPU time, medians over the rounds.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from . import tournament
from .contestants import CONTESTANTS, OURS, interpreter
from .fresh_process import Outcome, run_module
from .workloads.catalogue import WORKLOADS


@dataclass(frozen=True)
class Ratio:
    """How many times dearer one row is than another, and what it is to be."""

    row: str
    other: str
    goal: str
    most: float = float("inf")
    least: float = 0.0

    def line(self, medians: Mapping[str, float]) -> str | None:
        """The report's line, or None where a row was not measured."""
        if self.row not in medians or self.other not in medians:
            return None
        value = medians[self.row] / medians[self.other]
        verdict = "yes" if self.least <= value <= self.most else "no"
        title, other = WORKLOADS[self.row].title, WORKLOADS[self.other].title
        return f"| {title} | {other} | {value:.2f} | {self.goal} | {verdict} |"


RATIOS = (
    Ratio("rust-ready", "done-future", "at most 2", most=2),
    Ratio("rust-ready", "finished-future", "at most 2", most=2),
    Ratio("rust-woken", "future-woken", "at most 1.5", most=1.5),
    Ratio("rust-woken-again", "future-woken", "at most 1.5", most=1.5),
    Ratio("tokio-ready", "rust-ready", "at least 20", least=20),
    Ratio("tokio-woken", "rust-woken", "at least 20", least=20),
)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benches.bridge", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="interleaved rounds (7)")
    parser.add_argument("--contestant", default=OURS, choices=CONTESTANTS, metavar="C")
    parser.add_argument("--time-limit", type=float, default=60.0, metavar="SECONDS")
    options = parser.parse_args(arguments)
    names = dict.fromkeys(name for ratio in RATIOS for name in (ratio.row, ratio.other))
    skipped = {name: reason for name in names if (reason := WORKLOADS[name].absence())}
    for reason in dict.fromkeys(skipped.values()):
        print(f"skipped: {reason}", file=sys.stderr)
    rows = [name for name in names if name not in skipped]

    def measure(row: str, contestant: str) -> Outcome:
        return run_module(["benches.measurement", contestant, row], options.time_limit)

    cells = tournament.turns(rows, [options.contestant], options.rounds)
    records = tournament.hold(cells, measure, _progress)
    failures = [row for (row, _), record in records.items() if record.failure is not None]
    medians = {
        row: statistics.median(sample["cpu_ns"] for sample in record.samples)
        for (row, _), record in records.items()
        if record.failure is None
    }
    print(render(medians, options.contestant, options.rounds))
    return 1 if failures else 0


def render(medians: Mapping[str, float], contestant: str, rounds: int) -> str:
    """The report: what each row costs, and the ratios."""
    lines = [
        f"# Awaiting Rust on {contestant}: {interpreter()}, medians of {rounds} rounds",
        "",
        "| CPU, ns per operation | |",
        "| --- | ---: |",
        *(f"| {WORKLOADS[row].title} | {median:.0f} |" for row, median in medians.items()),
        "",
        "| what | costs so many times | | goal | met |",
        "| --- | --- | ---: | --- | --- |",
        *filter(None, (ratio.line(medians) for ratio in RATIOS)),
    ]
    return "\n".join(lines) + "\n"


def _progress(row: str, _: str, outcome: Outcome) -> None:
    figures = f"{outcome.sample['cpu_ns']:.0f}" if outcome.sample else outcome.detail
    print(f"{row}: {outcome.status} {figures}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
