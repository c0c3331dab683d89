"""Streams between two ends: connecting, the callbacks of servers, and what is let go at the end."""

import asyncio
import gc
import socket
import sys
import warnings
import weakref
from asyncio import streams as asyncio_streams

import pytest
from streams_under_test import NAMES, Transport, reader_with

from tls_contexts import client_context, server_context


def test_subprocesses_stream(streams, run, monkeypatch):
    for name in NAMES:
        monkeypatch.setattr(asyncio_streams, name, getattr(streams, name))

    async def main():
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            "import sys; sys.stdout.write(sys.stdin.read().upper())",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        assert isinstance(process.stdout, streams.StreamReader)
        return await process.communicate(b"text" * 100_000)

    assert run(main()) == (b"TEXT" * 100_000, None)


@pytest.fixture(params=["tcp", "unix"])
def connect(request, streams, tmp_path):
    """Starts a server and connects to it."""

    async def connect(handle, **keywords):
        if request.param == "tcp":
            server = await streams.start_server(handle, "127.0.0.1", 0, **keywords)
            host, port = server.sockets[0].getsockname()
            return server, await streams.open_connection(host, port, **keywords)
        path = str(tmp_path / "socket")
        server = await streams.start_unix_server(handle, path, **keywords)
        return server, await streams.open_unix_connection(path, **keywords)

    return connect


def test_an_echo_of_lines_and_blocks(streams, run, connect):
    async def handle(reader, writer):
        assert isinstance(reader, streams.StreamReader)
        assert isinstance(writer, streams.StreamWriter)
        async for line in reader:
            writer.write(line)
            await writer.drain()
        writer.close()
        await writer.wait_closed()

    async def main():
        server, (reader, writer) = await connect(handle, limit=2**18)
        assert reader._limit == 2**18
        assert writer.get_extra_info("no such thing", 5) == 5
        assert isinstance(writer.get_extra_info("socket"), asyncio.trsock.TransportSocket)
        for size in (1, 1000, 100_000):
            writer.write(b"x" * size + b"\n")
            await writer.drain()
            assert await reader.readexactly(size) == b"x" * size
            assert await reader.readuntil() == b"\n"
        assert writer.can_write_eof()
        writer.write_eof()
        assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()
        assert writer.is_closing()
        server.close()
        await server.wait_closed()

    run(main())


@pytest.mark.parametrize("kind", ["coroutine", "cancelled"])
def test_a_callback_that_fails_is_reported_and_its_connection_closed(run, connect, kind):
    reports = []

    async def handle(reader, writer):
        if kind == "cancelled":
            raise asyncio.CancelledError
        raise ValueError("broken")

    async def main():
        asyncio.get_running_loop().set_exception_handler(lambda _, context: reports.append(context))
        server, (reader, writer) = await connect(handle)
        if kind == "coroutine" or sys.version_info >= (3, 13):
            assert await reader.read() == b""
        writer.close()
        await asyncio.sleep(0.01)
        server.close()
        # The server's end of a cancelled callback is closed late or never in older releases.
        gc.collect()

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        run(main())
    messages = [context["message"] for context in reports]
    if kind == "coroutine":
        assert messages == ["Unhandled exception in client_connected_cb"]
        assert isinstance(reports[0]["exception"], ValueError)
    elif sys.version_info >= (3, 13):
        assert messages == []


def test_what_cannot_connect_raises(streams, run, loop_factory):
    async def main():
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        with pytest.raises(ConnectionRefusedError):
            await streams.open_connection("127.0.0.1", port)
        with pytest.raises(TypeError, match="unexpected keyword"):
            await streams.open_connection("127.0.0.1", port, nonsense=1)
        with pytest.raises(TypeError, match="positional"):
            streams.open_connection("127.0.0.1", port, 5)
        with pytest.raises(TypeError, match="client_connected_cb"):
            streams.start_server()

    run(main())


def test_a_cancelled_connect_leaves_nothing(streams, run):
    async def main():
        with socket.create_server(("127.0.0.1", 0)) as server:
            task = asyncio.ensure_future(streams.open_connection(*server.getsockname()))
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    with warnings.catch_warnings():
        warnings.simplefilter("error", ResourceWarning)
        run(main())
        gc.collect()


