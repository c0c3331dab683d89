"""The calls of a protocol for received data, and the end of a connection whose protocol raises."""

import asyncio
import gc
import os
import socket
import struct

import pytest

from connections import BufferedRecorder, Recorder, everything, raising, run, run_until

# Reading.


@pytest.mark.parametrize("kind", [Recorder, BufferedRecorder])
def test_what_comes_is_received(loop, peer_of, kind):
    protocol = kind()
    far = peer_of(protocol)
    far.send(b"one")
    run(loop)
    far.send(b"two")
    run(loop)
    far.close()
    run(loop)
    told = [call for call in protocol.calls if call[0] != "get_buffer"]
    word = "data" if kind is Recorder else "updated"
    assert told == [("made",), (word, b"one"), (word, b"two"), ("eof",), ("lost", None)]


def test_a_receive_takes_max_size_at_most(loop, peer_of):
    protocol = Recorder()
    far = peer_of(protocol)
    transport = protocol.transport
    assert transport.max_size == 256 * 1024
    transport.max_size = 3
    far.send(b"abcdefgh")
    run(loop)
    assert [data for _, *data in protocol.calls[1:]] == [[b"abc"], [b"def"], [b"gh"]]


@pytest.mark.parametrize("size", [1, 4095, 65536, 300_000, 3_000_000])
def test_much_comes_whole(loop, peer_of, size):
    protocol = Recorder()
    far = peer_of(protocol, "tcp")
    sent = os.urandom(size)
    writer = loop.run_in_executor(None, lambda: (far.setblocking(True), far.sendall(sent)))
    run_until(loop, lambda: sum(len(data) for name, *(data,) in protocol.calls[1:]) >= size)
    loop.run_until_complete(writer)
    assert b"".join(data for name, data in protocol.calls[1:]) == sent


@pytest.mark.parametrize("keep_from", [0, 3, 1000])
def test_what_a_protocol_keeps_stays_as_it_is(loop, peer_of, keep_from):
    """Also if what came before was not kept, and its memory was used again."""
    sizes = [40_000, 50_000, 33_000, 100_000, 20, 70_000, 16_384, 65_536, 65_537, 150_000] * 2
    received, kept, hashes = bytearray(), [], set()

    def look(protocol, data):
        received.extend(data)
        hashes.add(hash(data))
        assert hash(data) == hash(bytes(bytearray(data)))
        assert data.endswith(data[-1:]) and len(data) == len(bytearray(data))
        if len(hashes) > keep_from:
            kept.append((data, bytes(bytearray(data))))

    protocol = Recorder(data=look)
    protocol.note = lambda name, *data: look(protocol, *data) if name == "data" else None
    far = peer_of(protocol)
    sent = b""
    for size in sizes:
        packet = os.urandom(size)
        sent += packet
        far.send(packet)
        run_until(loop, lambda: len(received) == len(sent))
    assert received == sent
    assert all(data == copy for data, copy in kept)


def test_reading_can_be_paused_and_resumed(loop, peer_of):
    protocol = Recorder()
    far = peer_of(protocol)
    transport = protocol.transport
    run(loop)
    transport.pause_reading()
    transport.pause_reading()
    assert not transport.is_reading()
    far.send(b"data")
    run(loop)
    assert protocol.names == ["made"]
    transport.resume_reading()
    transport.resume_reading()
    assert transport.is_reading()
    run(loop)
    assert protocol.names == ["made", "data"]


def test_reading_paused_in_connection_made_does_not_begin(loop, peer_of):
    protocol = Recorder(made=lambda protocol: protocol.transport.pause_reading())
    far = peer_of(protocol)
    far.send(b"data")
    run(loop)
    assert protocol.names == ["made"]
    protocol.transport.resume_reading()
    run(loop)
    assert protocol.names == ["made", "data"]


