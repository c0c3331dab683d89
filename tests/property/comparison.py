"""Runs a program on the oracle and on a contestant, and compares the traces."""

import warnings

from loops_under_test import ORACLE
from program_interpreter import trace_of
from random_programs import SHORT
from trace_words import without_texts

# How often a program with a `SHORT` timeout may be run before a difference counts: once, unless the
# machine stood still for a millisecond just there.
ATTEMPTS = 3


def assert_same_trace(program, contestant) -> list:
    """Compare the traces of a program, and return the one that both have."""
    for _ in range(ATTEMPTS if f"'timeout', {SHORT}" in repr(program) else 1):
        with warnings.catch_warnings():
            # A program may well leave a coroutine that nobody awaited.
            warnings.simplefilter("ignore", RuntimeWarning)
            expected = trace_of(program, ORACLE)
            actual = trace_of(program, contestant)
        if not contestant.same_texts:
            actual, expected = without_texts(actual[:-1]), without_texts(expected[:-1])
        if actual == expected:
            return actual
    assert actual == expected
    return actual
