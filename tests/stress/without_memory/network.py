"""Operations on sockets, transports, streams and TLS for `failing_allocations`."""

import asyncio
import contextlib
import functools
import os
import socket
import tempfile

from without_memory.common import crashes_the_interpreter

from tls_contexts import CLIENT, SERVER


@contextlib.contextmanager
def _pair(loop):
    pair = socket.socketpair()
    for end in pair:
        end.setblocking(False)
    try:
        yield pair
    finally:
        # A transport of a closed socket would be in the way of the next one.
        for number in list(loop._transports):
            loop._transports[number].abort()
        loop.call_soon(loop.stop)
        loop.run_forever()
        for end in pair:
            end.close()


def readers_and_writers(loop):
    with _pair(loop) as (a, b):

        async def use():
            readable, writable = loop.create_future(), loop.create_future()
            loop.add_reader(a, readable.set_result, None)
            loop.add_writer(b, writable.set_result, None)
            await writable
            loop.remove_writer(b)
            b.send(b"x")
            await readable
            loop.remove_reader(a)

        yield use
        loop.remove_reader(a)
        loop.remove_writer(b)


def sockets(loop):
    with _pair(loop) as (a, b):

        async def use():
            receiving = loop.create_task(loop.sock_recv(a, 10))
            await asyncio.sleep(0)
            await loop.sock_sendall(b, b"hello")
            assert await receiving == b"hello"
            await loop.sock_sendall(b, b"hello")
            buffer = bytearray(10)
            assert await loop.sock_recv_into(a, buffer) == 5

        yield use


def sockets_of_datagrams(loop):
    first = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    second = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with first, second:
        for end in first, second:
            end.setblocking(False)
            end.bind(("127.0.0.1", 0))

        async def use():
            await loop.sock_sendto(first, b"hello", second.getsockname())
            data, _ = await loop.sock_recvfrom(second, 10)
            assert data == b"hello"
            await loop.sock_sendto(first, b"hello", second.getsockname())
            await loop.sock_recvfrom_into(second, bytearray(10))

        yield use


def socket_connections(loop):
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.socket() as client:
        listener.setblocking(False)
        client.setblocking(False)

        async def use():
            accepting = loop.create_task(loop.sock_accept(listener))
            await loop.sock_connect(client, listener.getsockname())
            accepted, _ = await accepting
            accepted.close()

        yield use


def socket_that_is_refused(loop):
    with socket.socket() as taken, socket.socket() as client:
        taken.bind(("127.0.0.1", 0))
        client.setblocking(False)

        async def use():
            with contextlib.suppress(ConnectionRefusedError):
                await loop.sock_connect(client, taken.getsockname())

        yield use


class _Echo(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.transport.write(data)


class _Client(asyncio.Protocol):
    def __init__(self, loop):
        self.received, self.lost = loop.create_future(), loop.create_future()

    def data_received(self, data):
        if not self.received.done():
            self.received.set_result(data)

    def connection_lost(self, exc):
        for future in self.received, self.lost:
            if not future.done():
                future.set_result(exc)


class _Buffered(_Client, asyncio.BufferedProtocol):
    def get_buffer(self, hint):
        self.buffer = bytearray(100)
        return self.buffer

    def buffer_updated(self, count):
        self.data_received(bytes(self.buffer[:count]))

    data_received = _Client.data_received


def transports(loop):
    make = functools.partial(_Client, loop)
    with _pair(loop) as (a, b):

        async def use():
            echo, _ = await loop.create_connection(_Echo, sock=a)
            transport, client = await loop.create_connection(make, sock=b)
            repr(transport)
            transport.get_extra_info("peername")
            transport.get_write_buffer_size()
            transport.set_write_buffer_limits(10)
            transport.write(b"hello")
            transport.writelines([b"a", b"b"])
            await client.received
            transport.pause_reading()
            transport.resume_reading()
            if transport.can_write_eof():
                transport.write_eof()
            transport.close()
            await client.lost
            echo.close()

        yield use


def transport_that_buffers(loop):
    make = functools.partial(_Client, loop)
    with _pair(loop) as (a, b):

        async def use():
            transport, _ = await loop.create_connection(make, sock=a)
            transport.write(b"x" * 1_000_000)
            transport.write(b"y" * 1_000)
            transport.get_write_buffer_size()
            b.recv(1_000_000)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            transport.abort()
            await transport.get_protocol().lost

        yield use


def buffered_protocol(loop):
    make = functools.partial(_Buffered, loop)
    with _pair(loop) as (a, b):

        async def use():
            transport, client = await loop.create_connection(make, sock=a)
            await loop.sock_sendall(b, b"hello")
            await client.received
            transport.close()
            await client.lost

        yield use


def server(loop):
    make = functools.partial(_Client, loop)

    async def use():
        server = await loop.create_server(_Echo, "127.0.0.1", 0)
        try:
            address = server.sockets[0].getsockname()
            transport, client = await loop.create_connection(make, *address)
            transport.write(b"hello")
            await client.received
            transport.close()
            await client.lost
        finally:
            server.close()

    yield use


def unix_server(loop):
    make = functools.partial(_Client, loop)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "socket")

        async def use():
            server = await loop.create_unix_server(_Echo, path)
            try:
                transport, client = await loop.create_unix_connection(make, path)
                transport.write(b"hello")
                await client.received
                transport.close()
                await client.lost
            finally:
                server.close()

        yield use


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, loop):
        self.received, self.lost = loop.create_future(), loop.create_future()

    def datagram_received(self, data, addr):
        if not self.received.done():
            self.received.set_result(data)

    def connection_lost(self, exc):
        for future in self.received, self.lost:
            if not future.done():
                future.set_result(exc)


