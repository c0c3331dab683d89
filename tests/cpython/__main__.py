"""The command line: `python -m tests.cpython`, run from the root of the repository."""

import argparse
import platform
import sys
import time
from pathlib import Path

from . import implementation, record, report, runner
from .selection import Selection


def main() -> int:
    arguments = _parse()
    options = runner.Options(
        loop=arguments.loop,
        modules=tuple(arguments.module),
        pattern=arguments.k,
        jobs=arguments.jobs,
        time_limit=arguments.time_limit,
        ignore_exclusions=arguments.ignore_exclusions,
    )
    started = time.monotonic()
    outcome = runner.run(options)
    if not outcome.results and not outcome.problems:
        print("no test matches")
        return 2

    if arguments.verbose:
        print(report.listing(outcome.results, "failed", detail=True))
    print(report.causes(outcome.results))
    print(f"\nCPython {platform.python_version()}, loop {options.loop}")
    print(report.table(outcome.results))
    print(f"{time.monotonic() - started:.0f} s")
    for kind in ("broken", "flaky"):
        if listed := report.listing(outcome.results, kind, detail=False):
            print(f"\n{kind}:\n{listed}")
    if arguments.json:
        report.write_json(arguments.json, options.loop, outcome)

    faults = judge(options, outcome, recording=arguments.record)
    if arguments.record:
        _record(options, outcome, faults)
    return report.verdict(faults)


def judge(
    options: runner.Options, outcome: runner.Outcome, *, recording: bool = False
) -> list[str]:
    """The reasons why the run as a whole is not good; empty when it is."""
    faults = [
        f"{module} did not run on the implementation under test: {problem}"
        for module, problems in outcome.problems.items()
        for problem in problems
    ]
    version = runner.version()
    if options.loop == implementation.GREENLOOP:
        if not recording:
            faults += record.regressions(version, outcome.results, complete=options.complete)
            for name in record.improvements(version, outcome.results):
                print(f"passes now, though recorded as failing (use --record): {name}")
        if options.complete:
            names = {result.name for result in outcome.results}
            faults += [
                f"the exclusion {pattern} matches no test"
                for pattern in Selection(options.loop).unused(names)
            ]
    elif options.loop == implementation.CENSUS:
        faults += _unreached(outcome)
    elif failing := sum(result.outcome == "failed" for result in outcome.results):
        faults.append(f"{failing} tests fail on {options.loop}")
    return faults


def _unreached(outcome: runner.Outcome) -> list[str]:
    """Modules in which no test uses anything that is replaced: the swap misses them."""
    modules = {result.module for result in outcome.results}
    reached = {result.module for result in outcome.results if result.constructed}
    return [f"{module}: no test reaches what is replaced" for module in sorted(modules - reached)]


def _record(options: runner.Options, outcome: runner.Outcome, faults: list[str]) -> None:
    if not options.complete:
        raise SystemExit(
            "--record needs a run of everything: no --module, -k or --ignore-exclusions"
        )
    if faults:
        raise SystemExit("not recorded:\n" + "\n".join(faults))
    if options.loop == implementation.CENSUS:
        path = record.write_reach(runner.version(), outcome.results)
    elif options.loop == implementation.GREENLOOP:
        path = record.write(runner.version(), outcome.results)
    else:
        raise SystemExit("--record is for greenloop and for the census")
    print(f"recorded in {path.relative_to(runner.ROOT)}")


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.cpython",
        description="Runs this interpreter's own asyncio tests on Greenloop.",
    )
    parser.add_argument(
        "--loop",
        default=implementation.GREENLOOP,
        help="greenloop (default), asyncio, census, or MODULE:CLASS of another loop",
    )
    parser.add_argument(
        "--module", action="append", default=[], help="such as test_tasks; repeatable"
    )
    parser.add_argument("-k", metavar="PATTERN", help="part of a test's name, or a glob")
    parser.add_argument("--jobs", type=int, default=2, help="workers at a time (default: 2)")
    parser.add_argument(
        "--time-limit", type=float, default=runner.TIME_LIMIT, help="seconds per test"
    )
    parser.add_argument("--record", action="store_true", help="make the results the expected ones")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every result there")
    parser.add_argument("--verbose", action="store_true", help="show whole tracebacks")
    parser.add_argument(
        "--ignore-exclusions", action="store_true", help="run excluded tests as well"
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
