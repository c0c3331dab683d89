"""The end of a datagram endpoint: what is still sent, and which exceptions of a protocol end it."""

import socket

import pytest
from datagram_recorder import Recorder, address, all_of, fill

from connections import raising, run, run_until

# The end.


def test_close_sends_what_waits_first(loop, pair):
    protocol, far = pair
    count = fill(protocol.transport)
    protocol.transport.sendto(b"last")
    protocol.transport.close()
    protocol.transport.close()
    assert protocol.transport.is_closing()
    run(loop)
    assert protocol.names == ["made"]
    got = []
    run_until(loop, lambda: got.extend(all_of(far)) or "lost" in protocol.names)
    assert (got + all_of(far))[count:] == [b"x", b"last"]
    assert protocol.calls[1:] == [("lost", None)]


def test_abort_drops_what_waits(loop, pair):
    protocol, far = pair
    count = fill(protocol.transport)
    protocol.transport.abort()
    run(loop)
    assert len(all_of(far)) == count
    assert protocol.calls[1:] == [("lost", None)]


def test_nothing_is_received_after_close(loop, endpoint, peer):
    protocol = endpoint()
    for _ in range(3):
        peer.sendto(b"data", address(protocol))
    protocol.transport.close()
    run(loop)
    assert protocol.calls[1:] == [("lost", None)]
    protocol.transport.resume_reading()
    run(loop)
    assert protocol.transport._sock is None


def test_a_protocol_can_close_between_two_datagrams(loop, endpoint, peer):
    protocol = endpoint(Recorder(datagram=lambda protocol, *_: protocol.transport.close()))
    for _ in range(40):
        peer.sendto(b"data", address(protocol))
    run_until(loop, lambda: "lost" in protocol.names)
    assert protocol.names == ["made", "datagram", "lost"]


def test_a_burst_ends_with_the_endpoint(loop, endpoint, peer):
    """Whoever closes in the midst of many datagrams hears of none that is left."""

    def count(protocol, *_):
        if len(protocol.datagrams) == 30:
            protocol.transport.abort()

    protocol = endpoint(Recorder(datagram=count))
    for _ in range(60):
        peer.sendto(b"data", address(protocol))
    run_until(loop, lambda: "lost" in protocol.names)
    run(loop)
    assert protocol.names == ["made", *["datagram"] * 30, "lost"]


def test_sending_after_the_end_of_a_connected_endpoint_does_nothing(loop, endpoint, peer, caplog):
    protocol = endpoint(remote_addr=peer.getsockname())
    protocol.transport.abort()
    for _ in range(8):
        protocol.transport.sendto(b"data")
    run(loop)
    assert all_of(peer) == []
    assert "socket.send() raised exception." in caplog.messages


# Protocols that raise.


@pytest.mark.parametrize("name", ["datagram", "error"])
def test_what_a_protocol_raises_is_reported_and_nothing_ends(loop, endpoint, peer, reported, name):
    error = ValueError("expected")
    protocol = Recorder(**{name: raising(error)})
    if name == "error":
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as unused:
            unused.bind(("127.0.0.1", 0))
            target = unused.getsockname()
        endpoint(protocol, remote_addr=target)
        protocol.transport.sendto(b"data")
    else:
        endpoint(protocol)
        peer.sendto(b"data", address(protocol))
    run_until(loop, lambda: reported)
    assert [one["exception"] for one in reported] == [error]
    assert "_read_ready" in reported[0]["message"]
    assert not protocol.transport.is_closing()
    protocol.reactions.clear()
    if name == "datagram":
        peer.sendto(b"again", address(protocol))
        run_until(loop, lambda: protocol.datagrams[-1] == b"again")


def test_what_error_received_raises_is_raised_by_sendto(endpoint, peer):
    protocol = endpoint(Recorder(error=raising(ValueError("expected"))))
    with pytest.raises(ValueError, match="expected"):
        protocol.transport.sendto(bytes(100_000), peer.getsockname())


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt])
def test_what_ends_the_program_leaves_the_loop(loop, endpoint, peer, error):
    protocol = endpoint(Recorder(datagram=raising(error())))
    peer.sendto(b"data", address(protocol))
    with pytest.raises(error):
        run(loop, 20)
    protocol.reactions.clear()
    peer.sendto(b"again", address(protocol))
    run_until(loop, lambda: b"again" in protocol.datagrams)


def test_what_connection_lost_raises_closes_the_socket_nevertheless(loop, endpoint, reported):
    protocol = endpoint(Recorder(lost=raising(ValueError("expected"))))
    carried = protocol.transport.get_extra_info("socket")
    protocol.transport.abort()
    run(loop)
    assert carried.fileno() == -1
    assert [str(one["exception"]) for one in reported] == ["expected"]
