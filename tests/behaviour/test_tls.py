"""TLS: what a connection is, and what its handshake comes to."""

import asyncio
import gc
import logging
import socket
import ssl
import sys
import warnings
import weakref

import pytest
from connections import BufferedRecorder, Recorder, raising, run, run_until
from tls_peers import Peer, begin, connect, end, finish

from tls_contexts import CERTIFICATE, CLIENT, SERVER, client_context, server_context

SIDES = pytest.mark.parametrize("side", ["client", "server"])


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
    assert task.done()
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


# Whatever a context does is done.


def test_protocols_are_negotiated(loop):
    client, server = client_context(), server_context()
    client.set_alpn_protocols(["h2", "http/1.1"])
    server.set_alpn_protocols(["http/1.1"])
    protocol = Recorder()
    peer = connect(loop, protocol, context=client, peer_context=server)
    chosen = protocol.transport.get_extra_info("ssl_object").selected_alpn_protocol()
    assert chosen == peer.object.selected_alpn_protocol() == "http/1.1"
    end(loop, protocol, peer)


def test_the_callbacks_of_a_context_are_called(loop, tmp_path):
    names = []
    other = server_context()
    server = server_context()

    def choose(ssl_object, name, context):
        names.append((name, context is server))
        ssl_object.context = other

    server.sni_callback = choose
    other.keylog_filename = str(tmp_path / "keys")
    protocol = Recorder()
    peer = connect(loop, protocol, "server", context=server)
    assert names == [("localhost", True)]
    assert protocol.transport.get_extra_info("ssl_object").context is other
    assert "SERVER_TRAFFIC_SECRET_0" in (tmp_path / "keys").read_text()
    end(loop, protocol, peer)


def test_a_client_shows_its_certificate(loop):
    server = server_context()
    server.load_verify_locations(CERTIFICATE)
    server.verify_mode = ssl.CERT_REQUIRED
    client = client_context()
    client.load_cert_chain(CERTIFICATE)
    protocol = Recorder()
    peer = connect(loop, protocol, "server", context=server, peer_context=client)
    subject = protocol.transport.get_extra_info("peercert")["subject"]
    assert subject == ((("commonName", "localhost"),),)
    end(loop, protocol, peer)


def test_a_session_is_used_again(loop):
    client, server = client_context(), server_context()
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    sessions = []
    for _ in range(2):
        protocol = Recorder()
        if sessions:
            # A program that uses sessions gives them to its own ssl objects.
            session = sessions[0]
            original = client.wrap_bio
            client.wrap_bio = lambda *arguments, **keywords: original(
                *arguments, session=session, **keywords
            )
        peer = connect(loop, protocol, context=client, peer_context=server)
        ssl_object = protocol.transport.get_extra_info("ssl_object")
        sessions.append(ssl_object.session)
        reused = ssl_object.session_reused
        end(loop, protocol, peer)
    assert reused is True


class CountingObject(ssl.SSLObject):
    """An ssl object of a program's own."""

    calls = ()

    def read(self, *arguments):
        self.calls = (*self.calls, "read")
        return super().read(*arguments)

    def write(self, data):
        self.calls = (*self.calls, "write")
        return super().write(data)


@pytest.mark.parametrize("buffered", [False, True], ids=["Protocol", "BufferedProtocol"])
def test_an_ssl_object_of_another_class_is_asked_itself(loop, buffered):
    client = client_context()
    client.sslobject_class = CountingObject
    protocol = Recorder()
    if buffered:
        protocol = BufferedRecorder()
        protocol.get_buffer = lambda hint: protocol.__dict__.setdefault(
            "view", memoryview(bytearray(50_000))
        )
        protocol.buffer_updated = lambda count: protocol.note("data", bytes(protocol.view[:count]))
    peer = connect(loop, protocol, context=client)
    peer.write(b"x" * 40_000)
    peer.send()
    run_until(loop, lambda: sum(len(call[1]) for call in protocol.calls[1:]) == 40_000)
    protocol.transport.write(b"y" * 40_000)
    run_until(loop, lambda: len(peer.read()) == 40_000)
    ssl_object = protocol.transport.get_extra_info("ssl_object")
    assert type(ssl_object) is CountingObject
    assert ssl_object.calls.count("read") >= 3
    assert ssl_object.calls.count("write") >= 1
    end(loop, protocol, peer)


def test_a_context_of_another_class_makes_the_ssl_object(loop):
    made = []

    class Context(ssl.SSLContext):
        def wrap_bio(self, *arguments, **keywords):
            made.append(keywords)
            return super().wrap_bio(*arguments, **keywords)

    protocol = Recorder()
    peer = connect(loop, protocol, context=client_context(Context))
    assert made == [{"server_side": False, "server_hostname": "localhost"}]
    end(loop, protocol, peer)


def test_a_class_that_stands_for_asyncios_is_used(loop, monkeypatch):
    from asyncio import sslproto

    made = []

    class Ours(sslproto.SSLProtocol):
        def __init__(self, *arguments, **keywords):
            made.append(self)
            super().__init__(*arguments, **keywords)

    monkeypatch.setattr(sslproto, "SSLProtocol", Ours)
    protocol = Recorder()
    peer = connect(loop, protocol)
    assert made == [protocol.transport._ssl_protocol]
    end(loop, protocol, peer)


# Handshakes that fail.