def test_pausing_takes_back_what_was_about_to_be_read(loop, peer_of):
    """Two descriptors are ready in one turn; who is called first pauses the other."""
    first, second = Recorder(), Recorder()
    peers = peer_of(first), peer_of(second)
    run(loop)

    def pause_other(protocol, data):
        other = second if protocol is first else first
        other.transport.pause_reading()
        other.transport.resume_reading()
        other.transport.pause_reading()

    first.reactions["data"] = second.reactions["data"] = pause_other
    for peer in peers:
        peer.send(b"x")
    run(loop)
    assert sorted(first.names + second.names) == ["data", "made", "made"]


def test_a_new_protocol_gets_what_comes_next(loop, peer_of):
    old, new, buffered = Recorder(), Recorder(), BufferedRecorder()
    far = peer_of(old)
    transport = old.transport
    transport.set_protocol(new)
    far.send(b"1")
    run(loop)
    transport.set_protocol(buffered)
    assert transport.get_protocol() is buffered
    far.send(b"2")
    run(loop)
    assert (old.names, new.calls) == (["made"], [("data", b"1")])
    assert ("updated", b"2") in buffered.calls


def test_a_method_replaced_on_the_protocol_is_what_is_called(loop, peer_of):
    protocol = Recorder()
    far = peer_of(protocol)
    got = []
    protocol.data_received = got.append
    far.send(b"x")
    run(loop)
    assert got == [b"x"]


@pytest.mark.parametrize("keep_open", [None, False, True, 1, []])
def test_the_end_of_the_stream_closes_unless_the_protocol_objects(loop, peer_of, keep_open):
    protocol = Recorder(eof=lambda protocol: keep_open)
    far = peer_of(protocol)
    far.shutdown(socket.SHUT_WR)
    run(loop)
    if not keep_open:
        assert protocol.names == ["made", "eof", "lost"]
        return
    assert protocol.names == ["made", "eof"]
    protocol.transport.write(b"still")
    assert everything(far) == b"still"
    assert not protocol.transport.is_closing()


def test_a_reset_is_told_by_connection_lost_alone(loop, peer_of, reports):
    protocol = Recorder()
    far = peer_of(protocol, "tcp")
    far.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    far.close()
    run(loop)
    assert protocol.names == ["made", "lost"]
    error = protocol.calls[-1][1]
    assert type(error) is ConnectionResetError
    assert (error.errno, error.strerror) == (104, "Connection reset by peer")
    assert reports == []


def test_a_socket_closed_by_somebody_else_is_not_read(loop, peer_of, reports):
    """Its number may belong to another connection already."""
    protocol = Recorder()
    far = peer_of(protocol)
    transport = protocol.transport
    run(loop)
    transport.get_extra_info("socket")._sock.close()
    transport.write(b"x")
    run(loop)
    assert protocol.names == ["made", "lost"]
    assert protocol.calls[-1][1].errno == 9
    assert everything(far) == b""
    assert reports == []


# Exceptions of protocols.


FAULTS = {
    "data": "Fatal error: protocol.data_received() call failed.",
    "eof": "Fatal error: protocol.eof_received() call failed.",
    "get_buffer": "Fatal error: protocol.get_buffer() call failed.",
    "updated": "Fatal error: protocol.buffer_updated() call failed.",
}


@pytest.mark.parametrize("error", [ZeroDivisionError(), asyncio.CancelledError()], ids=repr)
@pytest.mark.parametrize("method", FAULTS)
def test_a_protocol_that_raises_loses_the_connection(loop, peer_of, reports, method, error):
    kind = BufferedRecorder if method in ("get_buffer", "updated") else Recorder
    protocol = kind(**{method: raising(error)})
    far = peer_of(protocol)
    far.send(b"x") if method != "eof" else far.shutdown(socket.SHUT_WR)
    run(loop)
    assert protocol.calls[-1] == ("lost", error)
    assert len(reports) == 1
    report = reports[0]
    assert (report["message"], report["exception"]) == (FAULTS[method], error)
    assert report["transport"] is protocol.transport
    assert report["protocol"] is protocol


