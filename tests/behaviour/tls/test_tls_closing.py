"""The end of a TLS connection: who takes leave of whom, what is delivered, and what raises."""

import asyncio
import logging
import socket
import ssl
import struct

import pytest
from tls_peers import SIDES, Peer, begin, connect, end, finish

from connections import BufferedRecorder, Recorder, raising, run, run_until
from tls_contexts import CLIENT, SERVER


def is_over(protocol):
    return lambda: "lost" in protocol.names


# Taking leave.


@SIDES
def test_a_connection_is_closed_once_the_peer_has_taken_leave(loop, side):
    protocol = Recorder()
    peer = connect(loop, protocol, side)
    transport = protocol.transport
    transport.write(b"last words")
    transport.close()
    assert transport.is_closing()
    run(loop)
    assert peer.read() == b"last words" and peer.took_leave
    # The peer has not answered yet.
    assert protocol.calls == [("made",)]
    peer.close()
    run_until(loop, is_over(protocol))
    assert protocol.calls == [("made",), ("eof",), ("lost", None)]
    assert peer.near.fileno() == -1
    peer.socket.close()


@SIDES
def test_a_peer_that_takes_leave_is_answered(loop, side):
    protocol = Recorder()
    peer = connect(loop, protocol, side)
    peer.write(b"last words")
    peer.close()
    run_until(loop, is_over(protocol))
    assert protocol.calls == [("made",), ("data", b"last words"), ("eof",), ("lost", None)]
    peer.read()
    assert peer.took_leave and peer.ended
    peer.socket.close()


@SIDES
def test_a_stream_that_ends_without_leave_is_an_end_as_well(loop, side):
    protocol = Recorder()
    peer = connect(loop, protocol, side)
    peer.write(b"last words")
    peer.send()
    peer.socket.shutdown(socket.SHUT_WR)
    run_until(loop, is_over(protocol))
    assert protocol.calls == [("made",), ("data", b"last words"), ("eof",), ("lost", None)]
    peer.socket.close()


def test_a_connection_that_is_reset_is_lost_with_the_error(loop, reports):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        near = socket.create_connection(listener.getsockname())
        far, _ = listener.accept()
    protocol = Recorder()
    peer = connect_over(loop, protocol, near, far)
    far.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    far.close()
    run_until(loop, is_over(protocol))
    (_, error) = protocol.calls[-1]
    assert type(error) is ConnectionResetError
    assert protocol.names == ["made", "lost"]
    assert reports == []
    assert peer.near.fileno() == -1


def connect_over(loop, protocol, near, far):
    """Connect over sockets that exist already."""
    peer = Peer(loop, True, SERVER)
    peer.near.close()
    peer.socket.close()
    peer.near, peer.socket = near, far
    near.setblocking(False)
    far.setblocking(False)
    connecting = loop.create_connection(
        lambda: protocol, sock=near, ssl=CLIENT, server_hostname="localhost"
    )
    finish(loop, peer, loop.create_task(connecting))
    run(loop, 1)
    return peer


def test_everything_that_waits_is_written_before_the_end(loop):
    protocol = Recorder()
    peer = connect(loop, protocol)
    message = bytes(range(256)) * 10_000
    protocol.transport.write(message[:1000])
    protocol.transport.write(message[1000:-1])
    protocol.transport.write(message[-1:])
    protocol.transport.close()
    run_until(loop, lambda: (peer.read(), peer.took_leave)[1])
    assert peer.data == message
    peer.close()
    run_until(loop, is_over(protocol))
    assert protocol.calls[-1] == ("lost", None)
    peer.socket.close()


@SIDES
def test_a_peer_that_does_not_take_leave_is_left(loop, side):
    protocol = Recorder()
    peer = connect(loop, protocol, side, ssl_shutdown_timeout=0.01)
    protocol.transport.close()
    run_until(loop, is_over(protocol))
    (_, error) = protocol.calls[-1]
    assert type(error) is TimeoutError and str(error) == "SSL shutdown timed out"
    assert protocol.names == ["made", "lost"]
    peer.socket.close()


