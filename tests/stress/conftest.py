"""Runs the stress tests on both loops: what breaks asyncio too would be a wrong test."""

import asyncio
import gc

import pytest

import greenloop

# Its assertions are as much worth explaining as those of the tests.
pytest.register_assert_rewrite("differential")

LOOP_FACTORIES = {
    "asyncio": asyncio.SelectorEventLoop,
    "greenloop": greenloop.new_event_loop,
}


@pytest.fixture(params=LOOP_FACTORIES.values(), ids=LOOP_FACTORIES.keys())
def loop_factory(request):
    """What makes a new loop of the kind under test."""
    return request.param


@pytest.fixture(autouse=True)
def quick_collections():
    """Hide what is older than the test from the collector, which most of these tests call often."""
    gc.freeze()
    yield
    gc.unfreeze()
