"""Echo servers, one for each way in which asyncio lets a program write one.

A server is an asynchronous context manager that yields its address as the load generator spells it.
They all are what a tutorial shows, without tricks: what is measured is the loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from .load_process import write_certificate

Server = Callable[[], AbstractAsyncContextManager[str]]

HOST = "127.0.0.1"
LARGEST_REQUEST = 64 * 1024


class EchoProtocol(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.transport.write(data)


class BufferedEchoProtocol(asyncio.BufferedProtocol):
    def __init__(self) -> None:
        self.buffer = bytearray(LARGEST_REQUEST)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def get_buffer(self, sizehint: int) -> bytearray:
        return self.buffer

    def buffer_updated(self, nbytes: int) -> None:
        # A copy, since the transport may keep what it cannot send while the buffer is refilled.
        self.transport.write(self.buffer[:nbytes])


def stream_handler(size: int | None) -> Callable:
    """A handler that answers requests of `size` bytes, or lines without it."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await (reader.readexactly(size) if size else reader.readline()):
                writer.write(data)
                await writer.drain()
        except asyncio.IncompleteReadError:
            pass
        finally:
            writer.close()

    return serve


def by_protocol(factory: type[asyncio.BaseProtocol]) -> Server:
    """A TCP server whose connections have such a protocol."""

    @contextlib.asynccontextmanager
    async def serve() -> AsyncIterator[str]:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(factory, HOST, 0, backlog=1000)
        async with closing(server):
            yield address_of(server.sockets[0])

    return serve


def by_streams(size: int | None) -> Server:
    """A TCP server by `start_server`."""

    @contextlib.asynccontextmanager
    async def serve() -> AsyncIterator[str]:
        server = await asyncio.start_server(
            stream_handler(size), HOST, 0, limit=4 * LARGEST_REQUEST, backlog=1000
        )
        async with closing(server):
            yield address_of(server.sockets[0])

    return serve


@contextlib.asynccontextmanager
async def by_sockets() -> AsyncIterator[str]:
    """A TCP server by `sock_accept`, `sock_recv` and `sock_sendall`, a task for each connection."""
    loop = asyncio.get_running_loop()
    tasks = set()

    async def echo(connection: socket.socket) -> None:
        with connection:
            while data := await loop.sock_recv(connection, LARGEST_REQUEST):
                await loop.sock_sendall(connection, data)

    async def accept(listener: socket.socket) -> None:
        while True:
            connection, _ = await loop.sock_accept(listener)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            tasks.add(asyncio.create_task(echo(connection)))

    with listening() as listener:
        acceptor = asyncio.create_task(accept(listener))
        tasks.add(acceptor)
        try:
            yield address_of(listener)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


def over_unix(*, streams: bool, size: int) -> Server:
    """A server at a Unix socket, by Protocol or by streams."""

    @contextlib.asynccontextmanager
    async def serve() -> AsyncIterator[str]:
        with tempfile.TemporaryDirectory() as folder:
            path = str(Path(folder) / "echo")
            if streams:
                server = await asyncio.start_unix_server(stream_handler(size), path)
            else:
                loop = asyncio.get_running_loop()
                server = await loop.create_unix_server(EchoProtocol, path)
            async with closing(server):
                yield f"unix:{path}"

    return serve


def over_tls(*, streams: bool, size: int) -> Server:
    """A TLS server with the settings that `ssl` makes by default."""

    @contextlib.asynccontextmanager
    async def serve() -> AsyncIterator[str]:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        with tempfile.TemporaryDirectory() as folder:
            context.load_cert_chain(*write_certificate(folder))
        if streams:
            server = await asyncio.start_server(stream_handler(size), HOST, 0, ssl=context)
        else:
            loop = asyncio.get_running_loop()
            server = await loop.create_server(EchoProtocol, HOST, 0, ssl=context)
        async with closing(server):
            yield address_of(server.sockets[0])

    return serve


@contextlib.asynccontextmanager
async def closing(server: asyncio.AbstractServer) -> AsyncIterator[None]:
    """Close the server at the end, without waiting for its connections.

    From 3.12 on `async with server` waits for them, and they end when the load generator does.
    """
    try:
        yield
    finally:
        server.close()


def listening() -> socket.socket:
    """A socket that listens at a free port."""
    listener = socket.create_server((HOST, 0), backlog=1000)
    listener.setblocking(False)
    return listener


def address_of(listener: socket.socket) -> str:
    """The address of a TCP socket as the load generator spells it."""
    host, port = listener.getsockname()
    return f"tcp:{host}:{port}"
