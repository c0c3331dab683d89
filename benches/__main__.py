"""The command: `python -m benches` runs the tournament and reports it."""

from __future__ import annotations

import argparse
import fnmatch
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

from . import document, table, tournament
from .contestants import CONTESTANTS, LIMIT, Contestant, earlier
from .fresh_process import Outcome, run_module
from .workloads.catalogue import WORKLOADS
from .workloads.definition import GROUPS, QUICK_DIVISOR


def main(arguments: list[str] | None = None) -> int:
    """Returns 0 also when a contestant failed: that is a result, not an error of the run."""
    options = _parser().parse_args(arguments)
    known_contestants = {**CONTESTANTS, **options.before}
    asked_contestants = options.contestant or [
        name for name, each in CONTESTANTS.items() if not each.only_if_asked
    ]
    # What is compared with its earlier build is what was asked for.
    asked_contestants += [
        name for name, each in options.before.items() if each.entrant in asked_contestants
    ]
    asked_workloads = _asked_workloads(options.workload, options.group)
    skipped = {
        name: reason
        for known, asked in ((known_contestants, asked_contestants), (WORKLOADS, asked_workloads))
        for name in asked
        if (reason := known[name].absence()) is not None
    }
    contestants = [each for name, each in known_contestants.items() if name in asked_contestants]
    contestants = [each for each in contestants if each.name not in skipped]
    workloads = [WORKLOADS[name] for name in WORKLOADS if name in asked_workloads]
    workloads = [each for each in workloads if each.name not in skipped]
    for name, reason in skipped.items():
        print(f"skipped: {name}: {reason}", file=sys.stderr)
    if not contestants or not workloads:
        print("nothing left to measure", file=sys.stderr)
        return 2

    def measure(workload: str, contestant: str) -> Outcome:
        competitor = known_contestants[contestant]
        command = ["benches.measurement", competitor.entrant, workload]
        if options.quick:
            operations = WORKLOADS[workload].operations // QUICK_DIVISOR
            command += ["--repeats", "1", "--operations", str(operations)]
        return run_module(command, options.time_limit, competitor.python)

    cells = [
        (workload, contestant)
        for workload, contestant in tournament.turns(
            [each.name for each in workloads], [each.name for each in contestants], options.rounds
        )
        if contestant != LIMIT or WORKLOADS[workload].limit is not None
    ]
    records = tournament.hold(iter(cells), measure, _progress(len(cells)))
    result = document.build(
        records,
        workloads,
        contestants,
        rounds=options.rounds,
        quick=options.quick,
        baseline=_baseline(options.baseline, [each.name for each in contestants]),
        skipped=skipped,
    )
    report = table.render(result)
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    if options.markdown:
        options.markdown.write_text(report, encoding="utf-8")
    print(report)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benches", description=__doc__)
    parser.add_argument("--rounds", type=_positive, default=5, help="interleaved rounds (5)")
    parser.add_argument(
        "--workload",
        nargs="+",
        action="extend",
        type=_pattern,
        metavar="W",
        help="names, or patterns of them such as 'tcp-*'",
    )
    parser.add_argument("--group", choices=GROUPS, help="the workloads of one half of asyncio")
    parser.add_argument(
        "--contestant", nargs="+", action="extend", choices=CONTESTANTS, metavar="C"
    )
    parser.add_argument("--baseline", default="uvloop", choices=CONTESTANTS, metavar="C")
    parser.add_argument(
        "--before",
        type=_earlier,
        default={},
        metavar="PYTHON",
        help="the interpreter of an environment with an earlier build, which competes too",
    )
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--markdown", type=Path, metavar="FILE")
    parser.add_argument(
        "--time-limit", type=float, default=60.0, help="seconds for one measurement (60)"
    )
    parser.add_argument("--quick", action="store_true", help="a tenth of the work, one repeat")
    return parser


def _earlier(python: str) -> dict[str, Contestant]:
    try:
        return earlier(python)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _pattern(text: str) -> str:
    if not fnmatch.filter(WORKLOADS, text):
        raise argparse.ArgumentTypeError(f"no workload is called {text!r}")
    return text


def _asked_workloads(patterns: list[str] | None, group: str | None) -> list[str]:
    """The workloads that match one of the patterns, and are of the group, if one is given."""
    return [
        name
        for name, workload in WORKLOADS.items()
        if any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns or ["*"])
        and group in (None, workload.group)
    ]


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def _baseline(wanted: str, competing: list[str]) -> str | None:
    """The wanted baseline, else asyncio, which is always there unless it was not asked for."""
    return next((name for name in (wanted, "asyncio") if name in competing), None)


def _progress(total: int) -> Callable[[str, str, Outcome], None]:
    """Prints a line per measurement to the error output, which the report does not use."""
    started = time.monotonic()
    count = 0

    def show(workload: str, contestant: str, outcome: Outcome) -> None:
        nonlocal count
        count += 1
        figures = ", ".join(f"{name} {value:.0f}" for name, value in outcome.sample.items())
        seconds = time.monotonic() - started
        print(
            f"[{count}/{total} {seconds:.0f} s] {workload} on {contestant}: "
            f"{figures or f'{outcome.status}: {outcome.detail}'}",
            file=sys.stderr,
            flush=True,
        )

    return show


if __name__ == "__main__":
    sys.exit(main())
