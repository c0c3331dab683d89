"""The ways to make a future: by the loop, by either class, by a subclass."""

import asyncio

import pytest

import greenloop


@pytest.fixture(params=["create_future", "own class", "asyncio's class", "subclass"])
def make(request, loop):
    """A way to make a future of the loop under test."""
    own = greenloop.Future if isinstance(loop, greenloop.EventLoop) else asyncio.Future

    class Subclass(own):
        pass

    return {
        "create_future": loop.create_future,
        "own class": lambda: own(loop=loop),
        "asyncio's class": lambda: asyncio.Future(loop=loop),
        "subclass": lambda: Subclass(loop=loop),
    }[request.param]
