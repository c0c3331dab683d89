"""What every folder of tests that runs a loop shares; each folder says which loops those are."""

import asyncio
import gc
import importlib.util
import sys

import pytest

# Its assertions are as much worth explaining as those of the tests.
pytest.register_assert_rewrite("growth")


def pytest_collection_finish():
    """Let the collector forget what pytest itself keeps: hundreds of tests have it run."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def no_exception_is_left_behind():
    """Fail the test after which the interpreter still believes an exception to be handled.

    What unbalances its stack of handled exceptions would show up as the context of errors in later
    tests that have nothing to do with it.
    """
    yield
    left = sys.exc_info()[1]
    assert left is None, f"the interpreter still handles {left!r}"


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


@pytest.fixture(scope="session")
def driver():
    """A browser; without one, the tests that need it are skipped."""
    if importlib.util.find_spec("selenium") is None:
        pytest.skip("selenium is absent")
    import chromium

    if chromium.CHROMIUM is None or chromium.DRIVER is None:
        pytest.skip("chromium is absent")
    driver = chromium.start()
    yield driver
    driver.quit()
