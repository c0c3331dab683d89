"""The report of a comparison, as text."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from . import zoo
from .programs import PROGRAMS

GOALS = {"simloom": 30.0, "detangle": 8.0}
"""How many times as many steps a second Greenloop is to do with a seed."""

OURS = ("greenloop-exact", "greenloop-hostile")


def render(result: Mapping[str, Any]) -> str:
    """All tables that the result has numbers for."""
    versions = ", ".join(
        f"{name} {version}" for name, version in result["versions"].items() if "-" not in name
    )
    lines = [f"# Testers of interleavings on {result['interpreter']}", "", versions, ""]
    if "speed" in result:
        lines += _speed(result["speed"], result["rounds"])
    if "broken" in result:
        lines += ["## Which bugs are found, in the first of how many runs", ""]
        lines += _zoo(result["broken"], "found")
    if "mended" in result:
        lines += ["## Which mended twins are blamed", ""]
        lines += _zoo(result["mended"], "blamed")
    if "promises" in result:
        lines += ["## Which programs are blamed for relying on asyncio's order", ""]
        lines += _zoo(result["promises"], "blamed")
    return "\n".join(lines)


def _speed(speed: Mapping[str, Any], rounds: int) -> Iterator[str]:
    medians = {
        program: {
            tester: statistics.median(cell["cpu_ns"])
            for tester, cell in cells.items()
            if cell["failure"] is None
        }
        for program, cells in speed.items()
    }
    testers = list(next(iter(speed.values())))
    yield f"## Speed: operations for each second of CPU time, medians of {rounds} rounds"
    yield ""
    yield from _header(["program", *testers])
    for program, costs in medians.items():
        title = f"{PROGRAMS[program].title} ({PROGRAMS[program].operation})"
        yield _row([title, *(_per_second(costs.get(tester)) for tester in testers)])
    yield ""
    for ours in OURS:
        rivals = [tester for tester in testers if not tester.startswith("greenloop")]
        if ours not in testers or not rivals:
            continue
        yield f"{ours} does so many times as much as"
        yield ""
        yield from _header(["program", *rivals])
        for program, costs in medians.items():
            ratios = (_ratio(costs.get(rival), costs.get(ours)) for rival in rivals)
            yield _row([PROGRAMS[program].title, *ratios])
        yield ""
        yield from _verdicts(ours, medians.get("switching", {}))


def _verdicts(ours: str, costs: Mapping[str, float]) -> Iterator[str]:
    for rival, goal in GOALS.items():
        if rival in costs and ours in costs:
            met = "met" if costs[rival] >= goal * costs[ours] else "not met"
            yield f"Goal, {PROGRAMS['switching'].title}: {goal:g} times {rival}: {met}."
    yield ""


def _per_second(cost: float | None) -> str:
    return "failed" if cost is None else f"{1e9 / cost:,.0f}"


def _ratio(theirs: float | None, ours: float | None) -> str:
    return "" if theirs is None or ours is None else f"{theirs / ours:.1f}"


def _zoo(results: Mapping[str, Mapping[str, Any]], word: str) -> Iterator[str]:
    testers = list(next(iter(results.values())))
    # Each bug begins with another tester, so the columns are put into one order here.
    yield from _header(["program", *testers])
    for name, cells in results.items():
        yield _row([name.replace("_", " "), *(zoo.brief(cells[tester]) for tester in testers)])
    counts = (
        f"{sum(cells[tester]['found'] for cells in results.values())} of {len(results)}"
        for tester in testers
    )
    yield _row([word, *counts])
    seconds = (
        f"{sum(cells[tester].get('wall_s', 0.0) for cells in results.values()):.1f} s"
        for tester in testers
    )
    yield _row(["all together", *seconds])
    yield ""


def _header(names: Sequence[str]) -> Iterator[str]:
    yield _row(names)
    yield _row(["---", *("---:" for _ in names[1:])])


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
