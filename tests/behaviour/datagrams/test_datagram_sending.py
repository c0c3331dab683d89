"""Sending datagrams: at once, or kept until there is room, and what is refused or goes wrong."""

import asyncio
import contextlib
import inspect
import socket

import pytest
from datagram_recorder import Recorder, address, all_of, fill

import greenloop
from connections import run, run_until

# Both changed within a version of Python, so its source is asked and not its number.
SENDTO = inspect.getsource(asyncio.selector_events._SelectorDatagramTransport.sendto)
DROPS_EMPTY = "if not data:" in SENDTO
HEADER = 0 if "_buffer_size += len(data)\n" in SENDTO else 8


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_a_datagram_is_sent_at_once(endpoint, peer, kind):
    protocol = endpoint()
    assert protocol.transport.sendto(kind(b"data"), peer.getsockname()) is None
    assert peer.recvfrom(10) == (b"data", address(protocol))


def test_a_connected_endpoint_sends_to_its_peer(endpoint, peer):
    protocol = endpoint(remote_addr=peer.getsockname())
    transport = protocol.transport
    transport.sendto(b"one")
    transport.sendto(b"two", None)
    transport.sendto(b"three", peer.getsockname())
    assert all_of(peer) == [b"one", b"two", b"three"]
    with pytest.raises(ValueError, match="Invalid address: must be None or"):
        transport.sendto(b"four", ("127.0.0.1", 9))


@pytest.mark.parametrize("data", [b"", bytearray(), memoryview(b"")])
def test_an_empty_datagram_is_sent_as_the_running_python_does(loop, endpoint, peer, data):
    protocol = endpoint()
    protocol.transport.sendto(data, peer.getsockname())
    endpoint(remote_addr=peer.getsockname()).transport.sendto(data)
    assert all_of(peer) == ([] if DROPS_EMPTY else [b"", b""])


@pytest.mark.parametrize("data", ["text", None, 1, [b"x"]])
def test_what_is_no_bytes_is_refused(endpoint, peer, data):
    with pytest.raises(TypeError, match="data argument must be a bytes"):
        endpoint().transport.sendto(data, peer.getsockname())


@pytest.mark.parametrize(
    "target",
    [
        None,
        (),
        ("127.0.0.1",),
        ("127.0.0.1", -1),
        ("127.0.0.1", 1 << 16),
        ("127.0.0.1", "9"),
        "x",
        5,
    ],
)
def test_a_wrong_address_is_reported_as_asyncio_does(target):
    outcomes = []
    for factory in (asyncio.SelectorEventLoop, greenloop.new_event_loop):
        with contextlib.closing(factory()) as loop:
            contexts, protocol = [], Recorder()
            loop.set_exception_handler(lambda _, context, to=contexts: to.append(context))
            transport, _ = loop.run_until_complete(
                loop.create_datagram_endpoint(lambda: protocol, local_addr=("127.0.0.1", 0))
            )
            try:
                transport.sendto(b"data", target)
                raised = None
            except Exception as error:
                raised = type(error), str(error)
            run(loop)
            calls = [(name, *map(repr, rest)) for name, *rest in protocol.calls]
            texts = [(one["message"], repr(one["exception"])) for one in contexts]
            outcomes.append((raised, calls, texts, transport.is_closing()))
            if not transport.is_closing():
                transport.abort()
            run(loop)
    assert outcomes[1] == outcomes[0]


def test_what_has_no_room_is_kept_and_sent_in_order(loop, pair):
    protocol, far = pair
    transport = protocol.transport
    count = fill(transport)
    for index in range(5):
        transport.sendto(b"%d" % index)
    assert transport.get_write_buffer_size() == 6 * (1 + HEADER)
    got = []
    run_until(loop, lambda: got.extend(all_of(far)) or len(got) == count + 6)
    assert got[count:] == [b"x", *(b"%d" % index for index in range(5))]
    run(loop)
    assert not transport._buffer
    assert "write=<idle, bufsize=" in repr(transport)


def test_what_is_kept_is_a_copy(loop, pair):
    protocol, far = pair
    count = fill(protocol.transport)
    data = bytearray(b"before")
    protocol.transport.sendto(data)
    data[:] = b"after!"
    got = []
    run_until(loop, lambda: got.extend(all_of(far)) or len(got) == count + 2)
    assert got[-1] == b"before"


def test_a_protocol_is_paused_and_told_to_go_on(loop, pair):
    protocol, far = pair
    transport = protocol.transport
    transport.set_write_buffer_limits(high=100, low=50)
    assert transport.get_write_buffer_limits() == (50, 100)
    fill(transport)
    assert protocol.names == ["made"]
    transport.sendto(bytes(200))
    assert protocol.names == ["made", "pause"]
    transport.sendto(bytes(200))
    assert protocol.names == ["made", "pause"]
    run_until(loop, lambda: all_of(far) and False or protocol.names[-1] == "resume")
    assert protocol.names == ["made", "pause", "resume"]


def test_an_error_of_the_network_is_told_and_nothing_ends(loop, endpoint):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as unused:
        unused.bind(("127.0.0.1", 0))
        target = unused.getsockname()
    protocol = endpoint(remote_addr=target)
    protocol.transport.sendto(b"data")
    run_until(loop, lambda: "error" in protocol.names)
    assert isinstance(protocol.calls[1][1], ConnectionRefusedError)
    assert not protocol.transport.is_closing()
    # What sending is told, which takes the error from what receiving would be.
    protocol.transport.sendto(b"data")
    run_until(loop, lambda: len(protocol.calls) > 2)
    assert protocol.names == ["made", "error", "error"]


def test_a_datagram_that_is_too_large_is_an_error_of_sending(endpoint, peer):
    protocol = endpoint()
    protocol.transport.sendto(bytes(100_000), peer.getsockname())
    assert protocol.names == ["made", "error"]
    assert protocol.calls[1][1].errno == 90
    protocol.transport.sendto(b"data", peer.getsockname())
    assert peer.recv(10) == b"data"


def test_the_loop_resolves_no_names_for_sendto(endpoint, peer):
    """A name is for the socket's own method, which asks the resolver and blocks."""
    protocol = endpoint()
    protocol.transport.sendto(b"data", ("localhost", peer.getsockname()[1]))
    assert all_of(peer) == [b"data"]
