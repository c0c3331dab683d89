"""A random program has the same trace on asyncio and on Greenloop: events, order and turns.

asyncio's own Python Task and Future are a contestant too: where they disagree with its C ones the
trace records something that is nobody's promise. And two wrong loops must be found out, else this
test proves nothing.
"""

import pytest
from comparison import assert_same_trace
from hypothesis import Phase, given, settings
from loops_under_test import CONTESTANTS, GREENLOOP, ORACLE, WRONG_LOOPS
from random_programs import programs

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::RuntimeWarning")]

# The second opinion only guards the trace itself, and wrong loops are found at once.
FEWER = 300


@pytest.mark.parametrize("contestant", CONTESTANTS, ids=lambda one: one.name)
def test_a_program_has_the_same_trace_as_on_asyncio(contestant):
    """The main property."""
    most = settings().max_examples
    examples = most if contestant is GREENLOOP else min(most, FEWER)

    @settings(max_examples=examples)
    @given(programs())
    def check(program):
        assert_same_trace(program, contestant)

    check()


@settings(max_examples=FEWER)
@given(programs())
def test_a_program_has_the_same_trace_each_time(program):
    """Without this, a difference between loops would mean nothing."""
    assert_same_trace(program, ORACLE)


@pytest.mark.parametrize("wrong", WRONG_LOOPS, ids=lambda one: one.name)
def test_a_wrong_loop_is_found_out(wrong):
    """A loop that reorders callbacks or needs a turn more differs from asyncio on some program."""

    # Nobody reads the smallest program that tells them apart, so none is sought.
    @settings(max_examples=FEWER, database=None, print_blob=False, phases=[Phase.generate])
    @given(programs())
    def check(program):
        assert_same_trace(program, wrong)

    with pytest.raises(AssertionError):
        check()
