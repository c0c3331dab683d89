"""Runs the interpreter's asyncio suite on Greenloop and compares it with the recorded results."""

import pytest

from . import modules, record, report, runner
from .selection import Selection

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def outcome():
    outcome = runner.run(runner.Options())
    print(report.table(outcome.results))
    return outcome


@pytest.mark.parametrize("module", sorted(modules.available()))
def test_module_ran_on_greenloop(outcome, module):
    assert outcome.problems.get(module, []) == []
    settled = [
        r
        for r in outcome.results
        if r.module == module and r.outcome in ("passed", "failed", "flaky")
    ]
    assert settled, f"no test of {module} was run on Greenloop"


def test_nothing_regressed(outcome):
    assert record.regressions(runner.version(), outcome.results, complete=True) == []


def test_every_exclusion_still_matches_a_test(outcome):
    names = {result.name for result in outcome.results}
    assert Selection(runner.Options().loop).unused(names) == []
