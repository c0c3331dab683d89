"""Compares two runs, or two builds in one run, and names what became slower.

    python -m benches.compare BEFORE.json AFTER.json [--contestant C ...] [--threshold PERCENT]
                              [--absolute]
    python -m benches.compare RUN.json [--contestant C ...] [--threshold PERCENT]

One run holds two builds if it was made with `--before`; their rounds were interleaved, so the
figures themselves are compared.

Two runs may come from different days or machines, so the contestant's cost is taken relative to the
baseline that ran beside it, round by round; `--absolute` compares the figures themselves, which
says something only for two runs on one quiet machine. A row is a regression when its median grew by
more than the threshold *and* every round of the later run is worse than every round of the earlier
one, or when it was measured before and is not any more. The exit code is 1 when there is one.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .contestants import BEFORE, OURS
from .document import FORMAT


@dataclass(frozen=True)
class Change:
    """One workload of one contestant in both runs."""

    title: str
    contestant: str
    growth: float | None
    """Cost after divided by cost before: above 1 is slower. None: not measured in both."""
    verdict: str
    """`slower` and `lost` are regressions; `faster`, `same`, `new` are not."""

    @property
    def is_regression(self) -> bool:
        return self.verdict in ("slower", "lost")


def main(arguments: list[str] | None = None) -> int:
    """Returns 0 without a regression, 1 with one, 2 when there is nothing that can be compared."""
    parser = argparse.ArgumentParser(prog="python -m benches.compare", description=__doc__)
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path, nargs="?", help="left out: BEFORE holds both builds")
    parser.add_argument("--contestant", nargs="+", metavar="C", help="default: all of ours")
    parser.add_argument("--threshold", type=float, default=10.0, metavar="PERCENT")
    parser.add_argument("--absolute", action="store_true")
    options = parser.parse_args(arguments)

    before, after = (
        json.loads(path.read_text(encoding="utf-8"))
        for path in (options.before, options.after or options.before)
    )
    absolute = options.absolute
    if options.after is None:
        before, absolute = earlier_build(before), True
    if obstacle := _obstacle(before, after, absolute=absolute):
        print(obstacle, file=sys.stderr)
        return 2
    names = options.contestant or [name for name in before["contestants"] if name.startswith(OURS)]
    changes = list(compare(before, after, names, options.threshold / 100, absolute=absolute))
    if not changes:
        print(f"nothing of {', '.join(names) or OURS} to compare", file=sys.stderr)
        return 2
    print(render(changes))
    return 1 if any(change.is_regression for change in changes) else 0


def earlier_build(run: dict[str, Any]) -> dict[str, Any]:
    """The run as if only what ends in `-before` had competed, without that ending."""

    def renamed(table: dict[str, Any]) -> dict[str, Any]:
        return {
            name.removesuffix(BEFORE): each for name, each in table.items() if name.endswith(BEFORE)
        }

    workloads = {
        name: workload | {"results": renamed(workload["results"])}
        for name, workload in run.get("workloads", {}).items()
    }
    return run | {"contestants": renamed(run.get("contestants", {})), "workloads": workloads}


def compare(
    before: dict[str, Any],
    after: dict[str, Any],
    contestants: list[str],
    threshold: float,
    *,
    absolute: bool = False,
) -> Iterator[Change]:
    """The changes, workload by workload; `threshold` is a share, 0.1 for ten percent.

    Workloads that the later run did not ask for are passed over: a partial run is no loss.
    """
    for name, workload in after["workloads"].items():
        for contestant in contestants:
            then = _costs(before, name, contestant, absolute=absolute)
            now = _costs(after, name, contestant, absolute=absolute)
            if then or now:
                yield _change(workload["title"], contestant, then, now, threshold)


def render(changes: list[Change]) -> str:
    """A Markdown table, the regressions first and the largest growth first among equals."""
    ordered = sorted(changes, key=lambda each: (not each.is_regression, -(each.growth or 0)))
    lines = ["| workload | contestant | cost after / before | |", "| --- | --- | ---: | --- |"]
    for each in ordered:
        growth = "" if each.growth is None else f"{each.growth:.2f}"
        lines.append(f"| {each.title} | {each.contestant} | {growth} | {each.verdict} |")
    return "\n".join(lines)


def _obstacle(before: dict[str, Any], after: dict[str, Any], *, absolute: bool) -> str | None:
    if any(document.get("format") != FORMAT for document in (before, after)):
        return f"not both documents of `python -m benches --json`, format {FORMAT}"
    if before["quick"] != after["quick"]:
        return "a quick run cannot be compared with a whole one"
    if before["interpreter"] != after["interpreter"]:
        return f"{before['interpreter']} cannot be compared with {after['interpreter']}"
    if not absolute and (before["baseline"] is None or before["baseline"] != after["baseline"]):
        return f"different baselines: {before['baseline']} and {after['baseline']}"
    return None


def _costs(
    document: dict[str, Any], workload: str, contestant: str, *, absolute: bool
) -> list[float]:
    """The cost of each round, or nothing when the cell (or its baseline) was not measured."""
    entry = document["workloads"].get(workload)
    if entry is None:
        return []
    own = _rounds(entry, contestant)
    if absolute:
        return own
    reference = _rounds(entry, document["baseline"])
    # Stopped by a failure in a later round, a cell has no rounds at all; lengths never differ.
    return [cost / base for cost, base in zip(own, reference, strict=False) if base > 0]


def _rounds(entry: dict[str, Any], contestant: str) -> list[float]:
    result = entry["results"].get(contestant, {"status": "absent"})
    if result["status"] != "measured":
        return []
    rounds: list[float] = result[entry["metric"]]["rounds"]
    return rounds


def _change(
    title: str, contestant: str, then: list[float], now: list[float], threshold: float
) -> Change:
    if not now:
        return Change(title, contestant, None, "lost")
    if not then:
        return Change(title, contestant, None, "new")
    earlier = statistics.median(then)
    if earlier <= 0:  # A resident set that did not grow has nothing to grow from.
        return Change(title, contestant, None, "same")
    growth = statistics.median(now) / earlier
    verdict = "same"
    if growth > 1 + threshold and min(now) > max(then):
        verdict = "slower"
    elif growth < 1 / (1 + threshold) and max(now) < min(then):
        verdict = "faster"
    return Change(title, contestant, growth, verdict)


if __name__ == "__main__":
    sys.exit(main())