def test_an_error_of_the_systems_raised_by_a_protocol_is_not_reported(loop, peer_of, reports):
    error = OSError("mine")
    protocol = Recorder(data=raising(error))
    peer_of(protocol).send(b"x")
    run(loop)
    assert protocol.calls[-1] == ("lost", error)
    assert reports == []


@pytest.mark.parametrize("method", ["made", "lost"])
def test_a_protocol_that_raises_at_its_ends_is_reported(loop, peer_of, reports, method):
    error = ZeroDivisionError()
    protocol = Recorder(**{method: raising(error)})
    far = peer_of(protocol)
    protocol.transport.close()
    run(loop)
    assert protocol.names == ["made", "lost"]
    assert [report["exception"] for report in reports] == [error]
    assert reports[0]["message"].startswith("Exception in callback ")
    assert far.recv(1) == b""


@pytest.mark.parametrize("method", ["pause", "resume"])
def test_a_protocol_that_raises_at_flow_control_is_reported(loop, peer_of, reports, method):
    error = ZeroDivisionError()
    protocol = Recorder(**{method: raising(error)})
    far = peer_of(protocol)
    protocol.transport.write(b"x" * (1 << 22))
    got = 0
    while got < 1 << 22:
        got += len(everything(far))
        run(loop, 1)
    assert protocol.names == ["made", "pause", "resume"]
    assert [report["message"] for report in reports] == [f"protocol.{method}_writing() failed"]
    assert reports[0]["exception"] is error
    assert not protocol.transport.is_closing()


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt()], ids=repr)
@pytest.mark.parametrize("method", ["data", "eof", "get_buffer", "updated", "lost"])
def test_what_ends_the_program_leaves_the_loop(loop, peer_of, reports, method, error):
    kind = BufferedRecorder if method in ("get_buffer", "updated") else Recorder
    protocol = kind(**{method: raising(error)})
    far = peer_of(protocol)
    protocol.reactions.update(made=None)
    if method in ("eof", "lost"):
        far.close()
    else:
        far.send(b"x")
    with pytest.raises(type(error)):
        run(loop)
    protocol.reactions.clear()
    # The loop goes on.
    run(loop)
    assert reports == []


def test_a_factory_that_raises_loses_that_connection_only(loop, reports):
    protocols = []

    def factory():
        if not protocols:
            protocols.append(None)
            raise ZeroDivisionError
        protocols.append(Recorder())
        return protocols[-1]

    server = loop.run_until_complete(loop.create_server(factory, "127.0.0.1", 0))
    address = server.sockets[0].getsockname()
    with socket.create_connection(address) as first:
        run(loop)
        first.setblocking(False)
        # What accepted it is gone with the exception.
        gc.collect()
        run(loop)
        with socket.create_connection(address):
            run_until(loop, lambda: len(protocols) == 2)
            run(loop)
            assert protocols[1].names == ["made"]
    run(loop)
    assert protocols[1].names == ["made", "eof", "lost"]
    server.close()
    loop.run_until_complete(server.wait_closed())


@pytest.mark.parametrize(
    ("buffer", "error"),
    [(b"", RuntimeError), (b"constant", TypeError), (3, TypeError), (None, None)],
    ids=repr,
)
def test_buffers_that_cannot_be_received_into(loop, peer_of, reports, buffer, error):
    protocol = BufferedRecorder(get_buffer=lambda protocol: buffer)
    peer_of(protocol).send(b"abc")
    run(loop)
    if error is None:
        assert protocol.calls[-1] == ("updated", b"abc")
        return
    assert protocol.names[-1] == "lost"
    assert type(reports[0]["exception"]) is error
    wording = {
        b"": "get_buffer() returned an empty buffer",
        b"constant": "read-write bytes-like object",
        3: "object of type 'int' has no len()",
    }
    assert wording[buffer] in str(reports[0]["exception"])
