"""The command line: `python -m tests.peers`, run from the root of the repository."""

import argparse
import platform
import sys
import time
from pathlib import Path

from tests.cpython import report as listings

from . import command_line, report, runner


def main() -> int:
    arguments = _parse()
    started = time.monotonic()
    outcomes = runner.run(
        runner.Options(
            wheel=arguments.wheel,
            suites=tuple(arguments.suite),
            pattern=arguments.k,
            time_limit=arguments.time_limit,
            ignore_exclusions=arguments.ignore_exclusions,
        )
    )
    results = [result for outcome in outcomes for result in outcome.on_greenloop.values()]
    if arguments.verbose:
        print(listings.listing(results, "failed", detail=True))
    if broken := report.counts_by_cause(results, "broken"):
        print(f"\nbroken, on asyncio as well:\n{broken}")
    if flaky := listings.listing(results, "flaky", detail=False):
        print(f"\nflaky:\n{flaky}")
    if causes := listings.causes(results):
        print(f"\n{causes}")
    print(f"\nCPython {platform.python_version()}\n{report.table(outcomes)}")
    print(f"{time.monotonic() - started:.0f} s")
    if arguments.json:
        report.write_json(arguments.json, outcomes)

    faults = [problem for outcome in outcomes for problem in outcome.problems]
    faults += [
        f"{result.name}: {result.cause}" for outcome in outcomes for result in outcome.regressions
    ]
    return listings.verdict(faults)


def _parse() -> argparse.Namespace:
    parser = command_line.parser(
        "tests.peers",
        description="Runs the suites of other projects on asyncio and on Greenloop.",
        suite="uvloop",
    )
    parser.add_argument(
        "--time-limit", type=float, default=runner.TIME_LIMIT, help="seconds per test"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every result there")
    parser.add_argument(
        "--ignore-exclusions", action="store_true", help="run excluded tests as well"
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
