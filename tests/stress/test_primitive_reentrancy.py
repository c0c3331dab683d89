"""User code in the midst of a primitive: comparisons, destructors, overridden methods, callbacks.

Wherever a primitive runs user code, that code may raise or use the primitive again. The results are
asyncio's, and nothing is lost, stuck or crashes. The scenarios of each kind of user code stand in a
module of their own.
"""

import callbacks_in_primitives
import comparisons_in_primitives
import destructors_in_primitives
import overrides_of_primitives
import pytest
from differential import assert_same_primitives
from scenarios import scenarios_of

SCENARIOS = scenarios_of(
    comparisons_in_primitives,
    destructors_in_primitives,
    overrides_of_primitives,
    callbacks_in_primitives,
)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)
def test_user_code_within_a_primitive(scenario):
    assert_same_primitives(scenario)


def test_there_are_scenarios():
    assert len(SCENARIOS) > 25
