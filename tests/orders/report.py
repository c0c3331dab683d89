"""Writes how the suites went in many orders: a table, and the failures with their orders."""

import re
from collections import Counter
from collections.abc import Iterable

from tests.cpython.record import Result

from .runner import KINDS, Outcome

WITHOUT = ("passed", "failed", "skipped")
UNDER = ("passed", "failed", *KINDS, "broken", "flaky")
_TOKEN = re.compile(r"--greenloop-seed=\S+")


def table(outcomes: list[Outcome]) -> str:
    """Counts per suite: without the plugin, under it, and in how many orders."""
    names = [f"{outcome.suite.name} {outcome.suite.version}" for outcome in outcomes]
    width = max(map(len, [*names, "suite"]))
    above = (
        f"{'':<{width}}{'without the plugin':>{10 * len(WITHOUT)}} |"
        f"{'under it':>{10 * len(UNDER)}} |"
    )
    head = _cells(WITHOUT) + " |" + _cells(UNDER) + " |" + _cells(["orders", "seconds"])
    lines = [above, f"{'suite':<{width}}{head}"]
    for name, outcome in zip(names, outcomes):
        without = Counter(result.outcome for result in outcome.without.values())
        under = Counter(result.outcome for result in outcome.under.values())
        row = _cells(without[column] for column in WITHOUT) + " |"
        row += _cells(under[column] for column in UNDER) + " |"
        row += _cells([sum(outcome.orders.values()), round(outcome.seconds)])
        lines.append(f"{name:<{width}}{row}")
    return "\n".join(lines)


def failures(results: Iterable[Result]) -> str:
    """Each failure by its name, kind and cause, with the token of an order in which it fails."""
    lines = []
    for result in results:
        if result.outcome in (*KINDS, "failed"):
            kind = "unexplained" if result.outcome == "failed" else result.outcome
            lines.append(f"    {result.name} ({kind}): {result.cause}")
            if token := token_of(result):
                lines.append(f"        {token}")
    return "\n".join(lines)


def token_of(result: Result) -> str | None:
    """The option with which the plugin runs the failing order again."""
    found = _TOKEN.search(result.detail)
    return found and found[0]


def _cells(values: Iterable[object]) -> str:
    return "".join(f"{value:>10}" for value in values)
