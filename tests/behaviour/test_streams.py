"""Streams: reading, limits, flow control, connections; asyncio's and the native, on both loops."""

import asyncio
import gc
import socket
import sys
import types
import warnings
import weakref
from asyncio import streams as asyncio_streams

import pytest

from greenloop import _native

NAMES = (
    "FlowControlMixin",
    "StreamReader",
    "StreamReaderProtocol",
    "StreamWriter",
    "open_connection",
    "open_unix_connection",
    "start_server",
    "start_unix_server",
)


@pytest.fixture(params=[asyncio_streams, _native], ids=["asyncio's streams", "native streams"])
def streams(request):
    """The streams under test."""
    return types.SimpleNamespace(**{name: getattr(request.param, name) for name in NAMES})


@pytest.fixture(params=[False, True], ids=["plain", "debug"])
def run(request, loop_factory):
    """Runs a coroutine on the loop under test."""

    def run(coroutine):
        with asyncio.Runner(loop_factory=loop_factory, debug=request.param) as runner:
            return runner.run(asyncio.wait_for(coroutine, 10))

    return run


class Transport(asyncio.Transport):
    """Notes what it is told."""

    def __init__(self):
        super().__init__()
        self.calls = []
        self.closing = False

    def pause_reading(self):
        self.calls.append("pause")

    def resume_reading(self):
        self.calls.append("resume")

    def is_closing(self):
        return self.closing

    def write(self, data):
        self.calls.append(bytes(data))

    def close(self):
        self.closing = True

    def __repr__(self):
        return "<Transport>"


async def turns_of(awaitable):
    """How many turns of the loop it takes, and its result."""
    count = 0

    async def counter():
        nonlocal count
        while True:
            await asyncio.sleep(0)
            count += 1

    task = asyncio.ensure_future(counter())
    await asyncio.sleep(0)
    before = count
    result = await awaitable
    turns = count - before
    task.cancel()
    return turns, result


def reader_with(streams, *chunks, eof=True, **keywords):
    reader = streams.StreamReader(loop=asyncio.get_running_loop(), **keywords)
    for chunk in chunks:
        reader.feed_data(chunk)
    if eof:
        reader.feed_eof()
    return reader


def test_what_is_there_is_read_without_a_turn(streams, run):
    async def main():
        reader = reader_with(streams, b"line\nrest12345:", eof=True)
        assert await turns_of(reader.readline()) == (0, b"line\n")
        assert await turns_of(reader.readexactly(4)) == (0, b"rest")
        assert await turns_of(reader.readuntil(b":")) == (0, b"12345:")
        assert await turns_of(reader.read()) == (0, b"")

    run(main())


def test_a_read_that_waits_goes_on_in_the_turn_after_the_bytes_came(streams, run):
    async def main():
        reader = reader_with(streams, eof=False)
        loop = asyncio.get_running_loop()
        loop.call_soon(loop.call_soon, loop.call_soon, reader.feed_data, b"x")
        return await turns_of(reader.readexactly(1))

    assert run(main()) == (2, b"x")


def test_any_buffer_can_be_fed(streams, run):
    async def main():
        pieces = [b"one ", bytearray(b"two "), memoryview(b"three "), [102, 111, 117, 114], b""]
        reader = reader_with(streams, *pieces)
        assert await reader.read() == b"one two three four"
        with pytest.raises(TypeError):
            reader_with(streams, "text", eof=False)

    run(main())


def test_a_fed_bytearray_may_be_changed_afterwards(streams, run):
    async def main():
        data = bytearray(b"before")
        reader = reader_with(streams, data)
        data[:] = b"AFTERWARDS"
        assert await reader.read() == b"before"

    run(main())


def test_one_reader_has_one_waiter(streams, run):
    async def main():
        reader = reader_with(streams, eof=False)
        first = asyncio.ensure_future(reader.read(1))
        await asyncio.sleep(0)
        for name, call in [
            ("read", lambda: reader.read(1)),
            ("readuntil", reader.readline),
            ("readexactly", lambda: reader.readexactly(1)),
            ("readuntil", lambda: reader.readuntil(b"x")),
        ]:
            with pytest.raises(
                RuntimeError,
                match=rf"^{name}\(\) called while another coroutine is already waiting "
                "for incoming data$",
            ):
                await call()
        reader.feed_data(b"x")
        assert await first == b"x"

    run(main())


