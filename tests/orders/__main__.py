"""The command line: `python -m tests.orders`, run from the root of the repository."""

import argparse
import platform
import sys
import time

from tests.cpython import report as listings
from tests.peers import command_line

from . import report, runner


def main() -> int:
    arguments = _parse()
    started = time.monotonic()
    outcomes = runner.run(
        runner.Options(arguments.wheel, tuple(arguments.suite), arguments.k, arguments.seeds)
    )
    results = [result for outcome in outcomes for result in outcome.under.values()]
    if arguments.verbose:
        print(listings.listing(results, "failed", detail=True))
    if failures := report.failures(results):
        print(f"\nfailing under the plugin alone:\n{failures}")
    for outcome in ("broken", "flaky"):
        if listing := listings.listing(results, outcome, detail=False):
            print(f"\n{outcome}:\n{listing}")
    if told := [f"{each.suite.name}/{name}" for each in outcomes for name in each.superfluous]:
        print("\nexplained, but passing:\n    " + "\n    ".join(told))
    print(f"\nCPython {platform.python_version()}\n{report.table(outcomes)}")
    print(f"{time.monotonic() - started:.0f} s")

    faults = [problem for outcome in outcomes for problem in outcome.problems]
    faults += [
        f"{result.name}: {result.cause}" for outcome in outcomes for result in outcome.unexplained
    ]
    return listings.verdict(faults)


def _parse() -> argparse.Namespace:
    parser = command_line.parser(
        "tests.orders",
        description="Runs the suites of asyncio libraries in many orders and in virtual time.",
        suite="janus",
    )
    parser.add_argument("--seeds", type=int, default=runner.SEEDS, help="orders for each test")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
