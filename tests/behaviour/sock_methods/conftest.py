"""Sockets without a transport, of which none outlives its test."""

import contextlib
import socket

import pytest


@pytest.fixture
def sockets():
    """Makes sockets of which none outlives the test."""
    with contextlib.ExitStack() as stack:

        def make(*arguments, connected=False, bound=False):
            if connected:
                pair = socket.socketpair(*arguments)
                for one in pair:
                    one.setblocking(False)
                    stack.enter_context(one)
                return pair
            one = stack.enter_context(socket.socket(*arguments))
            one.setblocking(False)
            if bound:
                one.bind(("127.0.0.1", 0))
            return one

        yield make


@pytest.fixture
def pair(sockets):
    return sockets(connected=True)


@pytest.fixture
def datagrams(sockets):
    """Two datagram sockets with addresses."""
    return [sockets(socket.AF_INET, socket.SOCK_DGRAM, bound=True) for _ in range(2)]


@pytest.fixture
def loop(loop):
    yield loop
    loop.close()


@pytest.fixture
def listener(sockets):
    one = sockets(socket.AF_INET, socket.SOCK_STREAM, bound=True)
    one.listen()
    return one
