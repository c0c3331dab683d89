"""User code that raises, wherever a loop calls user code: same consequences as in asyncio.

Each scenario makes one kind of user code raise; the scenarios stand in modules by who is called.
What leaves the loop, what its exception handler gets and what is logged must be the same, nothing
may be swallowed or crash, and the loop must run on.
"""

import asyncio
import gc
import sys

import pytest
import raising_awaitables
import raising_callbacks
import raising_objects
from differential import assert_same
from scenarios import Trouble, scenarios_of

from loop_turns import run_turns


class BaseTrouble(BaseException):
    """The same, of the kind that `except Exception` does not catch."""


ERRORS = [
    Trouble,
    BaseTrouble,
    KeyboardInterrupt,
    SystemExit,
    asyncio.CancelledError,
    StopIteration,
]

SCENARIOS = scenarios_of(raising_callbacks, raising_awaitables, raising_objects)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.__name__)
@pytest.mark.parametrize("user_code", SCENARIOS, ids=lambda scenario: scenario.__name__)
def test_user_code_that_raises(user_code, error, monkeypatch):
    # What a destructor raises goes to this hook; that it gets there is compared too.
    unraisable = []
    monkeypatch.setattr(sys, "unraisablehook", lambda one: unraisable.append(one.exc_type))

    def scenario(loop, one):
        del unraisable[:]
        left = []
        task = None
        try:
            task = user_code(loop, one, error)
        except BaseException as caught:
            left.append((type(caught), str(caught)))
        for _ in range(4):
            try:
                run_turns(loop, 1)
            except BaseException as caught:
                left.append((type(caught), str(caught)))
        result = task
        if isinstance(task, asyncio.Future):
            result = [task.done(), task.done() and task.cancelled()]
            if task.done() and not task.cancelled() and task.exception():
                result += [type(task.exception()), str(task.exception())]
        del task
        gc.collect()
        return left, result, sorted(map(str, unraisable))

    assert_same(scenario)


def test_there_are_scenarios():
    assert len(SCENARIOS) > 40
