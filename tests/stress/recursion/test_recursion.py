"""No chain of anything ends the process, however long it is and however small the stack.

Each of the `chains` runs in a child process, where an overflowing stack is a signal and no end of
pytest. They run on Greenloop only: asyncio does not survive most of them, and those that it does
survive end as they do here.

`GREENLOOP_RECURSION_LENGTH=1000000` makes the chains as long as that, which takes minutes.
"""

import os
import subprocess
import sys

import chains
import pytest
from registry import CHAINS, EXPECTED

PROGRAM = chains.__file__
LENGTH = int(os.environ.get("GREENLOOP_RECURSION_LENGTH", "50000"))


def run(names):
    """What the chains of these names came to, in one process for as many as survive."""
    outcomes = {}
    while remaining := [name for name in names if name not in outcomes]:
        command = [sys.executable, PROGRAM, str(LENGTH), *remaining]
        child = subprocess.run(command, capture_output=True, text=True, timeout=LENGTH / 100)
        lines = child.stdout.splitlines()
        assert lines, child.stderr
        outcomes |= zip(lines[::2], lines[1::2], strict=False)
        if len(lines) % 2:
            outcomes[lines[-1]] = f"exit code {child.returncode}: {child.stderr}"
    return outcomes


@pytest.fixture(scope="module")
def outcomes():
    return run(CHAINS)


@pytest.mark.slow
@pytest.mark.parametrize("name", CHAINS)
def test_a_chain_of_any_length_does_no_harm(name, outcomes):
    assert outcomes[name] == EXPECTED[name]
