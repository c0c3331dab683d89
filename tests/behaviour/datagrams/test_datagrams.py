"""A datagram transport itself: its class, its descriptor, its attributes, the socket it asks."""

import asyncio
import gc
import socket
import sys

import pytest
from datagram_recorder import Recorder, address, all_of

from connections import run_until


def test_it_is_what_asyncios_is(endpoint, peer):
    transport = endpoint(remote_addr=peer.getsockname()).transport
    assert isinstance(transport, asyncio.selector_events._SelectorDatagramTransport)
    assert isinstance(transport, asyncio.Transport)
    if sys.version_info >= (3, 12):
        assert isinstance(transport, asyncio.DatagramTransport)
    assert transport.get_extra_info("peername") == peer.getsockname()
    assert isinstance(transport.get_extra_info("socket"), asyncio.trsock.TransportSocket)
    assert transport.get_extra_info("nothing", "default") == "default"
    number = transport.get_extra_info("socket").fileno()
    name = type(transport).__name__
    assert repr(transport) == f"<{name} fd={number} read=polling write=<idle, bufsize=0>>"


def test_its_descriptor_is_for_nobody_else(loop, endpoint):
    number = endpoint().transport.get_extra_info("socket").fileno()
    with pytest.raises(RuntimeError, match="is used by transport"):
        loop.add_reader(number, print)


def test_a_transport_that_is_not_closed_warns(loop):
    protocol = Recorder()
    loop.run_until_complete(
        loop.create_datagram_endpoint(lambda: protocol, local_addr=("127.0.0.1", 0))
    )
    loop._remove_reader(protocol.transport.get_extra_info("socket").fileno())
    with pytest.warns(ResourceWarning, match="unclosed transport"):
        protocol.transport = None
        gc.collect()


def test_a_subclass_of_socket_is_asked_by_its_methods(loop, endpoint, peer):
    calls = []

    class Own(socket.socket):
        def recvfrom(self, *arguments):
            calls.append("recvfrom")
            return super().recvfrom(*arguments)

        def sendto(self, *arguments):
            calls.append("sendto")
            return super().sendto(*arguments)

    own = Own(socket.AF_INET, socket.SOCK_DGRAM)
    own.bind(("127.0.0.1", 0))
    protocol = endpoint(sock=own)
    protocol.transport.sendto(b"data", peer.getsockname())
    peer.sendto(b"data", address(protocol))
    run_until(loop, lambda: protocol.datagrams)
    assert set(calls) == {"sendto", "recvfrom"}


def test_a_socket_that_is_replaced_is_asked(loop, endpoint, peer):
    """As tests do, to see a transport on a network that is broken."""
    protocol = endpoint()
    transport = protocol.transport
    real = transport._sock

    class Broken:
        def __getattr__(self, name):
            return getattr(real, name)

        def recvfrom(self, size):
            raise ZeroDivisionError

        def sendto(self, *arguments):
            raise OSError("broken")

    transport._sock = Broken()
    transport.sendto(b"data", peer.getsockname())
    assert str(protocol.calls[-1][1]) == "broken"
    loop.set_exception_handler(lambda *_: None)
    peer.sendto(b"data", address(protocol))
    run_until(loop, lambda: "lost" in protocol.names)
    assert isinstance(protocol.calls[-1][1], ZeroDivisionError)


def test_debug_mode_changes_nothing(loop, endpoint, peer):
    loop.set_debug(True)
    protocol = endpoint()
    for _ in range(20):
        peer.sendto(b"data", address(protocol))
    run_until(loop, lambda: len(protocol.datagrams) == 20)
    protocol.transport.sendto(b"back", peer.getsockname())
    assert all_of(peer) == [b"back"]


def test_attributes_can_be_set_and_read(endpoint):
    transport = endpoint().transport
    transport.anything = 1
    assert transport.anything == 1
    assert transport._conn_lost == 0
    assert not transport._buffer
    assert transport._address is None
