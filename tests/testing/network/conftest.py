"""Runs programs on the system's network and on those in memory: what they see is the same."""

import asyncio
import contextlib

import pytest

import greenloop
from greenloop.testing import Network, run
from greenloop.testing.plugin.simulated_loops import installed


def on_the_system(factory):
    def run_there(main):
        with asyncio.Runner(loop_factory=factory) as runner:
            return runner.run(asyncio.wait_for(main(), 20))

    return run_there


def in_memory(around=contextlib.nullcontext, seed=None, **settings):
    def run_there(main):
        with around():
            return run(main, network=Network(**settings), seed=seed)

    return run_there


# The first is the oracle. The slow network loses and cuts bytes, which no program may notice.
PLACES = {
    "asyncio": on_the_system(asyncio.SelectorEventLoop),
    "greenloop": on_the_system(greenloop.new_event_loop),
    "memory": in_memory(),
    "memory, by native streams": in_memory(installed),
    "memory, slow": in_memory(latency=0.01, jitter=0.01, loss=0.1, segments=(1, 4000), seed=1),
}


@pytest.fixture(params=PLACES.values(), ids=PLACES.keys())
def anywhere(request):
    """Runs a program on one of the networks, and returns its result."""
    return request.param


@pytest.fixture(params=list(PLACES.values())[:-1], ids=list(PLACES)[:-1])
def anywhere_unspoilt(request):
    """The same without the slow network: for megabytes, and for what must not be lost."""
    return request.param
