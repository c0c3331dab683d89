"""The streams under test, asyncio's and the native ones, and what runs a coroutine on a loop."""

import asyncio
import types
from asyncio import streams as asyncio_streams

import pytest
from streams_under_test import NAMES

from greenloop import _native


@pytest.fixture(params=[asyncio_streams, _native], ids=["asyncio's streams", "native streams"])
def streams(request):
    """The streams under test."""
    return types.SimpleNamespace(**{name: getattr(request.param, name) for name in NAMES})


@pytest.fixture(params=[False, True], ids=["plain", "debug"])
def run(request, loop_factory):
    """Runs a coroutine on the loop under test."""

    def run(coroutine):
        with asyncio.Runner(loop_factory=loop_factory, debug=request.param) as runner:
            return runner.run(asyncio.wait_for(coroutine, 10))

    return run