def datagrams(loop):
    make = functools.partial(_Datagrams, loop)

    async def use():
        first, protocol = await loop.create_datagram_endpoint(make, ("127.0.0.1", 0))
        address = first.get_extra_info("sockname")
        second, other = await loop.create_datagram_endpoint(make, remote_addr=address)
        repr(first)
        second.sendto(b"hello")
        await protocol.received
        first.sendto(b"back", second.get_extra_info("sockname"))
        await other.received
        first.close()
        second.abort()
        await protocol.lost
        await other.lost

    yield use


@crashes_the_interpreter
def pipes(loop):
    make = functools.partial(_Client, loop)

    async def use():
        reading, writing = os.pipe()
        # A transport that is left behind would keep its number, which the next pipe gets.
        with contextlib.ExitStack() as stack:
            source = stack.enter_context(open(reading, "rb", 0))
            target = stack.enter_context(open(writing, "wb", 0))
            made, _ = await loop.connect_write_pipe(asyncio.BaseProtocol, target)
            stack.callback(made.close)
            transport, client = await loop.connect_read_pipe(make, source)
            stack.callback(transport.close)
            made.write(b"hello")
            await client.received
            made.close()
            await client.lost

    yield use


# Streams.


def stream_reader(loop):
    async def use():
        reader = asyncio.StreamReader(loop=loop)
        reader.feed_data(b"line\n" * 4 + b"0123456789")
        repr(reader)
        assert await reader.readline() == b"line\n"
        assert await reader.readuntil(b"\n") == b"line\n"
        assert await reader.readexactly(2) == b"li"
        assert await reader.read(3) == b"ne\n"
        async for _ in reader:
            break
        reader.feed_eof()
        with contextlib.suppress(asyncio.IncompleteReadError):
            await reader.readexactly(50)
        await reader.read()
        reader.set_exception(ValueError())
        repr(reader)

    yield use


def stream_reader_that_waits(loop):
    async def use():
        reader = asyncio.StreamReader(limit=8, loop=loop)
        reading = loop.create_task(reader.readline())
        await asyncio.sleep(0)
        repr(reader)
        with contextlib.suppress(RuntimeError):
            await reader.readline()
        reader.feed_data(b"0123456789" * 3)
        with contextlib.suppress(ValueError, asyncio.LimitOverrunError):
            await reading

    yield use


def streams(loop):
    with _pair(loop) as (a, b):

        async def use():
            reader, writer = await asyncio.open_connection(sock=a)
            others, other = await asyncio.open_connection(sock=b)
            repr(writer)
            writer.write(b"line\n")
            writer.writelines([b"a", b"b\n"])
            await writer.drain()
            assert await others.readline() == b"line\n"
            assert await others.readexactly(3) == b"ab\n"
            other.write_eof()
            assert await reader.read() == b""
            writer.get_extra_info("socket")
            writer.close()
            writer.is_closing()
            await writer.wait_closed()
            other.close()

        yield use


def stream_server(loop):
    async def serve(reader, writer):
        writer.write(await reader.readline())
        writer.close()

    async def use():
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        try:
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            writer.write(b"line\n")
            await reader.readline()
            writer.close()
        finally:
            server.close()

    yield use


# TLS.


@crashes_the_interpreter
def tls(loop):
    make = functools.partial(_Client, loop)

    async def use():
        server = await loop.create_server(_Echo, "127.0.0.1", 0, ssl=SERVER)
        try:
            transport, client = await loop.create_connection(
                make,
                *server.sockets[0].getsockname(),
                ssl=CLIENT,
                server_hostname="localhost",
            )
            repr(transport)
            transport.get_extra_info("cipher")
            transport.write(b"hello")
            transport.writelines([b"a", b"b"])
            await client.received
            transport.pause_reading()
            transport.resume_reading()
            transport.close()
            await client.lost
        finally:
            server.close()

    yield use


@crashes_the_interpreter
def tls_refused(loop):
    make = functools.partial(_Client, loop)
    with _pair(loop) as (a, b):

        async def use():
            transport, _ = await loop.create_connection(make, sock=a)
            transport.write(b"no TLS at all, as far as anybody can tell")
            with contextlib.suppress(OSError):
                await loop.create_connection(make, sock=b, ssl=CLIENT, server_hostname="localhost")
            transport.abort()

        yield use


@crashes_the_interpreter
def tls_begun_later(loop):
    async def serve(reader, writer):
        await reader.readline()
        writer.write(b"go\n")
        await writer.start_tls(SERVER)
        writer.write(await reader.readline())
        writer.close()

    async def use():
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        try:
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            writer.write(b"TLS\n")
            await reader.readline()
            await writer.start_tls(CLIENT, server_hostname="localhost")
            writer.write(b"line\n")
            await reader.readline()
            writer.close()
        finally:
            server.close()

    yield use
