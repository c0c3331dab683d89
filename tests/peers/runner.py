"""Runs suites on both loops side by side, and compares them."""

import sys
import time
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from tests.cpython import exclusions
from tests.cpython.record import Result

from . import comparison, environment, servers, session, sources, suites
from .session import Request
from .suites import ASYNCIO, GREENLOOP, LOOPS, Suite

# What excludes a test, each with a table of its own in exclusions.toml.
CATEGORIES = ("private", "uvloop", "name", "outside")
# Not somebody else's suite, but in need of somebody else's packages.
README_LINES = Suite("README", package="", tests=("tests/peers/readme_lines.py",))
# The slowest tests take a few seconds on an idle machine.
TIME_LIMIT = 30.0


@dataclass(frozen=True)
class Options:
    wheel: Path
    suites: tuple[str, ...] = ()
    pattern: str | None = None
    time_limit: float = TIME_LIMIT
    ignore_exclusions: bool = False

    @property
    def complete(self) -> bool:
        """Whether every test of the suites is asked for."""
        return self.pattern is None and not self.ignore_exclusions


@dataclass(frozen=True)
class Outcome:
    """How one suite went."""

    suite: Suite
    # By the name of the test within its suite.
    on_asyncio: dict[str, Result]
    on_greenloop: dict[str, Result]
    # What was wrong with the run as a whole.
    problems: list[str]
    seconds: float

    @property
    def regressions(self) -> list[Result]:
        return [result for result in self.on_greenloop.values() if result.outcome == "failed"]


def version() -> str:
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def run(options: Options) -> list[Outcome]:
    """Runs the suites that the options ask for, one after the other."""
    known = suites.read()
    unknown = set(options.suites) - set(known)
    if unknown:
        raise SystemExit(f"no such suite: {', '.join(sorted(unknown))}")
    python = environment.create(known.values(), options.wheel)
    chosen = [
        suite for name, suite in known.items() if not options.suites or name in options.suites
    ]
    chosen = [suite for suite in chosen if _has_what_it_needs(suite)]
    fetched = [(suite, sources.fetch(suite)) for suite in chosen]
    outcomes = [_run_suite(suite, source, python, options) for suite, source in fetched]
    if not options.suites:
        outcomes.append(_run_readme_lines(python, options))
    return outcomes


def read_exclusions() -> list[exclusions.Exclusion]:
    return exclusions.read(suites.FOLDER / "exclusions.toml", CATEGORIES)


def excluded(suite: Suite) -> list[exclusions.Exclusion]:
    """The suite's exclusions on the running version of Python, by names within the suite."""
    return [
        replace(exclusion, pattern=exclusion.pattern.removeprefix(f"{suite.name}/"))
        for exclusion in read_exclusions()
        if exclusion.pattern.startswith(f"{suite.name}/")
        and (not exclusion.versions or version() in exclusion.versions)
    ]


def _has_what_it_needs(suite: Suite) -> bool:
    absent = servers.missing(suite)
    if absent:
        print(f"Skipping {suite.name}: this machine has no {', '.join(absent)}", flush=True)
    return not absent


def _run_suite(suite: Suite, source: Path, python: Path, options: Options) -> Outcome:
    started = time.monotonic()
    print(f"Running {suite.name} {suite.version}", flush=True)
    left_out = [] if options.ignore_exclusions else excluded(suite)
    request = Request(
        suite=suite,
        loop=GREENLOOP,
        source=source,
        python=python,
        time_limit=options.time_limit,
        excluded=tuple((exclusion.pattern, exclusion.category) for exclusion in left_out),
        pattern=options.pattern,
    )

    with ExitStack() as stack:
        # A server for each loop, since they run side by side.
        requests = {
            loop: replace(
                request, loop=loop, variables=stack.enter_context(servers.running(suite.server))
            )
            for loop in LOOPS
        }

        def rerun(loop: str, names: Collection[str]) -> dict[str, Result]:
            return session.run(replace(requests[loop], only=tuple(names))).results

        with ThreadPoolExecutor(1 if suite.in_turn else len(LOOPS)) as pool:
            reports = dict(zip(LOOPS, pool.map(session.run, requests.values())))
        problems = [
            f"{suite.name} on {loop}: {problem}"
            for loop, report in reports.items()
            for problem in report.problems
        ]
        on_greenloop = reports[GREENLOOP].results
        if not problems:
            on_greenloop = comparison.settle(
                reports[ASYNCIO].results, on_greenloop, rerun, strict=suite.strict
            )
            if options.complete:
                problems += [
                    f"the exclusion {suite.name}/{pattern} matches no test"
                    for pattern in exclusions.unused(left_out, on_greenloop.keys(), version())
                ]
    return Outcome(
        suite, reports[ASYNCIO].results, on_greenloop, problems, time.monotonic() - started
    )


def _run_readme_lines(python: Path, options: Options) -> Outcome:
    """Tests what the README says of other libraries. The lines choose the loop, and not we."""
    started = time.monotonic()
    request = Request(README_LINES, ASYNCIO, suites.ROOT, python, options.time_limit)
    report = session.run(replace(request, pattern=options.pattern))
    return Outcome(README_LINES, {}, report.results, report.problems, time.monotonic() - started)