def failure(loop, side, exception, **options):
    """The error that a handshake fails with."""
    protocol = Recorder()
    peer, task = begin(loop, protocol, side, **options)

    def over():
        try:
            peer.handshake()
        except (ssl.SSLError, OSError):
            pass
        return task.done()

    run_until(loop, over)
    with pytest.raises(exception) as raised:
        task.result()
    run(loop)
    assert protocol.calls == []
    peer.socket.close()
    return raised.value


def test_a_certificate_for_somebody_else_is_refused(loop, reports):
    error = failure(loop, "client", ssl.SSLCertVerificationError, server_hostname="elsewhere")
    assert "Hostname mismatch" in str(error)
    assert reports == []


def test_a_certificate_that_nobody_vouches_for_is_refused(loop, reports):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    error = failure(loop, "client", ssl.SSLCertVerificationError, context=context)
    assert "self-signed certificate" in str(error)
    assert reports == []


def test_a_server_learns_that_its_certificate_was_refused(loop, reports):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    error = failure(loop, "server", (ssl.SSLError, ConnectionResetError), peer_context=context)
    assert isinstance(error, OSError)
    assert reports == []


def test_peers_without_a_version_in_common_do_not_agree(loop):
    client, server = client_context(), server_context()
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    server.minimum_version = ssl.TLSVersion.TLSv1_3
    failure(loop, "client", (ssl.SSLError, OSError), context=client, peer_context=server)


@SIDES
def test_a_peer_that_does_not_speak_tls_is_refused(loop, reports, side):
    protocol = Recorder()
    peer, task = begin(loop, protocol, side)
    run(loop, 2)
    peer.socket.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    run_until(loop, task.done)
    with pytest.raises(ssl.SSLError):
        task.result()
    assert protocol.calls == [] and reports == []
    peer.socket.close()


@SIDES
def test_a_peer_that_goes_away_in_the_handshake_is_a_reset(loop, reports, side):
    protocol = Recorder()
    peer, task = begin(loop, protocol, side)
    run(loop, 2)
    peer.socket.close()
    run_until(loop, task.done)
    with pytest.raises(OSError) as raised:
        task.result()
    assert type(raised.value) in (ConnectionResetError, BrokenPipeError)
    run(loop)
    assert protocol.calls == [] and reports == []


@SIDES
def test_a_handshake_that_takes_too_long_is_given_up(loop, side):
    protocol = Recorder()
    peer, task = begin(loop, protocol, side, ssl_handshake_timeout=0.01)
    run_until(loop, task.done)
    with pytest.raises(ConnectionAbortedError) as raised:
        task.result()
    assert str(raised.value) == (
        "SSL handshake is taking longer than 0.01 seconds: aborting the connection"
    )
    run(loop)
    assert protocol.calls == []
    assert peer.near.fileno() == -1
    peer.socket.close()


@SIDES
@pytest.mark.parametrize("timeout", [0, -1, 0.0, -0.5])
@pytest.mark.parametrize("name", ["ssl_handshake_timeout", "ssl_shutdown_timeout"])
def test_a_timeout_must_be_positive(loop, side, name, timeout):
    protocol = Recorder()
    peer, task = begin(loop, protocol, side, **{name: timeout})
    run_until(loop, task.done)
    with pytest.raises(ValueError, match=f"^{name} should be a positive number, got {timeout}$"):
        task.result()
    peer.near.close()
    peer.socket.close()


@SIDES
def test_a_connection_that_nobody_waits_for_any_more_is_closed(loop, side):
    protocol = Recorder()
    peer, task = begin(loop, protocol, side)
    run(loop, 2)
    task.cancel()
    run_until(loop, task.done)
    assert task.cancelled()
    run(loop)
    assert peer.near.fileno() == -1
    assert protocol.calls == []
    peer.socket.close()


def test_a_connection_made_that_raises_ends_the_connection(loop, reports):
    error = ValueError("expected")
    protocol = Recorder(made=raising(error))
    peer, task = begin(loop, protocol, "client")
    run_until(loop, lambda: (peer.handshake(), task.done())[1])
    with pytest.raises(ValueError, match="expected"):
        task.result()
    run(loop)
    assert protocol.calls == [("made",), ("lost", error)]
    assert [report["message"] for report in reports] == [
        "Fatal error: protocol.buffer_updated() call failed."
    ]
    peer.socket.close()


def test_a_protocol_factory_that_raises_leaves_no_connection(loop):
    near, far = socket.socketpair()
    near.setblocking(False)
    with pytest.raises(ValueError, match="expected"):
        loop.run_until_complete(
            loop.create_connection(
                raising(ValueError("expected")), sock=near, ssl=CLIENT, server_hostname="localhost"
            )
        )
    near.close()
    far.close()


def test_a_server_reports_a_protocol_factory_that_raises(loop, reports):
    # It does so in debug mode only.
    loop.set_debug(True)
    server = loop.run_until_complete(
        loop.create_server(raising(ValueError("expected")), "127.0.0.1", 0, ssl=SERVER)
    )
    with socket.create_connection(server.sockets[0].getsockname()):
        run_until(loop, lambda: reports)
    assert str(reports[0]["exception"]) == "expected"
    assert reports[0]["message"] == "Error on transport creation for incoming connection"
    server.close()
    loop.run_until_complete(server.wait_closed())


def test_the_handshake_is_logged_in_debug_mode(loop, caplog):
    loop.set_debug(True)
    with caplog.at_level(logging.DEBUG, "asyncio"):
        protocol = Recorder()
        peer = connect(loop, protocol)
        end(loop, protocol, peer)
    messages = [record.getMessage() for record in caplog.records]
    assert any(message.endswith(" starts SSL handshake") for message in messages)
    assert any(": SSL handshake took " in message for message in messages)


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
