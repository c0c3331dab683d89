"""Runs suites without Greenloop's plugin and under it, and looks for what only then fails."""

import time
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path

from tests.cpython import exclusions
from tests.cpython.exclusions import Exclusion
from tests.cpython.record import Result
from tests.peers import comparison, environment, servers, session, sources, suites
from tests.peers.runner import version
from tests.peers.session import Request
from tests.peers.suites import ASYNCIO, GREENLOOP, Suite

FOLDER = Path(__file__).parent
# What explains a failure, each with a table of its own in explanations.toml.
HANGS = "hangs"
KINDS = ("library", "order", "time", "greenloop", HANGS)
PLUGIN = "greenloop.testing.plugin.hooks"
SEEDS = 20
# Seconds for a test without the plugin, and for all of its orders together.
TIME_LIMIT = 30.0
TIME_LIMIT_OF_ALL_ORDERS = 120.0


@dataclass(frozen=True)
class Options:
    wheel: Path
    suites: tuple[str, ...] = ()
    pattern: str | None = None
    seeds: int = SEEDS

    @property
    def complete(self) -> bool:
        """Whether every test of the suites runs in as many orders as the explanations are for."""
        return self.pattern is None and self.seeds >= SEEDS


@dataclass(frozen=True)
class Outcome:
    """How one suite went."""

    suite: Suite
    # By the name of the test within its suite.
    without: dict[str, Result]
    # The outcome of an explained failure is the kind of its explanation.
    under: dict[str, Result]
    # In how many orders each test ran.
    orders: dict[str, int] = field(default_factory=dict)
    # Explanations of tests that no longer fail.
    superfluous: list[str] = field(default_factory=list)
    # What was wrong with the run as a whole.
    problems: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def unexplained(self) -> list[Result]:
        return [result for result in self.under.values() if result.outcome == "failed"]


def run(options: Options) -> list[Outcome]:
    """Runs the suites that the options ask for, one after the other."""
    known = read_suites()
    if unknown := set(options.suites) - set(known):
        raise SystemExit(f"no such suite: {', '.join(sorted(unknown))}")
    python = environment.create(known.values(), options.wheel, "orders-")
    chosen = [
        suite for name, suite in known.items() if not options.suites or name in options.suites
    ]
    fetched = [(suite, sources.fetch(suite)) for suite in chosen]
    return [_run_suite(suite, source, python, options) for suite, source in fetched]


def read_suites() -> dict[str, Suite]:
    return suites.read(FOLDER / "suites.toml", suites.read())


def read_explanations() -> list[Exclusion]:
    return exclusions.read(FOLDER / "explanations.toml", KINDS)


def explanations_of(suite: Suite) -> list[Exclusion]:
    """The suite's explanations on the running version of Python, by names within the suite."""
    return [
        replace(explanation, pattern=explanation.pattern.removeprefix(f"{suite.name}/"))
        for explanation in read_explanations()
        if explanation.pattern.startswith(f"{suite.name}/")
        and (not explanation.versions or version() in explanation.versions)
    ]


def explain(
    without: dict[str, Result], under: dict[str, Result], explanations: Collection[Exclusion]
) -> dict[str, Result]:
    """The results under the plugin, with the kind of its explanation for each failure that has one.

    What fails without the plugin too needs none.
    """
    explained = dict(under)
    for name, result in under.items():
        fails_anyway = name in without and without[name].outcome == "failed"
        if result.outcome != "failed" or fails_anyway:
            continue
        for explanation in explanations:
            if fnmatchcase(name, explanation.pattern):
                explained[name] = replace(result, outcome=explanation.category)
                break
    return explained


def superfluous(explanations: Collection[Exclusion], under: dict[str, Result]) -> list[str]:
    """The patterns of explanations that explain no failure: those tests pass."""
    failing = [name for name, result in under.items() if result.outcome in KINDS]
    return exclusions.unused(explanations, failing, version())


def _run_suite(suite: Suite, source: Path, python: Path, options: Options) -> Outcome:
    started = time.monotonic()
    print(f"Running {suite.name} {suite.version}", flush=True)
    explanations = explanations_of(suite)
    with servers.running(suite.server) as variables:
        without = Request(
            suite, ASYNCIO, source, python, TIME_LIMIT, pattern=options.pattern, variables=variables
        )
        requests = {ASYNCIO: without, GREENLOOP: under_plugin(without, explanations, options.seeds)}
        reports = {loop: session.run(request) for loop, request in requests.items()}
        results = reports[GREENLOOP].results
        problems = [
            f"{suite.name} on {loop}: {problem}"
            for loop, report in reports.items()
            for problem in report.problems
        ]
        if not problems:

            def rerun(loop: str, names: Collection[str]) -> dict[str, Result]:
                return session.run(replace(requests[loop], only=tuple(names))).results

            on_asyncio = reports[ASYNCIO].results
            explained = explain(on_asyncio, results, explanations)
            results = comparison.settle(on_asyncio, explained, rerun, strict=False)
    told: list[str] = []
    if options.complete and not problems:
        absent = exclusions.unused(explanations, results.keys(), version())
        problems += [f"the explanation {suite.name}/{each} matches no test" for each in absent]
        told = [each for each in superfluous(explanations, results) if each not in absent]
    seconds = time.monotonic() - started
    return Outcome(
        suite,
        reports[ASYNCIO].results,
        results,
        reports[GREENLOOP].runs,
        told,
        problems,
        seconds,
    )


def under_plugin(without: Request, explanations: Collection[Exclusion], seeds: int) -> Request:
    """How the suite runs under the plugin, by how it runs without."""
    suite = replace(
        without.suite,
        plugins=(*without.suite.plugins, PLUGIN),
        options=(*without.suite.options, f"--greenloop-seeds={seeds}"),
    )
    hanging = [(each.pattern, HANGS) for each in explanations if each.category == HANGS]
    return replace(
        without,
        suite=suite,
        loop=GREENLOOP,
        loop_by_plugin=True,
        time_limit=TIME_LIMIT_OF_ALL_ORDERS,
        excluded=tuple(hanging),
    )
