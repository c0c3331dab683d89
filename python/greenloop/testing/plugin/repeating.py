"""`Repeater`: the tests of pytest that run in many orders, and what is reported of them.

A test has one report, as if it had run once: that of its run in asyncio's order if it passes in
all orders and with all faults, and otherwise that of a run that failed in as few deviations as
could be found, with a diagram of what its tasks did. The first run that does not pass is the last
one before shrinking, so that a test which is skipped, or is expected to fail, is neither run again.
A test that offers no fault and has no point at which something can be chosen runs once.

Of pytest's internals only those are used that other plugins use which repeat tests.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import re
import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, Final

import pytest
from _pytest.runner import runtestprotocol
from _pytest.unittest import TestCaseFunction

from greenloop.testing import showing
from greenloop.testing.faults import with_faults
from greenloop.testing.plugin.hooks import FAILING_ORDER
from greenloop.testing.plugin.planning import Plan
from greenloop.testing.plugin.progress import Progress
from greenloop.testing.plugin.run_of_test import Run, has_others
from greenloop.testing.plugin.simulated_loops import SimulatedLoops, installed
from greenloop.testing.schedule import Schedule
from greenloop.testing.shrinking import shrink
from greenloop.testing.threads import unrelated_threads

if TYPE_CHECKING:
    from greenloop.tracing import Trace

_LONGEST_NAME: Final = 150
"""How many characters of a test's name are in that of its file."""