def test_a_closing_connection_reads_nothing_and_ends_although_the_peer_goes_on(loop):
    protocol = Recorder()
    peer = connect(loop, protocol)
    begun = loop.time()
    protocol.transport.close()
    peer.write(b"x" * 1000)
    peer.send()
    run_until(loop, is_over(protocol))
    # Long before the timeout of 30 seconds.
    assert loop.time() - begun < 5
    assert "data" not in protocol.names
    assert isinstance(protocol.calls[-1][1], ssl.SSLError)
    assert peer.near.fileno() == -1
    peer.socket.close()


def test_data_before_the_end_reaches_a_protocol_that_paused_reading(loop):
    protocol = Recorder()
    peer = connect(loop, protocol)
    protocol.transport.pause_reading()
    peer.write(b"waits")
    peer.send()
    run(loop)
    peer.socket.shutdown(socket.SHUT_WR)
    run(loop)
    assert protocol.names == ["made"]
    protocol.transport.resume_reading()
    run_until(loop, is_over(protocol))
    assert protocol.calls == [("made",), ("data", b"waits"), ("eof",), ("lost", None)]
    peer.socket.close()


@SIDES
def test_an_aborted_connection_ends_at_once(loop, side):
    protocol = Recorder()
    peer = connect(loop, protocol, side)
    protocol.transport.write(b"x" * (1 << 22))
    protocol.transport.abort()
    assert protocol.transport.is_closing()
    assert "lost" not in protocol.names
    run(loop, 2)
    assert protocol.calls[-1] == ("lost", None)
    assert peer.near.fileno() == -1
    peer.socket.close()


def test_a_second_close_lets_go_of_the_connection(loop):
    protocol = Recorder()
    peer = connect(loop, protocol)
    transport = protocol.transport
    transport.close()
    assert transport.get_extra_info("cipher")
    transport.close()
    assert transport._ssl_protocol is None
    assert transport.is_closing()
    transport.abort()
    for call in (
        transport.get_protocol,
        transport.is_reading,
        transport.pause_reading,
        transport.resume_reading,
        transport.get_write_buffer_size,
        transport.get_read_buffer_size,
        transport.get_write_buffer_limits,
        transport.get_read_buffer_limits,
        transport.set_write_buffer_limits,
        transport.set_read_buffer_limits,
        lambda: transport.get_extra_info("cipher"),
        lambda: transport.write(b"x"),
        lambda: transport.writelines([b"x"]),
        lambda: transport.set_protocol(protocol),
        lambda: transport._protocol_paused,
    ):
        with pytest.raises(AttributeError, match="^'NoneType' object has no attribute '_"):
            call()
    protocol.transport = None
    end(loop, protocol, peer)


def test_what_is_written_after_the_end_is_lost_and_said_to_be(loop, caplog):
    protocol = Recorder()
    peer = connect(loop, protocol)
    protocol.transport.close()
    with caplog.at_level(logging.WARNING, "asyncio"):
        for _ in range(8):
            protocol.transport.write(b"lost")
            protocol.transport.writelines([b"lost"])
    assert [record.getMessage() for record in caplog.records] == ["SSL connection is closed"] * 11
    run(loop, 1)
    assert peer.read() == b""
    end(loop, protocol, peer)


def test_half_closed_connections_do_not_exist(loop, caplog):
    protocol = Recorder(eof=lambda self: True)
    peer = connect(loop, protocol)
    with caplog.at_level(logging.WARNING, "asyncio"):
        peer.close()
        run_until(loop, is_over(protocol))
    assert [record.getMessage() for record in caplog.records] == [
        "returning true from eof_received() has no effect when using ssl"
    ]
    assert protocol.names == ["made", "eof", "lost"]
    peer.socket.close()


# Protocols that end their connection while they are told of something.


@pytest.mark.parametrize("what", ["close", "abort"])
@pytest.mark.parametrize("when", ["made", "data", "eof"])
def test_a_protocol_ends_its_connection_in_any_call(loop, reports, what, when):
    protocol = Recorder(**{when: lambda self, *_: getattr(self.transport, what)()})
    if when == "made":
        peer, task = begin(loop, protocol, "client")
        run_until(loop, lambda: (peer.handshake(), task.done())[1])
    else:
        peer = connect(loop, protocol)
        peer.write(b"something")
        peer.send()
        run(loop)
        if when == "eof":
            peer.close()
    if what == "close":
        run(loop, 2)
        peer.read()
        peer.close()
    run_until(loop, is_over(protocol))
    assert protocol.calls[-1] == ("lost", None)
    assert protocol.names.count("lost") == 1
    assert reports == []
    assert peer.near.fileno() == -1
    peer.socket.close()


