"""The classes of queues under test: asyncio's are the oracle, ours do the same on both loops."""

import asyncio

import pytest

from greenloop import _native

KINDS = ("Queue", "LifoQueue", "PriorityQueue")


@pytest.fixture(params=[asyncio.queues, _native], ids=["asyncio's class", "our class"])
def classes(request):
    """The module whose classes are under test."""
    return request.param


@pytest.fixture(params=KINDS)
def kind(request, classes):
    """One of the three classes."""
    return getattr(classes, request.param)


@pytest.fixture
def queue_class(classes):
    return classes.Queue
