"""TLS: what a connection is, what passes through it, and whole programs that use it."""

import asyncio
import gc
import ssl
import sys
import warnings
import weakref

import pytest
from tls_peers import SIDES, Peer, begin, connect, end, finish

from connections import BufferedRecorder, Recorder, run, run_until
from tls_contexts import CLIENT, SERVER

# What a transport is.


@SIDES
def test_a_transport_is_asyncios(loop, side):
    protocol = Recorder()
    peer = connect(loop, protocol, side)
    transport = protocol.transport
    assert isinstance(transport, asyncio.Transport)
    assert isinstance(transport, asyncio.transports._FlowControlMixin)
    assert transport.get_protocol() is protocol
    assert transport.is_reading() and not transport.is_closing()
    assert transport.can_write_eof() is False
    with pytest.raises(NotImplementedError):
        transport.write_eof()
    assert transport._start_tls_compatible is True
    assert transport._protocol_paused is False
    assert transport._ssl_protocol._transport.get_protocol() is transport._ssl_protocol
    assert transport._ssl_protocol._app_transport is transport
    assert transport._loop is loop
    assert isinstance(transport._ssl_protocol, asyncio.BufferedProtocol)
    assert weakref.ref(transport)() is transport
    assert weakref.ref(transport._ssl_protocol)() is transport._ssl_protocol
    transport.something = 1
    assert vars(transport)["something"] == 1
    end(loop, protocol, peer)


@SIDES
def test_what_is_known_of_a_connection(loop, side):
    protocol = Recorder()
    peer = connect(loop, protocol, side)
    known = protocol.transport.get_extra_info
    context = CLIENT if side == "client" else SERVER
    assert known("sslcontext") is context
    assert isinstance(known("ssl_object"), ssl.SSLObject)
    assert known("ssl_object").context is context
    assert known("ssl_object").server_side is (side == "server")
    assert known("cipher") == peer.object.cipher()
    assert known("compression") is None
    assert bool(known("peercert")) is (side == "client")
    assert known("socket").fileno() == peer.near.fileno()
    assert known("sockname") == peer.near.getsockname()
    assert known("nothing") is None
    assert known("nothing", default=3) == 3
    assert known("nothing", 3) == 3
    end(loop, protocol, peer)
    assert known("cipher") == peer.object.cipher()
    assert known("socket", "nothing") == "nothing"


def test_a_transport_that_nobody_closes_is_said_to_be_one(loop):
    protocol = Recorder()
    peer = connect(loop, protocol)
    transport = weakref.ref(protocol.transport)
    peer.socket.close()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        protocol.transport = None
        loop.close()
        del protocol, peer
        gc.collect()
    texts = [str(warning.message) for warning in caught]
    assert "unclosed transport <asyncio._SSLProtocolTransport object>" in texts
    # A warning knows its source; before 3.15 weak references are dead by then.
    caught.clear()
    gc.collect()
    assert transport() is None


@pytest.mark.parametrize("data", ["text", 3, None, [b"bytes"]])
def test_only_bytes_are_written(loop, data):
    protocol = Recorder()
    peer = connect(loop, protocol)
    name = type(data).__name__
    with pytest.raises(TypeError, match=f"^data: expecting a bytes-like instance, got {name}$"):
        protocol.transport.write(data)
    end(loop, protocol, peer)


# What passes.


