"""What every folder of tests that runs a loop shares; each folder says which loops those are."""

import asyncio
import gc

import pytest

# Its assertions are as much worth explaining as those of the tests.
pytest.register_assert_rewrite("growth")


def pytest_collection_finish():
    """Let the collector forget what pytest itself keeps: hundreds of tests have it run."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def loop(loop_factory):
    """A loop of the kind under test, closed afterwards with whatever the test left on it."""
    loop = loop_factory()
    yield loop
    if not loop.is_closed():
        leftover = asyncio.all_tasks(loop)
        for task in leftover:
            task.cancel()
        if leftover:
            loop.run_until_complete(asyncio.wait(leftover, timeout=0.01))
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


@pytest.fixture
def reports(loop):
    """The contexts that the loop's exception handler was called with, in order."""
    contexts = []
    loop.set_exception_handler(lambda loop, context: contexts.append(context))
    return contexts
