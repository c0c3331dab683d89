"""Simulated runs of random programs: asyncio's order by default, and the same again by their token.

Hypothesis writes the programs and chooses the seeds. A run is all that it tells: the trace, and
how many steps and choices there were.
"""

import pytest
from comparison import assert_same_trace
from hypothesis import given, settings
from hypothesis import strategies as st
from random_programs import programs, programs_of_primitives, without
from simulated_runs import OtherProcess, simulated, told

from greenloop.testing import Schedule

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::RuntimeWarning")]

# Of the programs that the profile asks for.
SHARE = 4
LEVELS = ["exact", "hostile"]
KINDS = [programs, programs_of_primitives]


def fewer():
    return settings(max_examples=max(settings().max_examples // SHARE, 1))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("level", LEVELS)
def test_the_order_without_a_seed_is_asyncios(kind, level):
    """The clock is the system's, as asyncio's is.

    Calls of other threads are left out: a simulated loop takes them with its next poll.
    """
    contestant = simulated(Schedule.asyncios(orders=level, clock="real"))

    @fewer()
    @given(kind())
    def check(program):
        assert_same_trace(without("call_soon_threadsafe", program), contestant)

    check()


@pytest.mark.parametrize("level", LEVELS)
def test_a_run_is_the_same_again_and_in_another_process(level):
    with OtherProcess() as elsewhere:

        @fewer()
        @given(st.one_of(*(kind() for kind in KINDS)), st.integers(0, 2**64 - 1))
        def check(program, seed):
            schedule = Schedule.by_seed(seed, orders=level)
            first, token = told(program, schedule)
            assert told(program, schedule) == (first, token)
            assert told(program, Schedule.parse(token)) == (first, token)
            assert elsewhere.told(program, token) == (first, token)

        check()
