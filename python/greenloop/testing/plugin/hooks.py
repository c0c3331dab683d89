"""The plugin of pytest: tests in many orders, in virtual time, by option or by marker.

Without an option and a marker nothing is changed. With them the tests run on Greenloop, and each
loop that a test makes is simulated: pytest-asyncio's, AnyIO's, that of `IsolatedAsyncioTestCase`.
A test is repeated as a whole, with its fixtures of function scope, until it fails (`repeating`).
"""

from __future__ import annotations

import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from greenloop.testing.network import Network
    from greenloop.testing.plugin.planning import Plan
    from greenloop.testing.virtual_clock import VirtualClock

_OPTIONS: Final = ("seeds", "seed", "orders", "clock")
_SETTINGS: Final = (*_OPTIONS, "late", "faults")

FAILING_ORDER: Final = "greenloop-seed"
"""The property of a failure's report whose value is the token."""


_THREADS: Final = pytest.StashKey[list[threading.Thread]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the options."""
    group = parser.getgroup("greenloop", "orders of async tests (Greenloop)")
    group.addoption(
        "--greenloop-seeds",
        type=int,
        metavar="N",
        help="run each async test in N orders, on Greenloop and in virtual time",
    )
    group.addoption(
        "--greenloop-seed",
        metavar="TOKEN",
        help="run each async test once, in the order of a failure's token or of a number",
    )
    group.addoption(
        "--greenloop-orders",
        choices=["exact", "hostile"],
        help="only orders that production can have (exact, the default), or any (hostile)",
    )
    group.addoption(
        "--greenloop-html",
        metavar="FOLDER",
        help="write what the tasks did in a failing order into FOLDER, a file for each test",
    )
    group.addoption(
        "--greenloop-clock",
        choices=["virtual", "real"],
        help="a clock that jumps while nothing can run (virtual, the default), or the system's; "
        "alone: run each async test once, in asyncio's order",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker; if the options ask for Greenloop, have asyncio use it from now on."""
    config.addinivalue_line(
        "markers",
        "greenloop(*, seeds=20, seed=None, orders='exact', clock='virtual', late=4, faults=()): "
        "run the test in so many orders and with each fault, on Greenloop and in virtual time",
    )
    options = _options(config)
    if not options:
        return
    from greenloop.testing.plugin.planning import plan
    from greenloop.testing.plugin.simulated_loops import installed

    try:
        plan(**options)
    except ValueError as error:
        raise pytest.UsageError(f"the options --greenloop-*: {error}") from error
    installation = ExitStack()
    installation.enter_context(installed())
    config.add_cleanup(installation.close)


def pytest_sessionstart(session: pytest.Session) -> None:
    """Note which threads there are before any module of tests is imported."""
    session.config.stash[_THREADS] = threading.enumerate()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Find the tests that are to be repeated, and have them repeated."""
    options = _options(config)
    asked = [item for item in items if options or item.get_closest_marker("greenloop") is not None]
    if not asked:
        return
    from greenloop.testing.plugin.repeating import Repeater

    # A worker of pytest-xdist that refuses to collect is taken to have crashed.
    for item in asked if not hasattr(config, "workerinput") else ():
        try:
            _plan(item, options)
        except ValueError as error:
            raise pytest.UsageError(f"{item.nodeid}: {error}") from None
    # Plans are made later, since AnyIO's plugin puts items of its own in the place of these.
    threads = config.stash[_THREADS]
    config.pluginmanager.register(Repeater(lambda item: _plan(item, options), threads))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """List the orders in which tests failed."""
    lines = []
    for category in ("failed", "error"):
        for report in terminalreporter.stats.get(category, []):
            for name, value in getattr(report, "user_properties", ()):
                if name == FAILING_ORDER:
                    lines.append(f"{report.nodeid} --greenloop-seed={value}")
    if lines:
        terminalreporter.write_sep("=", "orders that fail")
        for line in lines:
            terminalreporter.write_line(line)


def _options(config: pytest.Config) -> dict[str, Any]:
    """Return what the options say; nothing if none is given."""
    found = {name: config.getoption(f"--greenloop-{name}") for name in _OPTIONS}
    return {name: value for name, value in found.items() if value is not None}


def _plan(item: pytest.Item, options: dict[str, Any]) -> Plan | None:
    """Return what options and markers say of a test, or None if they say nothing.

    The options win over markers, so that a marked test can be run again by a token. Of several
    markers the closest wins.

    Raises:
        ValueError: A marker has other arguments than it takes.
    """
    from greenloop.testing.plugin.planning import plan

    markers = list(item.iter_markers("greenloop"))
    if not options and not markers:
        return None
    settings = dict(options)
    for marker in markers:
        unknown = [*map(repr, marker.args), *sorted(marker.kwargs.keys() - set(_SETTINGS))]
        if unknown:
            takes = ", ".join(_SETTINGS)
            raise ValueError(
                f"the marker greenloop takes {takes} by name, not {', '.join(unknown)}"
            )
        for name, value in marker.kwargs.items():
            settings.setdefault(name, value)
    if not markers and settings.keys() == {"clock"}:
        settings["seeds"] = 1
    try:
        return plan(**settings)
    except ValueError as error:
        raise ValueError(f"the marker greenloop: {error}") from None


@pytest.fixture
def virtual_clock() -> VirtualClock:
    """Return the clock of the test's loop, for a test with the marker or under the options."""
    from greenloop.testing.virtual_clock import VirtualClock

    return VirtualClock()


@pytest.fixture
def network_settings() -> dict[str, Any]:
    """Return the arguments of `network`: none, unless a test gives it others by parametrizing."""
    return {}


@pytest.fixture
def network(network_settings: dict[str, Any]) -> Iterator[Network]:
    """Have the test's loops use a network in memory, for a test with the marker or the options."""
    from greenloop.testing.network import Network
    from greenloop.testing.plugin.simulated_loops import SimulatedLoops

    loops = SimulatedLoops.current()
    if loops is None:
        raise RuntimeError(
            "the loop is not simulated: the test needs the marker greenloop, or an option such as "
            "--greenloop-seeds"
        )
    network = Network(**network_settings)
    with loops.networked(network):
        yield network