def test_a_dropped_writer_closes_its_transport_and_warns(streams, run):
    async def main():
        loop = asyncio.get_running_loop()
        protocol = streams.StreamReaderProtocol(None, loop=loop)
        transport = Transport()
        writer = streams.StreamWriter(transport, protocol, None, loop)
        with pytest.warns(ResourceWarning, match="^unclosed <StreamWriter transport=<Transport>>$"):
            del writer
        assert transport.closing

    run(main())


@pytest.mark.parametrize("over", ["tcp", "tls"])
@pytest.mark.parametrize("on", ["the transport", "its class"])
def test_a_replaced_method_of_a_transport_is_called(streams, run, monkeypatch, over, on):
    async def echo(reader, writer):
        writer.write(await reader.readline())
        await writer.drain()
        writer.close()

    async def main():
        contexts = (None, None) if over == "tcp" else (server_context(), client_context())
        server = await streams.start_server(echo, "127.0.0.1", 0, ssl=contexts[0])
        host, port = server.sockets[0].getsockname()
        name = None if over == "tcp" else "localhost"
        reader, writer = await streams.open_connection(
            host, port, ssl=contexts[1], server_hostname=name
        )
        transport = writer.transport
        calls = []

        def replace(name):
            if on == "the transport":
                original = getattr(transport, name)
            else:
                original = getattr(type(transport), name)

            def replacement(*arguments):
                calls.append(name)
                return original(*arguments)

            holder = transport if on == "the transport" else type(transport)
            monkeypatch.setattr(holder, name, replacement)

        # The short cut is taken before, and after the methods are as they were.
        await writer.drain()
        replace("write")
        replace("is_closing")
        writer.write(b"a line")
        await writer.drain()
        assert calls == ["write", "is_closing"]
        monkeypatch.undo()
        writer.write(b" and its end\n")
        await writer.drain()
        assert calls == ["write", "is_closing"]
        assert await reader.readline() == b"a line and its end\n"
        writer.close()
        server.close()
        await server.wait_closed()

    run(main())


def test_a_cycle_of_stream_and_task_is_collected(streams, run):
    async def main():
        loop = asyncio.get_running_loop()
        reader = streams.StreamReader(loop=loop)
        protocol = streams.StreamReaderProtocol(reader, loop=loop)
        transport = Transport()
        transport.protocol = protocol
        protocol.connection_made(transport)
        writer = streams.StreamWriter(transport, protocol, reader, loop)
        reader.writer = writer
        transport.closing = True
        reference = weakref.ref(reader)
        waiting = reader.read(1)
        waiting.send(None)
        reader.waiting = waiting
        del waiting, reader, protocol, transport, writer
        gc.collect()
        assert reference() is None

    run(main())


def test_a_protocol_does_not_hold_its_reader(streams, run):
    async def main():
        loop = asyncio.get_running_loop()
        reader = streams.StreamReader(loop=loop)
        protocol = streams.StreamReaderProtocol(reader, loop=loop)
        assert protocol._stream_reader is reader
        protocol.data_received(b"data")
        assert reader._buffer == b"data"
        del reader
        gc.collect()
        assert protocol._stream_reader is None
        protocol.data_received(b"for nobody")
        assert protocol.eof_received() is True

    run(main())


def test_the_loop_of_a_stream_without_one_is_the_running_one(streams, run):
    async def main():
        loop = asyncio.get_running_loop()
        reader = streams.StreamReader()
        assert reader._loop is loop
        assert streams.StreamReaderProtocol(reader)._loop is loop

    run(main())


def test_what_a_reader_says_of_itself(streams, run):
    async def main():
        reader = reader_with(streams, b"abc", eof=False, limit=7)
        reader._transport = Transport()
        reader.feed_eof()
        reader._exception = ValueError("x")
        text = "<StreamReader 3 bytes eof limit=7 exception=ValueError('x') transport=<Transport>>"
        assert repr(reader) == text
        assert not reader.at_eof()

    run(main())
