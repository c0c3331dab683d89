"""Receiving datagrams: one in a turn, whole, with its address, and not while reading is paused."""

import asyncio
import contextlib
import contextvars
import os
import socket

import pytest
from datagram_recorder import Recorder, address, all_of

from connections import run, run_until


def test_a_datagram_comes_with_its_address(loop, endpoint, peer):
    protocol = endpoint()
    for data in [b"one", b"two", b""]:
        peer.sendto(data, address(protocol))
    run_until(loop, lambda: len(protocol.datagrams) == 3)
    name = peer.getsockname()
    expected = [("made",), *(("datagram", data, name) for data in [b"one", b"two", b""])]
    assert protocol.calls == expected


def test_datagrams_of_several_peers_are_told_apart(loop, endpoint):
    protocol = endpoint()
    with contextlib.ExitStack() as stack:
        peers = [
            stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) for _ in range(5)
        ]
        for turn in range(8):
            for index, one in enumerate(peers):
                one.sendto(b"%d %d" % (turn, index), address(protocol))
        run_until(loop, lambda: len(protocol.datagrams) == 40)
        expected = [
            ("datagram", b"%d %d" % (turn, index), ("127.0.0.1", one.getsockname()[1]))
            for turn in range(8)
            for index, one in enumerate(peers)
        ]
        assert protocol.calls[1:] == expected


def test_one_datagram_is_received_in_a_turn(loop, endpoint, peer):
    order = []

    def received(protocol, data, _):
        order.append(data)
        loop.call_soon(order.append, b"after " + data)

    protocol = endpoint(Recorder(datagram=received))
    count = 100
    for index in range(count):
        peer.sendto(b"%d" % index, address(protocol))
    run_until(loop, lambda: len(order) == 2 * count)
    assert order == [
        text for index in range(count) for text in (b"%d" % index, b"after %d" % index)
    ]


def test_a_large_datagram_is_received_whole(loop, endpoint, peer):
    protocol = endpoint()
    data = os.urandom(65_000)
    peer.sendto(data, address(protocol))
    run_until(loop, lambda: protocol.datagrams)
    assert protocol.datagrams == [data]


def test_max_size_cuts_what_is_larger(loop, endpoint, peer):
    protocol = endpoint()
    assert protocol.transport.max_size == 256 * 1024
    protocol.transport.max_size = 3
    peer.sendto(b"12345", address(protocol))
    run_until(loop, lambda: protocol.datagrams)
    assert protocol.datagrams == [b"123"]


@pytest.mark.parametrize("family", ["v6", "unix path", "unix name", "unnamed"])
def test_addresses_are_those_of_the_socket_module(loop, endpoint, tmp_path, family):
    if family == "v6":
        near, far = (socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) for _ in range(2))
        near.bind(("::1", 0))
        far.bind(("::1", 0))
    elif family == "unnamed":
        near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    else:
        near, far = (socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) for _ in range(2))
        names = [str(tmp_path / "near"), str(tmp_path / "far")]
        if family == "unix name":
            names = [f"\0greenloop{os.getpid()}{one}".encode() for one in "ab"]
        near.bind(names[0])
        far.bind(names[1])
    far.setblocking(False)
    with far:

        def send(data):
            far.send(data) if family == "unnamed" else far.sendto(data, near.getsockname())

        send(b"first")
        _, expected = near.recvfrom(100)
        protocol = endpoint(sock=near)
        for _ in range(2):
            send(b"data")
        run_until(loop, lambda: len(protocol.datagrams) == 2)
        assert protocol.calls[1:] == [("datagram", b"data", expected)] * 2
        if expected:
            for _ in range(2):
                protocol.transport.sendto(b"back", expected)
            assert all_of(far) == [b"back"] * 2


def test_a_protocol_that_pauses_reading_gets_the_datagrams_later(loop, endpoint, peer):
    protocol = endpoint()
    transport = protocol.transport
    assert transport.is_reading()
    transport.pause_reading()
    assert not transport.is_reading()
    peer.sendto(b"data", address(protocol))
    run(loop)
    assert protocol.datagrams == []
    transport.resume_reading()
    run_until(loop, lambda: protocol.datagrams)
    assert protocol.datagrams == [b"data"]


def test_a_protocol_can_pause_between_two_datagrams(loop, endpoint, peer):
    protocol = endpoint(Recorder(datagram=lambda protocol, *_: protocol.transport.pause_reading()))
    for index in range(40):
        peer.sendto(b"%d" % index, address(protocol))
    for index in range(40):
        run(loop, 3)
        assert protocol.datagrams == [b"%d" % one for one in range(index + 1)]
        protocol.transport.resume_reading()


def test_the_protocol_is_called_in_the_context_of_the_endpoint(loop, endpoint, peer):
    variable = contextvars.ContextVar("variable", default="outside")
    seen = []
    protocol = Recorder(datagram=lambda *_: seen.append(variable.get()))

    async def make():
        variable.set("inside")
        await loop.create_datagram_endpoint(lambda: protocol, local_addr=("127.0.0.1", 0))

    loop.run_until_complete(make())
    peer.sendto(b"data", address(protocol))
    run_until(loop, lambda: seen)
    protocol.transport.abort()
    run(loop)
    assert seen == ["inside"]


def test_another_protocol_can_be_set(loop, endpoint, peer):
    protocol, other = endpoint(), Recorder()
    transport = protocol.transport
    assert transport.get_protocol() is protocol
    transport.set_protocol(other)
    assert transport.get_protocol() is other
    peer.sendto(b"data", address(protocol))
    run_until(loop, lambda: other.datagrams)
    assert protocol.datagrams == []


@pytest.mark.parametrize("busy", [0, 200])
def test_a_datagram_for_the_same_loop_is_received_at_the_next_turn(loop, busy):
    near, far = Recorder(), Recorder()

    async def count_turns():
        for protocol in (near, far):
            await loop.create_datagram_endpoint(
                lambda protocol=protocol: protocol, local_addr=("127.0.0.1", 0)
            )
        for _ in range(busy):
            await asyncio.sleep(0)
        near.transport.sendto(b"abc", far.transport.get_extra_info("sockname"))
        turns = 0
        while not far.datagrams and turns < 50:
            await asyncio.sleep(0)
            turns += 1
        return turns

    # In the next turn the task that counts is resumed first, since it was ready before.
    assert loop.run_until_complete(count_turns()) == 2
    for protocol in (near, far):
        protocol.transport.abort()
    run(loop)
