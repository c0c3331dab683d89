"""Runs the behaviour tests on both loops: asyncio is the oracle, and Greenloop does the same."""

import asyncio
import os
import socket

import pytest

import greenloop
from connections import run
from greenloop import _native
from primitives_under_test import SCOPES, SETTINGS

LOOP_FACTORIES = {
    "asyncio": asyncio.SelectorEventLoop,
    "greenloop": greenloop.new_event_loop,
}


def pytest_collection_modifyitems(config, items):
    """Leave the oracle out where the variable GREENLOOP_ORACLE says 0: only ours is tested then."""
    if os.environ.get("GREENLOOP_ORACLE") != "0":
        return
    of_asyncio = {each for each in items if _is_of_asyncio(each)}
    config.hook.pytest_deselected(items=list(of_asyncio))
    items[:] = [each for each in items if each not in of_asyncio]


def _is_of_asyncio(item):
    callspec = getattr(item, "callspec", None)
    return callspec is not None and callspec.id.startswith("asyncio")


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


@pytest.fixture(params=SCOPES.values(), ids=SCOPES.keys())
def scopes(request):
    """`timeout`, `wait_for`, `TaskGroup` of one kind, and where they run: asyncio is the oracle."""
    return request.param


@pytest.fixture
def peer_of(loop):
    """Connects a protocol; returns the other end, a socket that does not wait."""
    opened = []

    def connect(protocol, family="unix"):
        if family == "unix":
            near, far = socket.socketpair()
        else:
            with socket.create_server(("127.0.0.1", 0)) as listener:
                near = socket.create_connection(listener.getsockname())
                far, _ = listener.accept()
        near.setblocking(False)
        far.setblocking(False)
        opened.append(far)
        transport, connected = loop.run_until_complete(
            loop.create_connection(lambda: protocol, sock=near)
        )
        assert connected is protocol
        assert transport is protocol.transport
        opened.append(transport)
        return far

    yield connect
    for one in opened:
        if isinstance(one, socket.socket):
            one.close()
        elif not one.is_closing():
            one.abort()
    run(loop)
