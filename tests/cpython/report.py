"""Writes the results of a run: a table per module, the failures by cause, and JSON."""

import json
import platform
from collections import Counter
from pathlib import Path

from .record import Result
from .runner import Outcome

COLUMNS = ("passed", "failed", "private", "network", "skipped", "out_of_reach", "broken", "flaky")
HEADINGS = {"out_of_reach": "not ours"}


def table(results: list[Result]) -> str:
    """Counts per module and in total."""
    per_module: dict[str, Counter[str]] = {}
    seconds: Counter[str] = Counter()
    for result in results:
        per_module.setdefault(result.module, Counter())[result.outcome] += 1
        seconds[result.module] += result.seconds
    total = sum(per_module.values(), Counter())
    width = max([len(name) for name in per_module] + [len("module")])
    head = "".join(f"{HEADINGS.get(column, column):>10}" for column in COLUMNS)
    lines = [f"{'module':<{width}}{head}{'seconds':>10}"]
    for name, counts in [*per_module.items(), ("total", total)]:
        spent = sum(seconds.values()) if name == "total" else seconds[name]
        row = "".join(f"{counts[column]:>10}" for column in COLUMNS)
        lines.append(f"{name:<{width}}{row}{spent:>10.1f}")
    return "\n".join(lines)


def causes(results: list[Result]) -> str:
    """The failures, the most frequent cause first, with the tests of each."""
    by_cause: dict[str, list[str]] = {}
    for result in results:
        if result.outcome == "failed":
            by_cause.setdefault(result.cause, []).append(result.name)
    lines = []
    for cause, names in sorted(by_cause.items(), key=lambda item: -len(item[1])):
        lines.append(f"{len(names):>4}  {cause}")
        lines += [f"        {name}" for name in names]
    return "\n".join(lines)


def listing(results: list[Result], outcome: str, *, detail: bool) -> str:
    """The tests of one outcome, with the whole detail or its telling line."""
    return "\n".join(
        f"{result.name}\n{result.detail}\n" if detail else f"    {result.name}: {result.cause}"
        for result in results
        if result.outcome == outcome
    )


def verdict(faults: list[str]) -> int:
    """Print what makes the run a failure, and return the exit code of the command."""
    if faults:
        print("\nFAILED:")
        print("\n".join(f"    {fault}" for fault in faults))
    return 1 if faults else 0


def write_json(path: Path, loop: str, outcome: Outcome) -> None:
    """Everything about the run, for a program to read."""
    content = {
        "interpreter": platform.python_version(),
        "loop": loop,
        "problems": outcome.problems,
        "tests": {
            result.name: {
                "outcome": result.outcome,
                "seconds": result.seconds,
                "detail": result.detail,
                **({"constructed": dict(result.constructed)} if result.constructed else {}),
            }
            for result in sorted(outcome.results, key=lambda result: result.name)
        },
    }
    path.write_text(json.dumps(content, indent=1) + "\n")
