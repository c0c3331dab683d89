"""The command line: `python -m tests.orders`, run from the root of the repository."""

import argparse
import platform
import sys
import time
from pathlib import Path

from tests.cpython import report as listings

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
    if faults:
        print("\nFAILED:")
        print("\n".join(f"    {fault}" for fault in faults))
    return 1 if faults else 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.orders",
        description="Runs the suites of asyncio libraries in many orders and in virtual time.",
    )
    parser.add_argument(
        "--wheel", type=Path, required=True, help="Greenloop's wheel for this interpreter"
    )
    parser.add_argument("--suite", action="append", default=[], help="such as janus; repeatable")
    parser.add_argument("-k", metavar="PART", help="part of a test's name")
    parser.add_argument("--seeds", type=int, default=runner.SEEDS, help="orders for each test")
    parser.add_argument("--verbose", action="store_true", help="show whole tracebacks")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
