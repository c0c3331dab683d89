"""Runs the behaviour tests on both loops: asyncio is the oracle, and Greenloop does the same."""

import asyncio

import pytest
from primitives_under_test import SETTINGS

import greenloop
from greenloop import _native

LOOP_FACTORIES = {
    "asyncio": asyncio.SelectorEventLoop,
    "greenloop": greenloop.new_event_loop,
}


@pytest.fixture(params=LOOP_FACTORIES.values(), ids=LOOP_FACTORIES.keys())
def loop_factory(request):
    """What makes a new loop of the kind under test, as `asyncio.Runner` takes it."""
    return request.param


@pytest.fixture(params=[asyncio, _native], ids=["asyncio's functions", "our functions"])
def combinators(request):
    """Where `gather`, `wait` and their like come from: all work on any loop."""
    return request.param


@pytest.fixture(params=SETTINGS.values(), ids=SETTINGS.keys())
def sync(request):
    """The waiting primitives of one kind, and where they run: asyncio's own are the oracle."""
    return request.param
