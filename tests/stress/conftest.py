"""Runs the stress tests on both loops: what breaks asyncio too would be a wrong test."""

import asyncio

import pytest

import greenloop

LOOP_FACTORIES = {
    "asyncio": asyncio.SelectorEventLoop,
    "greenloop": greenloop.new_event_loop,
}


@pytest.fixture(params=LOOP_FACTORIES.values(), ids=LOOP_FACTORIES.keys())
def loop_factory(request):
    """What makes a new loop of the kind under test."""
    return request.param
