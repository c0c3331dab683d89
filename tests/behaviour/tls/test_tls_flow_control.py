"""Flow control of TLS in both directions: who is held up when, and told to go on."""

import pytest
from tls_peers import connect, end

from connections import Recorder, run, run_until

KIB = 1024


def test_the_water_marks_are_larger_than_those_of_plain_connections(loop):
    protocol = Recorder()
    peer = connect(loop, protocol)
    transport = protocol.transport
    assert transport.get_write_buffer_limits() == (128 * KIB, 512 * KIB)
    assert transport.get_read_buffer_limits() == (64 * KIB, 256 * KIB)
    assert transport.get_write_buffer_size() == 0
    assert transport.get_read_buffer_size() == 0
    end(loop, protocol, peer)


@pytest.mark.parametrize("direction", ["read", "write"])
def test_water_marks_complete_each_other(loop, direction):
    protocol = Recorder()
    peer = connect(loop, protocol)
    set_limits = getattr(protocol.transport, f"set_{direction}_buffer_limits")
    get_limits = getattr(protocol.transport, f"get_{direction}_buffer_limits")
    defaults = get_limits()
    for arguments, keywords, expected in [
        ((1000,), {}, (250, 1000)),
        ((1000, 10), {}, (10, 1000)),
        ((), {"low": 100}, (100, 400)),
        ((), {"high": 100}, (25, 100)),
        ((2.5, 1.5), {}, (1.5, 2.5)),
        ((), {}, defaults),
    ]:
        set_limits(*arguments, **keywords)
        assert get_limits() == expected
    for high, low in [(1, 2), (10, -1), (-1, None)]:
        with pytest.raises(ValueError, match=r"^high \(.*\) must be >= low \(.*\) must be >= 0$"):
            set_limits(high, low)
    assert get_limits() == defaults
    with pytest.raises(TypeError):
        set_limits("high")
    end(loop, protocol, peer)


def test_a_protocol_pauses_while_too_much_waits(loop):
    protocol = Recorder()
    peer = connect(loop, protocol)
    transport = protocol.transport
    # More than the socket takes; the transport below keeps it.
    transport.write(b"x" * (4 * KIB * KIB))
    assert transport.get_write_buffer_size() == 0
    assert protocol.names == ["made"]
    transport.write(b"y" * (400 * KIB))
    assert 400 * KIB < transport.get_write_buffer_size() < 410 * KIB
    assert protocol.names == ["made"]
    transport.write(b"z" * (200 * KIB))
    assert protocol.names == ["made", "pause"]
    assert transport._protocol_paused is True
    run_until(loop, lambda: len(peer.read()) == 4 * KIB * KIB + 600 * KIB)
    run(loop)
    assert protocol.names == ["made", "pause", "resume"]
    assert transport._protocol_paused is False
    assert transport.get_write_buffer_size() == 0
    end(loop, protocol, peer)


def test_marks_that_are_passed_already_take_effect_at_once(loop):
    protocol = Recorder()
    peer = connect(loop, protocol)
    transport = protocol.transport
    transport.write(b"x" * (4 * KIB * KIB))
    transport.write(b"y" * 1000)
    assert protocol.names == ["made"]
    transport.set_write_buffer_limits(high=100)
    assert protocol.names == ["made", "pause"]
    transport.set_write_buffer_limits(high=100_000)
    assert protocol.names == ["made", "pause", "resume"]
    transport.set_write_buffer_limits(high=0)
    assert protocol.names == ["made", "pause", "resume", "pause"]
    end(loop, protocol, peer)


def test_nothing_is_told_while_reading_is_paused(loop):
    protocol = Recorder()
    peer = connect(loop, protocol)
    transport = protocol.transport
    transport.pause_reading()
    transport.pause_reading()
    assert not transport.is_reading()
    peer.write(b"first")
    peer.send()
    run(loop)
    assert protocol.names == ["made"]
    assert transport.get_read_buffer_size() > 5
    transport.resume_reading()
    transport.resume_reading()
    assert transport.is_reading()
    # Not from within the call.
    assert protocol.names == ["made"]
    run(loop, 1)
    assert protocol.calls == [("made",), ("data", b"first")]
    assert transport.get_read_buffer_size() == 0
    end(loop, protocol, peer)


def test_a_peer_is_held_up_when_nobody_reads(loop):
    protocol = Recorder()
    peer = connect(loop, protocol)
    transport = protocol.transport
    below = transport._ssl_protocol._transport
    transport.set_read_buffer_limits(high=50_000, low=20_000)
    transport.pause_reading()
    message = bytes(range(256)) * 4000
    peer.write(message)
    sending = peer.outgoing.read()

    def send_on():
        nonlocal sending
        try:
            sending = sending[peer.socket.send(sending) :]
        except BlockingIOError:
            pass
        return not sending

    for _ in range(6):
        send_on()
        run(loop, 1)
    assert sending
    assert not below.is_reading()
    # What one receive brings may go over the mark.
    assert 50_000 <= transport.get_read_buffer_size() <= 50_000 + 256 * KIB
    transport.resume_reading()
    run_until(loop, send_on)
    run(loop)
    received = b"".join(data for name, *rest in protocol.calls if name == "data" for data in rest)
    assert received == message
    assert below.is_reading()
    end(loop, protocol, peer)


def test_a_protocol_that_pauses_in_data_received_is_told_no_more(loop):
    protocol = Recorder(data=lambda self, data: self.transport.pause_reading())
    peer = connect(loop, protocol)
    for message in (b"first", b"second"):
        peer.write(message)
        peer.send()
        run(loop, 2)
    assert protocol.calls == [("made",), ("data", b"first")]
    protocol.transport.resume_reading()
    run(loop, 1)
    assert protocol.calls[-1] == ("data", b"second")
    end(loop, protocol, peer)


def test_another_protocol_takes_over(loop):
    first, second = Recorder(), Recorder()
    peer = connect(loop, first)
    first.transport.set_protocol(second)
    assert first.transport.get_protocol() is second
    peer.write(b"for the second")
    peer.send()
    run_until(loop, lambda: second.calls)
    assert second.calls == [("data", b"for the second")]
    assert first.calls == [("made",)]
    end(loop, first, peer)
    assert second.names[-1] == "lost"
