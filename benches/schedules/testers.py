"""The testers that compete, each used as its own documentation shows it first.

A tester runs a program once by a seed, which `speed` measures, and hunts for a failure in many
orders, which `zoo` does. All write down what they chose, so that a failure can be run again. What
they do beyond that by default they do here too: shrink what they found, check for exceptions that
nobody has retrieved, patch the clock.
"""

from __future__ import annotations

import asyncio
import functools
import importlib
import importlib.metadata
import importlib.util
import platform
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

Main = Callable[[], Coroutine[Any, Any, Any]]

SEED = 1
"""The seed of the runs whose speed is measured."""

ASYNCIO_SECONDS = 20.0
"""After how long the repeated runs on asyncio end: they wait in real time."""

ASYNCIO_PATIENCE = 5.0
"""How many seconds a program may take on asyncio until it is taken to be deadlocked."""


JITTER = 0.01
"""By how many seconds a timer may be late, in the harder test of detangle's README."""


@dataclass(frozen=True)
class Verdict:
    """What a hunt came to."""

    runs: int
    """How many runs there were, up to the one that failed."""
    error: BaseException | None
    """How that one failed; None if none did."""


@dataclass(frozen=True)
class Tester:
    """One way to test a program in many orders."""

    name: str
    module: str | None
    """Import name of what must be installed; None for the standard library."""
    run: Callable[[Main], object]
    """Runs a program once by a seed."""
    hunt: Callable[[Main, int], Verdict]
    """Runs a program in at most so many orders, until it fails."""
    installs: bool = False
    """Whether tasks and primitives are native ones, as under the pytest plugin of Greenloop."""
    in_speed: bool = True
    """Whether its speed is measured: not where it is another one that only hunts otherwise."""
    in_hunts: bool = True
    refusals: tuple[str, ...] = ()
    """Names of exceptions that say: this program is not one that can be run here."""

    def enter(self) -> None:
        """Makes this process the tester's; called once, in the measuring process only."""
        if self.module is not None:
            importlib.import_module(self.module)
        if self.installs:
            _imported("greenloop").install()

    def absence(self) -> str | None:
        """The reason why this tester cannot compete here, or None when it can."""
        if self.module is None:
            return None
        try:
            found = importlib.util.find_spec(self.module)
        except ImportError:
            found = None
        return "not installed" if found is None else None

    def version(self) -> str:
        """The version that competes: the distribution's, or the interpreter's for asyncio."""
        if self.module is None:
            return platform.python_version()
        return importlib.metadata.version(self.module.partition(".")[0])

    def refuses(self, error: BaseException) -> bool:
        """Whether the error, or one that it was raised from, is a refusal."""
        cause: BaseException | None = error
        while cause is not None:
            if type(cause).__name__ in self.refusals:
                return True
            cause = cause.__cause__ or cause.__context__
        return False


def _hunt_on_asyncio(main: Main, runs: int) -> Verdict:
    """Run again and again, as `pytest --count` does. The order hardly ever changes."""
    end = time.monotonic() + ASYNCIO_SECONDS
    for number in range(1, runs + 1):
        try:
            asyncio.run(_impatient(main))
        except Exception as error:
            return Verdict(number, error)
        if time.monotonic() > end:
            break
    return Verdict(number, None)


async def _impatient(main: Main) -> None:
    # The loop has a timer more than with asyncio.run(main()), and no task more.
    async with asyncio.timeout(ASYNCIO_PATIENCE):
        await main()


def _hunt_once(main: Main, _: int) -> Verdict:
    return _hunt_on_asyncio(main, 1)


def _run_in_simloom(main: Main) -> object:
    return _imported("simloom").run(main, seed=SEED)


def _hunt_in_simloom(main: Main, runs: int) -> Verdict:
    simloom = _imported("simloom")
    # What `@simloom.test` passes on.
    options = {"virtual_time": True, "seed_randomness": True}
    exploration = simloom.explore(main, runs=runs, **options)
    failure = exploration.first_failure
    if failure is not None:
        simloom.shrink(main, failure, **options)
    return Verdict(exploration.runs, failure and failure.error)


def _run_in_detangle(main: Main) -> object:
    return _imported("detangle").run(main, seed=SEED)


def _hunt_in_detangle(main: Main, runs: int, **options: Any) -> Verdict:
    detangle = _imported("detangle")
    try:
        # A database would have the second hunt begin with the first one's finding.
        statistics = detangle.explore(main, runs=runs, seed=SEED, database=False, **options)
    except detangle.BugFound as found:
        return Verdict(found.report.runs, found.__cause__ or found)
    return Verdict(statistics.runs, None)


def _run_in_simloop(main: Main) -> object:
    return _raise_found(_hunt_for_seeds(main, range(SEED, SEED + 1)))


def _hunt_in_simloop(main: Main, runs: int) -> Verdict:
    return _hunt_for_seeds(main, range(runs))


def _hunt_for_seeds(main: Main, seeds: range) -> Verdict:
    report = _imported("simloop").explore(main, seeds)
    if report is None:
        return Verdict(len(seeds), None)
    return Verdict(report.seeds_passed + 1, report.exception)


def _raise_found(verdict: Verdict) -> None:
    if verdict.error is not None:
        raise verdict.error


def _run_in_greenloop(main: Main, **schedule: Any) -> object:
    return _imported("greenloop.testing").run(main, **schedule)


def _hunt_in_greenloop(main: Main, runs: int, orders: str) -> Verdict:
    testing = _imported("greenloop.testing")
    exploration = testing.explore(main, schedules=runs, orders=orders)
    finding = exploration.finding
    if finding is None:
        return Verdict(exploration.runs, None)
    return Verdict(finding.found_after, finding.exception)


def _imported(module: str) -> Any:
    return importlib.import_module(module)


def _greenloop(orders: str) -> Tester:
    return Tester(
        f"greenloop-{orders}",
        "greenloop.testing",
        functools.partial(_run_in_greenloop, seed=SEED, orders=orders),
        functools.partial(_hunt_in_greenloop, orders=orders),
        installs=True,
    )


def _run_on_asyncio(main: Main) -> object:
    return asyncio.run(main())


TESTERS: dict[str, Tester] = {
    tester.name: tester
    for tester in (
        Tester("asyncio-once", None, _run_on_asyncio, _hunt_once, in_speed=False),
        Tester("asyncio", None, _run_on_asyncio, _hunt_on_asyncio),
        Tester(
            "simloom",
            "simloom",
            _run_in_simloom,
            _hunt_in_simloom,
            refusals=("EscapedSimulationError",),
        ),
        Tester("detangle", "detangle", _run_in_detangle, _hunt_in_detangle),
        Tester(
            "detangle-jitter",
            "detangle",
            _run_in_detangle,
            functools.partial(_hunt_in_detangle, timer_jitter=JITTER),
            in_speed=False,
        ),
        Tester(
            "simloop",
            "simloop",
            _run_in_simloop,
            _hunt_in_simloop,
            refusals=("SimulationFenceError",),
        ),
        Tester(
            "greenloop-unseeded",
            "greenloop.testing",
            _run_in_greenloop,
            lambda main, _: _hunt_in_greenloop(main, 1, "exact"),
            installs=True,
            in_hunts=False,
        ),
        _greenloop("exact"),
        _greenloop("hostile"),
    )
}
"""In the order of the report's columns.

asyncio competes twice: a test that runs once, and one that is repeated. So does detangle: its
timers are late only if asked. `greenloop-unseeded` runs in asyncio's order, with nothing but its
time virtual.
"""