# Protocols that raise.


def raise_in(loop, name, exception=ValueError, protocol_class=Recorder):
    """Make a protocol raise in one of its methods; return it and its peer."""
    error = exception("expected")
    protocol = protocol_class(**{name: raising(error)})
    return protocol, connect(loop, protocol), error


def test_data_received_that_raises_ends_the_connection(loop, reports):
    protocol, peer, error = raise_in(loop, "data")
    peer.write(b"something")
    peer.send()
    run_until(loop, is_over(protocol))
    assert protocol.calls == [("made",), ("data", b"something"), ("lost", error)]
    assert [(report["message"], report["exception"]) for report in reports] == [
        ("Fatal error on SSL protocol", error)
    ]
    (report,) = reports
    assert isinstance(report["protocol"], asyncio.BufferedProtocol)
    assert isinstance(report["transport"], asyncio.Transport)
    assert peer.near.fileno() == -1
    peer.socket.close()


def test_an_error_of_the_networks_in_data_received_is_not_reported(loop, reports):
    protocol, peer, error = raise_in(loop, "data", OSError)
    peer.write(b"something")
    peer.send()
    run_until(loop, is_over(protocol))
    assert protocol.calls[-1] == ("lost", error)
    assert reports == []
    peer.socket.close()


def test_a_cancellation_in_data_received_is_the_transports_matter(loop, reports):
    protocol, peer, error = raise_in(loop, "data", asyncio.CancelledError)
    peer.write(b"something")
    peer.send()
    run_until(loop, is_over(protocol))
    assert protocol.calls[-1] == ("lost", error)
    assert [report["message"] for report in reports] == [
        "Fatal error: protocol.buffer_updated() call failed."
    ]
    peer.socket.close()