@SIDES
@pytest.mark.parametrize("size", [1, 1000, 16384, 16385, 300_000])
def test_bytes_pass_both_ways(loop, side, size):
    protocol = Recorder(data=lambda self, data: self.transport.write(data))
    peer = connect(loop, protocol, side)
    message = bytes(range(256)) * (size // 256 + 1)
    peer.write(message)
    peer.send()
    run_until(loop, lambda: len(peer.read()) >= len(message))
    assert peer.data == message
    assert b"".join(data for name, *rest in protocol.calls if name == "data" for data in rest) == (
        message
    )
    end(loop, protocol, peer)


@pytest.mark.parametrize("room", [1, 7, 1000, 16384, 100_000])
@pytest.mark.parametrize("make", [memoryview, bytearray], ids=["memoryview", "bytearray"])
def test_a_buffered_protocol_gets_every_byte(loop, room, make):
    if make is bytearray and type(loop).__module__.startswith("asyncio"):
        pytest.skip("asyncio reads into a copy of a part of a bytearray")

    class Buffered(BufferedRecorder):
        def get_buffer(self, hint):
            assert hint >= 0
            self.memory = bytearray(room)
            self.note("get_buffer")
            return self.memory if make is bytearray else memoryview(self.memory)

        def buffer_updated(self, count):
            assert count
            self.note("updated", bytes(self.memory[:count]))
            # It is the application's again.
            self.memory.extend(b"more")

    protocol = Buffered()
    if make is memoryview:
        # A memoryview that is alive keeps its bytearray as it is.
        protocol.buffer_updated = lambda count: protocol.note(
            "updated", bytes(protocol.memory[:count])
        )
    peer = connect(loop, protocol)
    message = bytes(range(256)) * (20 if room < 1000 else 300)
    peer.write(message)
    peer.send()

    def received():
        return b"".join(
            data for name, *rest in protocol.calls if name == "updated" for data in rest
        )

    run_until(loop, lambda: len(received()) >= len(message))
    assert received() == message
    end(loop, protocol, peer)


def test_what_is_written_in_pieces_of_all_kinds_arrives_in_order(loop):
    protocol = Recorder()
    peer = connect(loop, protocol)
    transport = protocol.transport
    pieces = [b"1" * 10, bytearray(b"2" * 20_000), memoryview(b"3" * 40_000), b""]
    for piece in pieces:
        transport.write(piece)
    transport.writelines(pieces)
    transport.writelines(iter(pieces))
    transport.writelines([])
    expected = b"".join(pieces) * 3
    run_until(loop, lambda: len(peer.read()) >= len(expected))
    assert peer.data == expected
    end(loop, protocol, peer)


@SIDES
def test_data_in_the_segment_that_ends_the_handshake_is_received(loop, side):
    protocol = Recorder()
    peer, task = begin(loop, protocol, side)

    def peer_ready():
        peer.receive()
        try:
            peer.object.do_handshake()
        except ssl.SSLWantReadError:
            peer.send()
            return False
        return True

    run_until(loop, peer_ready)
    if side == "client":
        finish(loop, peer, task)
    # A client's last words and its first data leave in one piece.
    peer.write(b"at once")
    peer.send()
    run_until(loop, lambda: "data" in protocol.names)
    assert protocol.calls == [("made",), ("data", b"at once")]
    run_until(loop, task.done)
    end(loop, protocol, peer)


def test_records_that_come_in_pieces_are_put_together(loop):
    protocol = Recorder()
    peer = connect(loop, protocol)
    peer.write(b"x" * 50_000)
    made = peer.outgoing.read()
    for start in range(0, len(made), 7001):
        peer.socket.send(made[start : start + 7001])
        run(loop, 1)
    run(loop)
    received = [data for name, *rest in protocol.calls if name == "data" for data in rest]
    assert b"".join(received) == b"x" * 50_000
    # A piece of a record is told of as soon as the record is whole, and not before.
    # The last two records end in the same piece.
    assert [len(data) for data in received] == [16384, 16384, 16384 + 848]
    end(loop, protocol, peer)


# Whole programs.


def test_streams_talk(loop):
    async def main():
        async def greet(reader, writer):
            name = await reader.readline()
            writer.write(b"hello " + name)
            await writer.drain()
            writer.close()
            await writer.wait_closed()

        server = await asyncio.start_server(greet, "127.0.0.1", 0, ssl=SERVER)
        host, port = server.sockets[0].getsockname()
        reader, writer = await asyncio.open_connection(
            host, port, ssl=CLIENT, server_hostname="localhost"
        )
        assert writer.get_extra_info("cipher")
        writer.write(b"world\n")
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()
        server.close()
        if sys.version_info >= (3, 12):
            await server.wait_closed()
        return answer

    assert loop.run_until_complete(main()) == b"hello world\n"


def test_a_file_is_sent(loop, tmp_path):
    content = bytes(range(256)) * 2000
    (tmp_path / "file").write_bytes(content)
    protocol = Recorder()
    peer = connect(loop, protocol)
    with open(tmp_path / "file", "rb") as file:
        sending = loop.create_task(loop.sendfile(protocol.transport, file))
        run_until(loop, lambda: len(peer.read()) == len(content))
        run_until(loop, sending.done)
    assert sending.result() == len(content)
    assert peer.data == content
    end(loop, protocol, peer)


def test_a_peer_is_a_plain_ssl_object():
    """What the tests rest on: two ends of it agree without any loop."""
    ends = [Peer(None, True, SERVER), Peer(None, False, CLIENT)]
    for _ in range(3):
        for one, other in (ends, ends[::-1]):
            try:
                one.object.do_handshake()
            except ssl.SSLWantReadError:
                pass
            other.incoming.write(one.outgoing.read())
    ends[0].write(b"through")
    ends[1].incoming.write(ends[0].outgoing.read())
    assert ends[1].object.read(100) == b"through"
    for one in ends:
        one.near.close()
        one.socket.close()