class Repeater:
    """A plugin that is registered if tests are to be repeated."""

    def __init__(
        self,
        plan_of: Callable[[pytest.Item], Plan | None],
        threads: Iterable[threading.Thread],
    ) -> None:
        """Prepare to repeat tests.

        Args:
            plan_of: Returns the plan of a test, or None for one that is left alone.
            threads: Those of pytest and its plugins. No test waits for them.
        """
        unrelated_threads.update(threads)
        self._plan_of = plan_of
        self._repetition: Repetition | None = None
        self._examples: _Examples | None = None

    # First, or a plugin that repeats tests which fail would run it; wrappers are around both.
    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(
        self, item: pytest.Item, nextitem: pytest.Item | None
    ) -> object | None:
        """Run a test in its orders."""
        # A doctest cannot be repeated: its names are gone when it has run.
        if not isinstance(item, pytest.Function) or item.config.getoption("setuponly", False):
            return None
        try:
            plan = self._plan_of(item)
        except ValueError:
            plan = None
        if plan is None:
            return None
        unrelated_threads.update(filter(_is_of_pytest_timeout, threading.enumerate()))
        self._repetition = Repetition(item, plan)
        if _is_of_hypothesis(item):
            self._prepare_hypothesis(item)
        try:
            self._repetition.run(nextitem)
        finally:
            self._repetition = None
        return True

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Refuse a test with a wrong marker, in a process of pytest-xdist that collected it."""
        if self._repetition is not None:
            return
        refusal = None
        try:
            self._plan_of(item)
        except ValueError as error:
            refusal = str(error)
        if refusal is not None:
            pytest.fail(refusal, pytrace=False)

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[Any]
    ) -> Generator[None, object, object]:
        """Set up fixtures of wider scope in asyncio's order, as only the first run has them."""
        loops = self._repetition.loops if self._repetition is not None else None
        if loops is None or fixturedef.scope == "function":
            return (yield)
        with loops.undisturbed():
            return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self) -> Generator[None, object, object]:
        """Have the test itself disturbed, if its marker asks for it."""
        if self._repetition is None:
            return (yield)
        with self._repetition.disturbed():
            return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Keep the exception of a run, which a report has only as text."""
        report = yield
        if self._repetition is not None and call.excinfo is not None:
            self._repetition.exceptions.append(call.excinfo.value)
        return report

    def _begin_example(self) -> None:
        if self._repetition is not None and self._repetition.loops is not None:
            self._repetition.loops.begin_anew()

    def _prepare_hypothesis(self, item: pytest.Function) -> None:
        """Have each example begin the schedule, or it would fail in no order but its own."""
        hypothesis: Any = importlib.import_module("hypothesis")
        if self._examples is None:
            self._examples = _Examples(self._begin_example)
            hypothesis.register_random(self._examples)
        # A method is called on another object in each run, as with pytest's own parametrization,
        # for which Hypothesis's plugin does the same.
        function: Any = item.function
        settings = getattr(function, "_hypothesis_internal_use_settings", None)
        check = hypothesis.HealthCheck.differing_executors
        if settings is None or check not in settings.suppress_health_check:
            parent = settings or hypothesis.settings.default
            function._hypothesis_internal_use_settings = hypothesis.settings(
                parent, suppress_health_check=[*parent.suppress_health_check, check]
            )


class _Examples:
    """A source of chance to Hypothesis, which seeds all that it knows before each example."""

    def __init__(self, begin: Callable[[], None]) -> None:
        self._begin = begin

    def seed(self, _seed: object) -> None:
        self._begin()

    def getstate(self) -> None:
        pass

    def setstate(self, _state: object) -> None:
        pass


class Repetition:
    """The runs of one test."""

    def __init__(self, item: pytest.Function, plan: Plan) -> None:
        """Prepare the runs of a test."""
        self.loops: SimulatedLoops | None = None
        """The loops of the present run."""
        self.exceptions: list[BaseException] = []
        """What the present run has raised."""
        self._item = item
        self._plan = plan
        self._progress = Progress(item.config)
        # How the number of a run is told.
        self._all = ""
        # What a run adds to these is not there in the next one.
        self._properties = list(item.user_properties)
        self._markers = list(item.own_markers)

    def run(self, nextitem: pytest.Item | None) -> None:
        """Run the test until it fails or all orders were tried, and report it."""
        item = self._item
        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        with installed():
            found, number = self._search()
            tried = 0
            if found.exception is not None and not self._plan.is_replay and self._may_shrink():
                found, tried = shrink(self._run_to_shrink, found)
            trace = None
            if found.has_failed and (number > 1 or self._plan.is_replay) and self._may_shrink():
                found, trace = self._recorded(found)
            self._progress.clear()
            if found.has_failed:
                self._tell_order(found, number, tried, trace)
            elif self._plan.is_replay:
                _fail_if_diverged(found, self._plan.base)
            self._report(found, nextitem)
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)

    @contextmanager
    def disturbed(self) -> Iterator[None]:
        """Have the test's function offer the faults of the plan meanwhile, if it is async."""
        faults = self._plan.faults
        holder: Any = self._item
        name = "obj"
        if _is_of_hypothesis(self._item):
            # Each example is disturbed by itself.
            holder, name = holder.obj.hypothesis, "inner_test"
        elif isinstance(self._item, TestCaseFunction):
            # unittest looks the method of an async test up by itself.
            holder, name = holder.instance, holder.name
        function = getattr(holder, name)
        if not faults or not inspect.iscoroutinefunction(function):
            yield
            return

        @functools.wraps(function)
        async def disturbed(*arguments: Any, **keywords: Any) -> Any:
            return await with_faults(function(*arguments, **keywords), faults)

        setattr(holder, name, disturbed)
        try:
            yield
        finally:
            setattr(holder, name, function)

    def _search(self) -> tuple[Run, int]:
        """Return the run to be reported, and how many there were."""
        first = self._run_once(self._plan.base, None, limits=not self._plan.is_replay)
        number = 1
        if first.is_last or not first.has_others or self._is_to_stop():
            return first, number
        what = "run" if first.account.faults else "order"
        self._all = f"{what} {{}} of {self._plan.runs(first.account)}"
        for attempt in self._plan.further(first.account):
            number += 1
            self._progress.show(self._all.format(number))
            run = self._run_once(attempt.schedule, attempt.deviations)
            if run.is_last or self._is_to_stop():
                return run, number
        return first, number

    def _run_to_shrink(self, deviations: list[tuple[int, int]], fault: int | None) -> Run:
        self._progress.show("shrinking")
        return self._run_once(self._plan.base.with_fault(fault), deviations)

    def _recorded(self, found: Run) -> tuple[Run, Trace | None]:
        """Run a failure once more, and return it with what its tasks did."""
        schedule = found.schedule
        if schedule is None or found.first_exception is None:
            return found, None
        self._progress.show("recording")
        again, trace = showing.recorded(lambda: self._run_once(schedule, None))
        if again.has_failed and type(again.first_exception) is type(found.first_exception):
            return again, trace
        # It depends on what no schedule decides: the trace would be one of another run.
        return found, None

    def _run_once(
        self,
        schedule: Schedule,
        deviations: Sequence[tuple[int, int]] | None,
        *,
        limits: bool = False,
    ) -> Run:
        """Run the test and its fixtures of function scope, and return what came of it."""
        item: Any = self._item
        item.user_properties[:] = self._properties
        item.own_markers[:] = self._markers
        # What was printed and logged, which is a part of all reports that are made later.
        item._report_sections.clear()
        self.exceptions = []
        self.loops = SimulatedLoops(schedule, deviations, limits=limits)
        try:
            with self.loops.simulated():
                # The nodes above the item stay set up, with the fixtures that belong to them.
                reports = runtestprotocol(item, nextitem=item.parent, log=False)
            accounts = self.loops.accounts
        finally:
            self.loops = None
        accounts = list(filter(has_others, accounts)) or accounts
        same: Schedule | None = schedule
        if len(accounts) <= 1 or deviations is not None:
            # Of several loops no more than one is likely to have had all deviations.
            longest = max(accounts, key=lambda each: len(each.deviations), default=None)
            same = longest.schedule if longest is not None else None
        first_exception = self.exceptions[0] if self.exceptions else None
        return Run(reports, first_exception, accounts, same)

    def _is_to_stop(self) -> bool:
        session = self._item.session
        return bool(session.shouldstop or session.shouldfail)

    def _may_shrink(self) -> bool:
        """Tell whether nobody is asked what to do at each failure, and all is still set up."""
        return not self._item.config.getoption("usepdb", False) and not self._is_to_stop()

    def _tell_order(self, found: Run, number: int, tried: int, trace: Trace | None) -> None:
        """Write into the failure's reports how to get the same order again."""
        schedule = found.schedule
        # Without an exception it is a test that should have failed in some order, and has not.
        if schedule is None or found.first_exception is None:
            return
        plan = self._plan
        lines = [f"{schedule.orders} orders, {schedule.clock} clock: failed in "]
        if plan.is_replay:
            lines[0] += f"the order of {plan.base}"
            if (difference := found.difference) is not None:
                lines.append(f"the run differs from the one of that token {difference}")
        elif number == 1:
            lines[0] += "asyncio's order"
        else:
            lines[0] += self._all.format(number)
            if found.is_of_one_loop:
                deviations = _counted(len(found.account.deviations), "deviation")
                shrunk = f", shrunk in {_counted(tried, 'run')}" if tried else ""
                lines.append(f"{deviations} from asyncio's order{shrunk}")
        lines += [f"fault: {each.fault}" for each in found.accounts if each.fault is not None]
        lines.append(f"the same order again: --greenloop-seed={schedule}")
        if trace is not None:
            lines += self._written(trace)
            lines += ["", showing.diagram(trace)]
        for report in found.reports:
            if report.failed:
                report.sections.append(("Greenloop", "\n".join(lines)))
                if number > 1 or plan.is_replay:
                    report.user_properties.append((FAILING_ORDER, str(schedule)))

    def _written(self, trace: Trace) -> list[str]:
        """Write the trace into the folder that the option names, and say where it is."""
        folder: str | None = self._item.config.getoption("--greenloop-html")
        if folder is None:
            return []
        name = re.sub(r"[^\w.-]+", "-", self._item.nodeid)[-_LONGEST_NAME:]
        path = self._item.config.invocation_params.dir / folder / f"{name}.html"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            showing.write(trace, path)
        except OSError as error:
            return [f"what the tasks did could not be written: {error}"]
        return [f"what the tasks did: {path}"]

    def _report(self, found: Run, nextitem: pytest.Item | None) -> None:
        """Report the phases, and have the fixtures of wider scope end that are needed no more."""
        item = self._item
        *phases, teardown = found.reports
        for report in phases:
            item.ihook.pytest_runtest_logreport(report=report)
        if self._is_to_stop():
            nextitem = None
        last = self._tear_down(nextitem)
        last.duration += teardown.duration
        if teardown.failed:
            item.ihook.pytest_runtest_logreport(report=teardown)
        if last.failed or not teardown.failed:
            item.ihook.pytest_runtest_logreport(report=last)

    def _tear_down(self, nextitem: pytest.Item | None) -> pytest.TestReport:
        """Have the fixtures end that the next test does not need, and return a report of it.

        Those of the test itself have ended, so that the hook of its teardown is not called again.
        """
        item: Any = self._item
        capture: Any = item.config.pluginmanager.get_plugin("capturemanager")
        is_captured = capture.item_capture("teardown", item) if capture else nullcontext()
        self.exceptions = []
        self.loops = SimulatedLoops(self._plan.base)
        try:
            with self.loops.simulated(), self.loops.undisturbed(), is_captured:
                call = pytest.CallInfo.from_call(
                    lambda: item.session._setupstate.teardown_exact(nextitem),
                    when="teardown",
                    reraise=(pytest.exit.Exception, KeyboardInterrupt),
                )
        finally:
            self.loops = None
        report: pytest.TestReport = item.ihook.pytest_runtest_makereport(item=item, call=call)
        return report


def _is_of_hypothesis(item: pytest.Function) -> bool:
    return getattr(item.function, "is_hypothesis_test", False)


def _is_of_pytest_timeout(thread: threading.Thread) -> bool:
    """Tell whether a thread only waits to end a test that takes too long."""
    return thread.name.startswith("pytest_timeout ")


def _counted(number: int, noun: str) -> str:
    return f"1 {noun}" if number == 1 else f"{number} {noun}s"


def _fail_if_diverged(run: Run, schedule: Schedule) -> None:
    """Have a test fail that passed, but was another run than the one that its token is of."""
    difference = run.difference
    for report in run.reports:
        if difference is not None and report.when == "call" and report.passed:
            report.outcome = "failed"
            report.longrepr = (
                f"Diverged: the test passed, but the run differs from the one of {schedule} "
                f"{difference}"
            )