@pytest.mark.parametrize("exception", [KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("name", ["data", "eof", "pause"])
def test_what_ends_the_program_leaves_the_loop(loop, reports, name, exception):
    protocol, peer, _ = raise_in(loop, name, exception)
    if name == "data":
        peer.write(b"something")
        peer.send()
    elif name == "eof":
        peer.close()
    with pytest.raises(exception):
        if name == "pause":
            # The first is more than the socket takes, the second waits.
            protocol.transport.write(b"x" * (1 << 22))
            protocol.transport.write(b"x" * (1 << 20))
        run(loop, 6)
    protocol.reactions.clear()
    run(loop, 1)
    assert reports == []
    end(loop, protocol, peer)


def test_eof_received_that_raises_ends_the_connection(loop, reports):
    protocol, peer, error = raise_in(loop, "eof")
    peer.close()
    run_until(loop, is_over(protocol))
    assert protocol.calls == [("made",), ("eof",), ("lost", error)]
    assert [(report["message"], report["exception"]) for report in reports] == [
        ("Error calling eof_received()", error)
    ]
    peer.socket.close()


def test_connection_lost_that_raises_is_reported(loop, reports):
    protocol, peer, error = raise_in(loop, "lost")
    protocol.transport.abort()
    run_until(loop, lambda: reports)
    assert reports[0]["exception"] is error
    assert "connection_lost" in reports[0]["message"]
    assert peer.near.fileno() == -1
    peer.socket.close()


def test_pause_writing_and_resume_writing_that_raise_are_reported(loop, reports):
    protocol = Recorder(pause=raising(ValueError("pause")), resume=raising(ValueError("resume")))
    peer = connect(loop, protocol)
    protocol.transport.write(b"x" * (1 << 22))
    protocol.transport.write(b"x" * (1 << 20))
    run_until(loop, lambda: len(peer.read()) == (1 << 22) + (1 << 20))
    run(loop)
    assert [(report["message"], str(report["exception"])) for report in reports] == [
        ("protocol.pause_writing() failed", "pause"),
        ("protocol.resume_writing() failed", "resume"),
    ]
    assert all(report["transport"] is protocol.transport for report in reports)
    assert all(report["protocol"] is protocol.transport._ssl_protocol for report in reports)
    assert protocol.names == ["made", "pause", "resume"]
    end(loop, protocol, peer)


class AnyHint(BufferedRecorder):
    """A protocol whose buffer depends on nothing."""

    def get_buffer(self, hint):
        return super().get_buffer(-1)


def test_buffer_updated_that_raises_ends_the_connection(loop, reports):
    protocol, peer, error = raise_in(loop, "updated", protocol_class=AnyHint)
    peer.write(b"x")
    peer.send()
    run_until(loop, is_over(protocol))
    assert protocol.calls[-1] == ("lost", error)
    assert [(report["message"], report["exception"]) for report in reports] == [
        ("Fatal error on SSL protocol", error)
    ]
    peer.socket.close()


def agree(loop, protocol):
    """Connect a protocol that ends its connection as soon as it is asked for a buffer."""
    peer, task = begin(loop, protocol, "server")
    run_until(loop, lambda: (peer.handshake(), task.done())[1])
    return peer


def test_get_buffer_that_raises_ends_the_connection(loop, reports):
    error = ValueError("expected")
    protocol = AnyHint(get_buffer=raising(error))
    peer = agree(loop, protocol)
    run_until(loop, is_over(protocol))
    assert protocol.calls == [("made",), ("get_buffer",), ("lost", error)]
    assert [(report["message"], report["exception"]) for report in reports] == [
        ("Fatal error on SSL protocol", error)
    ]
    peer.socket.close()


@pytest.mark.parametrize("buffer", [b"bytes", 3, None, "text"])
def test_what_cannot_be_read_into_ends_the_connection(loop, reports, buffer):
    class Buffered(BufferedRecorder):
        def get_buffer(self, hint):
            return buffer

    protocol = Buffered()
    peer = agree(loop, protocol)
    run_until(loop, is_over(protocol))
    assert isinstance(protocol.calls[-1][1], TypeError)
    assert [report["message"] for report in reports] == ["Fatal error on SSL protocol"]
    peer.socket.close()


def test_an_empty_buffer_is_taken_for_the_end(loop):
    class Buffered(BufferedRecorder):
        def get_buffer(self, hint):
            return bytearray()

    protocol = Buffered()
    peer = agree(loop, protocol)
    run(loop, 2)
    assert protocol.names[:2] == ["made", "eof"]
    end(loop, protocol, peer)


def test_bytes_that_are_no_record_end_the_connection(loop, reports):
    protocol = Recorder()
    peer = connect(loop, protocol)
    peer.socket.send(b"\x17\x03\x03\x00\x20" + b"x" * 32)
    run_until(loop, is_over(protocol))
    assert isinstance(protocol.calls[-1][1], ssl.SSLError)
    assert reports == []
    peer.socket.close()


@pytest.mark.parametrize("data", [memoryview(b"abcdef")[::2], memoryview(bytearray(6))[::-1]])
def test_what_cannot_be_encrypted_ends_the_connection(loop, reports, data):
    protocol = Recorder()
    peer = connect(loop, protocol)
    protocol.transport.write(data)
    run_until(loop, is_over(protocol))
    assert isinstance(protocol.calls[-1][1], (BufferError, TypeError))
    assert [report["message"] for report in reports] == ["Fatal error on SSL protocol"]
    peer.socket.close()


@pytest.mark.parametrize("lines", [["text"], [3], None, 3])
def test_lines_that_are_no_bytes_raise_or_end_the_connection(loop, reports, lines):
    protocol = Recorder()
    peer = connect(loop, protocol)
    if lines == ["text"]:
        protocol.transport.writelines(lines)
        run_until(loop, is_over(protocol))
        assert isinstance(protocol.calls[-1][1], TypeError)
        assert [report["message"] for report in reports] == ["Fatal error on SSL protocol"]
    else:
        with pytest.raises(TypeError):
            protocol.transport.writelines(lines)
    end(loop, protocol, peer)
