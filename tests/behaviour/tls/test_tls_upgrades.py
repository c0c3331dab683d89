"""`start_tls`: a connection goes on with TLS, and no byte is lost on the way."""

import asyncio
import socket
import ssl
import sys

import pytest
from tls_peers import SIDES, Peer, end, finish

from connections import BufferedRecorder, Recorder, run, run_until
from tls_contexts import CLIENT, SERVER


def plain(loop, protocol, side="client"):
    """Connect a protocol without TLS; return a peer that knows how to go on with it."""
    peer = Peer(loop, side == "client", SERVER if side == "client" else CLIENT)
    loop.run_until_complete(loop.create_connection(lambda: protocol, sock=peer.near))
    return peer


def upgrade(loop, protocol, side="client", **options):
    context = CLIENT if side == "client" else SERVER
    if side == "client":
        options.setdefault("server_hostname", "localhost")
    else:
        options["server_side"] = True
    return loop.create_task(loop.start_tls(protocol.transport, protocol, context, **options))


def finish_upgrade(loop, peer, task):
    finish(loop, peer, task)
    run(loop, 1)
    return task.result()


@SIDES
def test_a_connection_goes_on_with_tls(loop, side):
    protocol = Recorder()
    peer = plain(loop, protocol, side)
    before = protocol.transport
    transport = finish_upgrade(loop, peer, upgrade(loop, protocol, side))
    assert isinstance(transport, asyncio.Transport) and transport is not before
    assert transport.get_protocol() is protocol
    assert before.get_protocol() is transport._ssl_protocol
    # It was connected before.
    assert protocol.calls == [("made",)]
    transport.write(b"there")
    peer.write(b"back")
    peer.send()
    run_until(loop, lambda: len(peer.read()) == 5 and "data" in protocol.names)
    assert peer.data == b"there"
    assert protocol.calls == [("made",), ("data", b"back")]
    protocol.transport = transport
    peer.close()
    run_until(loop, lambda: "lost" in protocol.names)
    assert protocol.calls[-2:] == [("eof",), ("lost", None)]
    end(loop, protocol, peer)


@SIDES
def test_a_protocol_that_gives_the_buffer_goes_on_with_tls(loop, side):
    class Buffered(BufferedRecorder):
        def get_buffer(self, hint):
            # TLS knows how much there is.
            return super().get_buffer(-1)

    protocol = Buffered()
    peer = plain(loop, protocol, side)
    protocol.transport.write(b"plain")
    assert peer.socket.recv(100) == b"plain"
    transport = finish_upgrade(loop, peer, upgrade(loop, protocol, side))
    whole = bytes(range(256)) * 20
    peer.write(whole)
    peer.send()

    def received():
        return b"".join(call[1] for call in protocol.calls if call[0] == "updated")

    run_until(loop, lambda: len(received()) == len(whole))
    assert received() == whole
    transport.write(b"secret")
    run_until(loop, lambda: len(peer.read()) == 6)
    assert peer.data == b"secret"
    protocol.transport = transport
    end(loop, protocol, peer)


@SIDES
def test_bytes_that_come_before_the_handshake_begins_are_part_of_it(loop, side):
    protocol = Recorder()
    peer = plain(loop, protocol, side)
    task = upgrade(loop, protocol, side)
    # The transport is paused, and everything waits in the kernel.
    if side == "server":
        assert not peer.handshake()
    run(loop, 2)
    transport = finish_upgrade(loop, peer, task)
    assert protocol.calls == [("made",)]
    protocol.transport = transport
    end(loop, protocol, peer)


def test_tls_in_tls(loop):
    outer = Recorder()
    peer = plain(loop, outer)
    transport = finish_upgrade(loop, peer, upgrade(loop, outer))
    outer.transport = transport
    within = Recorder()
    within.transport = transport
    task = loop.create_task(loop.start_tls(transport, within, CLIENT, server_hostname="localhost"))
    # The second peer speaks through the first one.
    inner = Peer(loop, True, SERVER)
    inner.near.close()
    inner.socket.close()

    def relay():
        inner.incoming.write(peer.read())
        peer.data.clear()
        try:
            inner.object.do_handshake()
            inner.data += inner.object.read(1 << 16)
        except ssl.SSLWantReadError:
            pass
        if inner.outgoing.pending:
            peer.write(inner.outgoing.read())
            peer.send()

    run_until(loop, lambda: (relay(), task.done())[1])
    second = task.result()
    assert second._ssl_protocol._transport is transport
    second.write(b"inside")
    run_until(loop, lambda: (relay(), inner.data)[1])
    assert inner.data == b"inside"
    inner.write(b"and back" * 1000)
    peer.write(inner.outgoing.read())
    peer.send()
    run_until(loop, lambda: sum(len(call[1]) for call in within.calls if call[0] == "data") == 8000)
    assert second.get_extra_info("socket") is transport.get_extra_info("socket")
    second.abort()
    run(loop)
    assert within.calls[-1] == ("lost", None)
    end(loop, outer, peer)


