"""The ways to make a task: by the loop, by either class, by a subclass."""

import asyncio

import pytest

import greenloop


@pytest.fixture(params=["create_task", "own class", "asyncio's class", "subclass"])
def make(request, loop):
    """A way to make a task of the loop under test."""
    own = greenloop.Task if isinstance(loop, greenloop.EventLoop) else asyncio.Task

    class Subclass(own):
        pass

    return {
        "create_task": loop.create_task,
        "own class": lambda coroutine, **keywords: own(coroutine, loop=loop, **keywords),
        "asyncio's class": lambda coroutine, **keywords: asyncio.Task(
            coroutine, loop=loop, **keywords
        ),
        "subclass": lambda coroutine, **keywords: Subclass(coroutine, loop=loop, **keywords),
    }[request.param]
