"""Datagram endpoints on the loop under test, and peers of theirs; none outlives its test."""

import socket

import pytest
from datagram_recorder import Recorder

from connections import run


@pytest.fixture
def loop(loop):
    yield loop
    loop.close()


@pytest.fixture
def reported(loop):
    """What the loop's exception handler is told of."""
    contexts = []
    loop.set_exception_handler(lambda _, context: contexts.append(context))
    return contexts


@pytest.fixture
def endpoint(loop):
    """Makes datagram endpoints; returns their protocols."""
    protocols = []

    def make(protocol=None, **keywords):
        protocol = protocol or Recorder()
        if not keywords:
            keywords["local_addr"] = ("127.0.0.1", 0)
        transport, made = loop.run_until_complete(
            loop.create_datagram_endpoint(lambda: protocol, **keywords)
        )
        assert made is protocol
        assert transport is protocol.transport
        protocols.append(protocol)
        return protocol

    yield make
    for protocol in protocols:
        protocol.reactions.clear()
        if not protocol.transport.is_closing():
            protocol.transport.abort()
    run(loop)


@pytest.fixture
def peer():
    """A socket in the hands of the test."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.bind(("127.0.0.1", 0))
        one.setblocking(False)
        yield one


@pytest.fixture
def pair(endpoint, tmp_path):
    """An endpoint that is connected over Unix sockets, which get full, and the other end."""
    near, far = (socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) for _ in range(2))
    far.bind(str(tmp_path / "far"))
    near.connect(far.getsockname())
    far.setblocking(False)
    with far:
        yield endpoint(sock=near), far