@pytest.mark.parametrize(
    "read", ["readline()", "readexactly(5)", "read(5)", "read()", "readuntil(b'x')", "__anext__()"]
)
def test_a_cancelled_read_loses_nothing(streams, run, read):
    async def main():
        reader = reader_with(streams, eof=False)
        if read not in ("read(5)", "read()"):
            reader.feed_data(b"ab")
        call = eval(f"lambda: reader.{read}", {"reader": reader})
        task = asyncio.ensure_future(as_coroutine(call()))
        await asyncio.sleep(0)
        assert reader._waiter is not None
        task.cancel("enough")
        # Bytes that come between the cancellation and the task's next step stay, too.
        reader.feed_data(b"cdx\n")
        with pytest.raises(asyncio.CancelledError, match="enough"):
            await task
        assert reader._waiter is None
        reader.feed_eof()
        rest = await reader.read()
        assert rest.endswith(b"cdx\n")

    run(main())


async def as_coroutine(awaitable):
    return await awaitable


def test_an_exception_ends_the_wait_and_all_reading(streams, run):
    async def main():
        reader = reader_with(streams, eof=False)
        task = asyncio.ensure_future(reader.readline())
        await asyncio.sleep(0)
        error = ConnectionResetError("gone")
        reader.set_exception(error)
        with pytest.raises(ConnectionResetError) as caught:
            await task
        assert caught.value is error
        assert reader.exception() is error
        for call in (reader.readline, reader.read, reader.readuntil, lambda: reader.readexactly(1)):
            with pytest.raises(ConnectionResetError):
                await call()

    run(main())


def test_lines_one_after_another(streams, run):
    async def main():
        reader = reader_with(streams, b"a\n\nb\nrest")
        assert [line async for line in reader] == [b"a\n", b"\n", b"b\n", b"rest"]

    run(main())


def test_a_sender_is_held_up_over_twice_the_limit(streams, run):
    async def main():
        reader = reader_with(streams, eof=False, limit=4)
        transport = Transport()
        reader.set_transport(transport)
        with pytest.raises(AssertionError, match="Transport already set"):
            reader.set_transport(transport)
        reader.feed_data(b"12345678")
        assert transport.calls == []
        reader.feed_data(b"9")
        assert transport.calls == ["pause"]
        assert "paused" in repr(reader)
        await reader.readexactly(4)
        assert transport.calls == ["pause"]
        await reader.readexactly(1)
        assert transport.calls == ["pause", "resume"]

    run(main())


def test_who_waits_while_the_sender_is_held_up_has_it_go_on(streams, run):
    async def main():
        reader = reader_with(streams, eof=False, limit=1)
        transport = Transport()
        reader.set_transport(transport)
        reader.feed_data(b"123")
        task = asyncio.ensure_future(reader.readexactly(5))
        await asyncio.sleep(0)
        assert transport.calls == ["pause", "resume"]
        reader.feed_data(b"45")
        assert transport.calls == ["pause", "resume", "pause"]
        assert await task == b"12345"

    run(main())


def test_a_transport_that_cannot_pause_is_asked_once(streams, run):
    async def main():
        reader = reader_with(streams, eof=False, limit=1)
        reader.set_transport(asyncio.Transport())
        reader.feed_data(b"123")
        assert reader._transport is None
        reader.feed_data(b"456")

    run(main())


def test_the_limit_can_be_moved(streams, run):
    async def main():
        reader = reader_with(streams, b"x" * 70_000 + b"\n")
        reader._limit = 2**20
        assert "limit=1048576" in repr(reader)
        assert len(await reader.readline()) == 70_001

    run(main())


@pytest.mark.parametrize("limit", [0, -1])
def test_a_limit_is_positive(streams, run, limit):
    async def main():
        with pytest.raises(ValueError, match="^Limit cannot be <= 0$"):
            streams.StreamReader(limit=limit, loop=asyncio.get_running_loop())

    run(main())


def test_the_buffer_can_be_changed_by_hand(streams, run):
    async def main():
        reader = reader_with(streams, b"abc", b"def")
        assert isinstance(reader._buffer, bytearray)
        reader._buffer.extend(b"ghi")
        del reader._buffer[:1]
        assert await reader.readexactly(3) == b"bcd"
        reader._buffer = bytearray(b"other\nlines")
        assert await reader.readline() == b"other\n"
        assert reader._buffer == b"lines"
        assert await reader.read() == b"lines"

    run(main())


def test_a_waiter_put_there_by_hand_is_woken(streams, run):
    async def main():
        reader = reader_with(streams, eof=False)
        reader._waiter = future = asyncio.get_running_loop().create_future()
        with pytest.raises(RuntimeError, match="already waiting"):
            await reader.read(1)
        reader.feed_data(b"x")
        assert future.done()
        assert reader._waiter is None

    run(main())


