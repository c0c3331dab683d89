"""Peers that never read, go silent, reset, or send on after the end: nobody else suffers.

What waits for them is bounded and freed, and who waits for them is told.
"""

import asyncio
import gc
import socket
import struct

import pytest
from faulty_proxy import FaultyProxy, Treatment

from descriptors import open_descriptors
from tls_contexts import CLIENT, SERVER

BLOCK = bytes(64 * 1024)


@pytest.fixture(params=["plain", "TLS"])
def secure(request):
    return request.param == "TLS"


async def start_server(handle, secure=False):
    server = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=SERVER if secure else None)
    return server, server.sockets[0].getsockname()


async def connect(address, secure=False, **options):
    if secure:
        options |= {"ssl": CLIENT, "server_hostname": "localhost"}
    return await asyncio.open_connection(*address, **options)


def run_and_count_descriptors(loop, main):
    """Run what leaves no descriptor behind, and not for ever."""
    # asyncio's own loop makes some of its descriptors when it first runs.
    loop.run_until_complete(asyncio.sleep(0))
    gc.collect()
    before = open_descriptors()

    async def bounded():
        async with asyncio.timeout(20):
            await main()
            while open_descriptors() > before:
                await asyncio.sleep(0.001)

    loop.run_until_complete(bounded())
    assert open_descriptors() == before


async def until(condition):
    while not condition():
        await asyncio.sleep(0.001)


def test_a_peer_that_never_reads_holds_up_its_sender_and_nobody_else(loop, secure):
    """Memory is bounded, others are served, and an abort frees all of it."""
    flooding = []

    async def serve(reader, writer):
        if await reader.readexactly(1) == b"f":
            flooding.append(writer)
            try:
                while True:
                    writer.write(BLOCK)
                    await writer.drain()
            except ConnectionError:
                flooding.append("told")
        else:
            while line := await reader.readline():
                writer.write(line)
                await writer.drain()
        writer.close()

    async def main():
        server, address = await start_server(serve, secure)
        never_reads = [await connect(address, secure, limit=1) for _ in range(5)]
        for _, writer in never_reads:
            writer.transport.pause_reading()
            writer.write(b"f")
        reader, writer = await connect(address, secure)
        writer.write(b"e")

        async def echo(count):
            for number in range(count):
                writer.write(b"%d\n" % number)
                assert await reader.readline() == b"%d\n" % number

        # When all are held up, what they hold does not grow.
        await until(lambda: len(flooding) == 5)
        sizes = None
        while sizes != (now := [one.transport.get_write_buffer_size() for one in flooding]):
            sizes = now
            await echo(100)
        high = flooding[0].transport.get_write_buffer_limits()[1]
        assert all(high < size <= high + 2 * len(BLOCK) for size in sizes)
        held_up = flooding.copy()
        for one in held_up:
            one.transport.abort()
            assert secure or one.transport.get_write_buffer_size() == 0
        await until(lambda: flooding.count("told") == 5)
        await echo(10)
        for _, other in [*never_reads, (reader, writer)]:
            other.transport.abort()
        server.close()

    run_and_count_descriptors(loop, main)


def test_close_waits_for_a_peer_that_reads_late_and_loses_nothing(loop, secure):
    async def serve(reader, writer):
        writer.write(bytes(16 * 1024 * 1024))
        writer.close()
        await writer.wait_closed()
        ended.append(True)

    ended = []

    async def main():
        server, address = await start_server(serve, secure)
        reader, writer = await connect(address, secure, limit=1 << 20)
        if not secure:
            # TLS waits for its leave-taking no longer than its timeout.
            for _ in range(50):
                await asyncio.sleep(0)
            assert ended == []
        received = 0
        while data := await reader.read(1 << 20):
            received += len(data)
        assert received == 16 * 1024 * 1024
        writer.close()
        await until(lambda: ended)
        server.close()

    run_and_count_descriptors(loop, main)


def test_close_to_a_peer_that_never_reads_lasts_until_an_abort(loop):
    lost = []

    class Protocol(asyncio.Protocol):
        def connection_made(self, transport):
            self.transport = transport
            transport.write(bytes(16 * 1024 * 1024))
            transport.close()

        def connection_lost(self, exception):
            lost.append(exception)

    async def main():
        near, far = socket.socketpair()
        with far:
            transport, _ = await loop.create_connection(Protocol, sock=near)
            await asyncio.sleep(0.01)
            assert lost == [] and transport.is_closing()
            assert transport.get_write_buffer_size() > 0
            transport.abort()
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            assert lost == [None]

    run_and_count_descriptors(loop, main)


