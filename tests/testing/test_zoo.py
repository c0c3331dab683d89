"""Twenty bugs that a test sees in one order out of many, and their mended twins."""

import importlib

import pytest
from zoo import BUGS

import greenloop.testing

MOST_SCHEDULES = 1000
MOST_RUNS_TO_SHRINK = 200


def scenarios(name):
    """The two scenarios of a bug: broken and mended."""
    module = importlib.import_module(f"zoo.{name}")
    return module.broken, module.mended


def find(main):
    """The failure of a program in the weakest level that shows it."""
    for orders in ("exact", "hostile"):
        exploration = greenloop.testing.explore(main, schedules=MOST_SCHEDULES, orders=orders)
        if exploration.finding is not None:
            return exploration.finding
    return None


@pytest.mark.parametrize("name", BUGS)
def test_a_bug_passes_in_asyncios_order(name):
    broken, _ = scenarios(name)
    greenloop.testing.run(broken)


@pytest.mark.parametrize("name", BUGS)
def test_a_bug_is_found_shrunk_and_replayed(name):
    broken, _ = scenarios(name)
    finding = find(broken)
    assert finding is not None, "no order showed it"
    assert finding.found_after <= MOST_SCHEDULES
    assert finding.shrunk_in <= MOST_RUNS_TO_SHRINK
    assert 1 <= len(finding.account.deviations) <= 2
    token = str(finding.schedule)
    assert len(token) <= 100
    with pytest.raises(type(finding.exception)) as caught:
        greenloop.testing.run(broken, schedule=token)
    assert token in "".join(caught.value.__notes__)


@pytest.mark.parametrize("name", BUGS)
def test_the_mended_twin_never_fails_in_an_order_of_production(name):
    _, mended = scenarios(name)
    exploration = greenloop.testing.explore(mended, schedules=MOST_SCHEDULES)
    exploration.check()