def test_a_subclass_may_replace_what_reading_goes_through(streams, run):
    calls = []

    class Reader(streams.StreamReader):
        async def _wait_for_data(self, name):
            calls.append(name)
            await super()._wait_for_data(name)

        def _wakeup_waiter(self):
            calls.append("wake")
            super()._wakeup_waiter()

        async def readuntil(self, *arguments):
            calls.append("readuntil")
            return await super().readuntil(*arguments)

    async def main():
        reader = Reader(loop=asyncio.get_running_loop())
        asyncio.get_running_loop().call_soon(reader.feed_data, b"a line\n")
        assert await reader.readline() == b"a line\n"
        assert calls == ["readuntil", "readuntil", "wake"]

    run(main())


def test_a_method_replaced_on_the_instance_is_used(streams, run):
    async def main():
        reader = reader_with(streams, b"x\n")

        async def readuntil(separator):
            return b"instead"

        reader.readuntil = readuntil
        assert await reader.readline() == b"instead"

    run(main())


def test_reads_driven_by_hand(streams, run):
    async def main():
        reader = reader_with(streams, eof=False)
        with pytest.raises(StopIteration) as stop:
            reader.read(0).send(None)
        assert stop.value.value == b""
        waiting = reader.read(1)
        assert asyncio.isfuture(waiting.send(None))
        waiting.close()
        assert reader._waiter is None
        waiting = reader.read(1)
        waiting.send(None)
        with pytest.raises(KeyError):
            waiting.throw(KeyError())
        assert reader._waiter is None

    run(main())


def test_drain_waits_until_the_transport_has_room(streams, run):
    async def main():
        loop = asyncio.get_running_loop()
        reader = streams.StreamReader(loop=loop)
        protocol = streams.StreamReaderProtocol(reader, loop=loop)
        writer = streams.StreamWriter(Transport(), protocol, reader, loop)
        writer.write(b"data")
        writer.writelines([])
        assert await turns_of(writer.drain()) == (0, None)
        protocol.pause_writing()
        with pytest.raises(AssertionError):
            protocol.pause_writing()
        tasks = [asyncio.ensure_future(writer.drain()) for _ in range(3)]
        await asyncio.sleep(0)
        assert len(protocol._drain_waiters) == 3
        tasks[1].cancel()
        await asyncio.sleep(0)
        assert not tasks[0].done()
        protocol.resume_writing()
        await asyncio.sleep(0)
        assert [task.done() for task in tasks] == [True] * 3
        assert not protocol._drain_waiters
        writer.close()

    run(main())


@pytest.mark.parametrize("error", [None, ConnectionAbortedError("gone")])
def test_the_end_of_a_connection_reaches_those_who_drain(streams, run, error):
    async def main():
        loop = asyncio.get_running_loop()
        reader = streams.StreamReader(loop=loop)
        protocol = streams.StreamReaderProtocol(reader, loop=loop)
        transport = Transport()
        protocol.connection_made(transport)
        writer = streams.StreamWriter(transport, protocol, reader, loop)
        protocol.pause_writing()
        task = asyncio.ensure_future(writer.drain())
        closed = asyncio.ensure_future(writer.wait_closed())
        await asyncio.sleep(0)
        transport.closing = True
        protocol.connection_lost(error)
        outcomes = await asyncio.gather(task, closed, return_exceptions=True)
        assert outcomes == [error, error]
        assert reader.at_eof() == (error is None)
        with pytest.raises(ConnectionError):
            await writer.drain()

    run(main())


def test_draining_a_closing_transport_costs_one_turn(streams, run):
    async def main():
        loop = asyncio.get_running_loop()
        protocol = streams.StreamReaderProtocol(None, loop=loop)
        transport = Transport()
        writer = streams.StreamWriter(transport, protocol, None, loop)
        transport.closing = True
        assert await turns_of(writer.drain()) == (1, None)

    run(main())


def test_a_protocol_of_another_kind_can_be_drained(streams, run):
    class Protocol(streams.FlowControlMixin):
        drained = 0

        async def _drain_helper(self):
            await super()._drain_helper()
            self.drained += 1

    async def main():
        loop = asyncio.get_running_loop()
        protocol = Protocol(loop=loop)
        assert isinstance(protocol, asyncio.Protocol)
        writer = streams.StreamWriter(Transport(), protocol, None, loop)
        protocol.pause_writing()
        loop.call_soon(protocol.resume_writing)
        await writer.drain()
        assert protocol.drained == 1
        with pytest.raises(NotImplementedError):
            await writer.wait_closed()
        writer.close()

    run(main())


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
