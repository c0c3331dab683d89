"""One connection and a gibibyte: a server that receives it, and one that sends it.

A transfer opens with its length, eight bytes; a server that receives confirms it by a byte.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from .rows import served
from .servers import HOST, Server, address_of, by_protocol, closing

BLOCK = 64 * 1024
BLOCKS = 16 * 1024
PATTERN = bytes(BLOCK)


class Sink(asyncio.Protocol):
    missing = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        received = len(data)
        if not self.missing:
            self.missing = int.from_bytes(data[:8])
            received -= 8
        self.missing -= received
        if not self.missing:
            self.transport.write(b".")


class Source(asyncio.Protocol):
    missing = 0
    is_paused = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.missing = int.from_bytes(data)
        self.send()

    def pause_writing(self) -> None:
        self.is_paused = True

    def resume_writing(self) -> None:
        self.is_paused = False
        self.send()

    def send(self) -> None:
        while self.missing and not self.is_paused:
            self.missing -= BLOCK
            self.transport.write(PATTERN)


async def sink(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.closing(writer), contextlib.suppress(asyncio.IncompleteReadError):
        while True:
            missing = int.from_bytes(await reader.readexactly(8))
            while missing:
                missing -= len(await reader.read(min(missing, BLOCK)))
            writer.write(b".")


async def source(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.closing(writer), contextlib.suppress(asyncio.IncompleteReadError):
        while True:
            for _ in range(int.from_bytes(await reader.readexactly(8)) // BLOCK):
                writer.write(PATTERN)
                await writer.drain()


def by_streams(handler) -> Server:
    @contextlib.asynccontextmanager
    async def serve() -> AsyncIterator[str]:
        server = await asyncio.start_server(handler, HOST, 0)
        async with closing(server):
            yield address_of(server.sockets[0])

    return serve


WORKLOADS = [
    served(
        f"bulk-{direction}-{interface}",
        f"bulk 1 GiB {described}, {interface}",
        operations=BLOCKS,
        server=server,
        # The other end does the opposite of what the server does.
        command="send" if direction == "receive" else "receive",
        limit=direction,
        operation="a block of 64 KiB",
        size=BLOCK,
    )
    for direction, described, interface, server in (
        ("receive", "received", "protocol", by_protocol(Sink)),
        ("send", "sent", "protocol", by_protocol(Source)),
        ("receive", "received", "streams", by_streams(sink)),
        ("send", "sent", "streams", by_streams(source)),
    )
]
