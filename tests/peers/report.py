"""Writes how the suites went: a table, and everything as JSON."""

import json
import platform
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from tests.cpython.record import Result

from .runner import CATEGORIES, Outcome

# On each of the loops, by outcome; the exclusions hold for both.
ON_ASYNCIO = ("passed", "failed", "skipped")
ON_GREENLOOP = ("passed", "failed", "skipped", "broken", "flaky")


def table(outcomes: list[Outcome]) -> str:
    """Counts per suite, for both loops side by side."""
    names = [f"{outcome.suite.name} {outcome.suite.version}" for outcome in outcomes]
    width = max(map(len, [*names, "suite"]))
    above = (
        f"{'':<{width}}{'asyncio':>{9 * len(ON_ASYNCIO)}} |{'Greenloop':>{9 * len(ON_GREENLOOP)}}"
    )
    head = (
        _cells(ON_ASYNCIO) + " |" + _cells(ON_GREENLOOP) + " |" + _cells([*CATEGORIES, "seconds"])
    )
    lines = [above, f"{'suite':<{width}}{head}"]
    for name, outcome in zip(names, outcomes):
        theirs = Counter(result.outcome for result in outcome.on_asyncio.values())
        ours = Counter(result.outcome for result in outcome.on_greenloop.values())
        left = [ours[category] for category in CATEGORIES]
        row = _cells(theirs[column] for column in ON_ASYNCIO) + " |"
        row += _cells(ours[column] for column in ON_GREENLOOP) + " |"
        row += _cells([*left, round(outcome.seconds)])
        lines.append(f"{name:<{width}}{row}")
    return "\n".join(lines)


def counts_by_cause(results: Iterable[Result], outcome: str) -> str:
    """The causes of one outcome, the most frequent first, per suite and without the tests."""
    causes = Counter(
        (result.name.partition("/")[0], result.cause)
        for result in results
        if result.outcome == outcome
    )
    return "\n".join(
        f"{count:>8}  {suite}: {cause}" for (suite, cause), count in causes.most_common()
    )


def _cells(values) -> str:
    return "".join(f"{value:>9}" for value in values)


def write_json(path: Path, outcomes: list[Outcome]) -> None:
    """Every result, for a program to read."""
    content = {
        "interpreter": platform.python_version(),
        "suites": {
            outcome.suite.name: {
                "version": outcome.suite.version,
                "seconds": round(outcome.seconds, 1),
                "problems": outcome.problems,
                "asyncio": _by_name(outcome.on_asyncio),
                "greenloop": _by_name(outcome.on_greenloop),
            }
            for outcome in outcomes
        },
    }
    path.write_text(json.dumps(content, indent=1) + "\n")


def _by_name(results) -> dict[str, dict[str, object]]:
    return {
        name: {"outcome": result.outcome, "seconds": result.seconds, "detail": result.detail}
        for name, result in sorted(results.items())
    }
