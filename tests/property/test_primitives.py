"""Queues, locks, events, conditions and barriers: tasks that wait for each other at random.

The trace must be asyncio's, with our primitives on our loop and on asyncio's. Two more things hold
whatever asyncio does: at a quiet moment nobody waits for what is there to be had, and no item of a
queue is lost or taken twice. Wrong primitives must be found out, else this proves nothing.
"""

import pytest
from comparison import assert_same_trace
from hypothesis import Phase, given, settings
from loops_under_test import CONTESTANTS, GREENLOOP, NATIVE_ON_ASYNCIO, ORACLE, WRONG_PRIMITIVES
from random_programs import programs_of_primitives

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::RuntimeWarning")]

FEWER = 300


@pytest.mark.parametrize("contestant", CONTESTANTS, ids=lambda one: one.name)
def test_tasks_wait_for_each_other_as_with_asyncio(contestant):
    """The main property."""
    most = settings().max_examples
    examples = most if contestant in (GREENLOOP, NATIVE_ON_ASYNCIO) else min(most, FEWER)

    @settings(max_examples=examples)
    @given(programs_of_primitives())
    def check(program):
        assert_same_trace(program, contestant)

    check()


@settings(max_examples=FEWER)
@given(programs_of_primitives())
def test_nobody_waits_for_what_is_there_and_nothing_is_lost(program):
    """Follows from the main property, if asyncio itself keeps its promises."""
    trace = assert_same_trace(program, GREENLOOP)
    accounts = {
        event[1]: event[2] for event in trace if event[1:2] in (("stuck",), ("miscounted",))
    }
    assert accounts == {"stuck": [], "miscounted": []}


@settings(max_examples=FEWER)
@given(programs_of_primitives())
def test_a_program_has_the_same_trace_each_time(program):
    """Without this, a difference would mean nothing."""
    assert_same_trace(program, ORACLE)


@pytest.mark.parametrize("wrong", WRONG_PRIMITIVES, ids=lambda one: one.name)
def test_a_wrong_primitive_is_found_out(wrong):
    """An unfair lock, and a queue that loses a wake-up, differ from asyncio's on some program."""

    # Nobody reads the smallest program that tells them apart, so none is sought.
    @settings(max_examples=4 * FEWER, database=None, print_blob=False, phases=[Phase.generate])
    @given(programs_of_primitives())
    def check(program):
        assert_same_trace(program, wrong)

    with pytest.raises(AssertionError):
        check()