def test_an_upgrade_that_is_cancelled_closes_the_connection(loop):
    protocol = Recorder()
    peer = plain(loop, protocol)
    task = upgrade(loop, protocol)
    run(loop, 2)
    task.cancel()
    run_until(loop, task.done)
    assert task.cancelled()
    run(loop)
    assert peer.near.fileno() == -1
    end(loop, protocol, peer)


def test_an_upgrade_that_is_cancelled_before_it_begins_closes_the_connection(loop):
    protocol = Recorder()
    peer = plain(loop, protocol)
    task = upgrade(loop, protocol)
    loop.call_soon(task.cancel)
    run_until(loop, task.done)
    run(loop)
    assert peer.near.fileno() == -1
    end(loop, protocol, peer)


def test_an_upgrade_that_takes_too_long_is_given_up(loop):
    protocol = Recorder()
    peer = plain(loop, protocol)
    task = upgrade(loop, protocol, ssl_handshake_timeout=0.01)
    run_until(loop, task.done)
    with pytest.raises(ConnectionAbortedError, match="longer than 0.01 seconds"):
        task.result()
    run(loop)
    assert peer.near.fileno() == -1
    end(loop, protocol, peer)


@pytest.mark.parametrize("context", [None, 3, "context", ssl.SSLContext])
def test_a_context_is_demanded(loop, context):
    protocol = Recorder()
    peer = plain(loop, protocol)
    with pytest.raises(TypeError) as raised:
        loop.run_until_complete(loop.start_tls(protocol.transport, protocol, context))
    assert str(raised.value) == (
        f"sslcontext is expected to be an instance of ssl.SSLContext, got {context!r}"
    )
    end(loop, protocol, peer)


@pytest.mark.parametrize("transport", [None, 3, asyncio.Transport()])
def test_a_transport_that_can_is_demanded(loop, transport):
    with pytest.raises(TypeError) as raised:
        loop.run_until_complete(loop.start_tls(transport, None, CLIENT))
    assert str(raised.value) == f"transport {transport!r} is not supported by start_tls()"


# Streams.


@pytest.mark.parametrize("early", [False, True], ids=["in turn", "early"])
def test_streams_go_on_with_tls(loop, early):
    greenloops = type(loop).__module__.startswith("greenloop")
    if early and not greenloops and sys.version_info < (3, 14):
        pytest.skip("asyncio loses what a server's reader has before the handshake, up to 3.13")

    async def main():
        async def serve(reader, writer):
            assert await reader.readline() == b"STARTTLS\n"
            if early:
                # The client does not wait for an answer, and its first bytes are here.
                while len(reader._buffer) < 100:
                    await asyncio.sleep(0)
            else:
                writer.write(b"OK\n")
            await writer.start_tls(SERVER)
            writer.write(b"secret " + await reader.readline())
            await writer.drain()
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        host, port = server.sockets[0].getsockname()
        if early:
            answer = await loop.run_in_executor(None, talk_at_once, host, port)
        else:
            reader, writer = await asyncio.open_connection(host, port)
            writer.write(b"STARTTLS\n")
            assert await reader.readline() == b"OK\n"
            await writer.start_tls(CLIENT, server_hostname="localhost")
            assert writer.get_extra_info("cipher")
            writer.write(b"message\n")
            answer = await reader.read()
            writer.close()
        server.close()
        return answer

    assert loop.run_until_complete(asyncio.wait_for(main(), 20)) == b"secret message\n"


def talk_at_once(host, port):
    """A client that says STARTTLS and begins with TLS in the same breath."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = CLIENT.wrap_bio(incoming, outgoing, server_hostname="localhost")
    with socket.create_connection((host, port), timeout=20) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

        def attempt(function, *arguments):
            while True:
                try:
                    return function(*arguments)
                except ssl.SSLWantReadError:
                    connection.sendall(outgoing.read())
                    incoming.write(connection.recv(1 << 16))

        try:
            client.do_handshake()
        except ssl.SSLWantReadError:
            connection.sendall(b"STARTTLS\n" + outgoing.read())
        incoming.write(connection.recv(1 << 16))
        attempt(client.do_handshake)
        client.write(b"message\n")
        connection.sendall(outgoing.read())
        return attempt(client.read, 100)