@pytest.mark.parametrize("by", ["protocol", "streams"])
def test_a_reset_while_much_waits_to_be_written_is_told_once(loop, reports, by):
    """Who drains, who waits for the end and the protocol learn of it; what waited is freed."""

    async def main():
        with socket.create_server(("127.0.0.1", 0)) as listener:
            near = socket.create_connection(listener.getsockname())
            near.setblocking(False)
            far, _ = listener.accept()
        far.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if by == "streams":
            reader, writer = await asyncio.open_connection(sock=near)
            writer.write(bytes(32 * 1024 * 1024))
            draining = asyncio.ensure_future(writer.drain())
            reading = asyncio.ensure_future(reader.read(1))
            await asyncio.sleep(0)
            assert not draining.done()
            far.close()
            outcomes = await asyncio.gather(
                draining, reading, writer.wait_closed(), return_exceptions=True
            )
            kinds = {ConnectionResetError, BrokenPipeError}
            assert {type(outcome) for outcome in outcomes} <= kinds
            transport = writer.transport
        else:
            told = []

            class Protocol(asyncio.Protocol):
                def pause_writing(self):
                    told.append("pause")

                def resume_writing(self):
                    told.append("resume")

                def connection_lost(self, exception):
                    told.append(type(exception))

            transport, _ = await loop.create_connection(Protocol, sock=near)
            transport.write(bytes(32 * 1024 * 1024))
            far.close()
            await until(lambda: len(told) > 1)
            await asyncio.sleep(0.001)
            assert told in (["pause", ConnectionResetError], ["pause", BrokenPipeError])
        assert transport.get_write_buffer_size() == 0
        assert transport.is_closing()
        transport.write(b"after the end")

    run_and_count_descriptors(loop, main)
    assert reports == []


def test_what_a_peer_sends_after_close_is_not_heard(loop):
    heard = []

    class Protocol(asyncio.Protocol):
        def data_received(self, data):
            heard.append(data)

        def eof_received(self):
            heard.append("eof")

        def connection_lost(self, exception):
            heard.append(exception)

    async def main():
        near, far = socket.socketpair()
        with far:
            transport, _ = await loop.create_connection(Protocol, sock=near)
            # It is here already when the loop is told to close.
            far.send(b"late")
            transport.close()
            far.send(b"later")
            for _ in range(3):
                await asyncio.sleep(0)
            with pytest.raises(BrokenPipeError):
                far.send(b"too late")
            assert heard == [None]

    run_and_count_descriptors(loop, main)


def test_what_a_peer_sends_after_a_writers_close_is_not_read(loop):
    async def main():
        near, far = socket.socketpair()
        with far:
            reader, writer = await asyncio.open_connection(sock=near)
            far.send(b"early")
            assert await reader.readexactly(5) == b"early"
            writer.close()
            far.send(b"late")
            await writer.wait_closed()
            assert await reader.read() == b""

    run_and_count_descriptors(loop, main)


def test_one_half_of_a_connection_outlives_the_other(loop):
    """Each end says that it has said all, and reads what the other end still has to say."""

    async def serve(reader, writer):
        request = await reader.read()
        writer.write(request[::-1])
        writer.write_eof()
        with pytest.raises(RuntimeError, match=r"write_eof"):
            writer.write(b"more")
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    async def main():
        server, address = await start_server(serve)
        reader, writer = await connect(address)
        request = bytes(range(256)) * 4096
        writer.write(request)
        writer.write_eof()
        assert await reader.read() == request[::-1]
        assert reader.at_eof()
        writer.close()
        await writer.wait_closed()
        server.close()

    run_and_count_descriptors(loop, main)


# A peer that is silent and not gone: nothing comes any more, not even an end.


def test_a_wait_for_a_silent_peer_can_be_given_up(loop):
    async def serve(reader, writer):
        await reader.readexactly(1000)
        writer.write(bytes(1000))
        # Its end is not silent: it learns of the client's leave.
        assert await reader.read() == b""
        writer.close()

    async def main():
        server, address = await start_server(serve)
        with FaultyProxy(address, to_client=Treatment(limit=400, end="stall")) as proxy:
            reader, writer = await connect(proxy.address)
            writer.write(bytes(1000))
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await reader.readexactly(1000)
            # What did come is still there.
            assert await reader.read(1000) == bytes(400)
            writer.close()
            await writer.wait_closed()
        server.close()

    run_and_count_descriptors(loop, main)


@pytest.mark.parametrize("at", [0, 700])
def test_a_handshake_with_a_silent_peer_ends_by_its_timeout(loop, at, reports):
    async def main():
        server, address = await start_server(lambda *_: None, secure=True)
        with FaultyProxy(address, to_client=Treatment(limit=at, end="stall")) as proxy:
            with pytest.raises(ConnectionAbortedError, match="longer than 0.05 seconds"):
                await connect(proxy.address, secure=True, ssl_handshake_timeout=0.05)
        server.close()

    run_and_count_descriptors(loop, main)
    assert reports == []


def test_tls_to_a_silent_peer_is_closed_by_its_timeout(loop, reports):
    """The peer's leave never comes, and what it says instead is not heard."""

    async def serve(reader, writer):
        writer.write(await reader.readexactly(5))
        writer.write(bytes(5000))
        assert await reader.readexactly(5000) == bytes(5000)
        assert await reader.read() == b""
        writer.close()

    async def main():
        server, address = await start_server(serve, secure=True)
        # The handshake takes less than half of it, and all that the server says takes more.
        treatment = Treatment(limit=4500, end="stall")
        with FaultyProxy(address, to_client=treatment) as proxy:
            reader, writer = await connect(proxy.address, secure=True, ssl_shutdown_timeout=0.05)
            writer.write(b"hello")
            assert await reader.readexactly(5) == b"hello"
            writer.write(bytes(5000))
            writer.close()
            with pytest.raises(TimeoutError, match="SSL shutdown timed out"):
                await writer.wait_closed()
        server.close()

    run_and_count_descriptors(loop, main)
    assert reports == []
