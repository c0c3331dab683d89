"""Echo over UDP."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from .rows import served
from .servers import HOST


class EchoDatagramProtocol(asyncio.DatagramProtocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: tuple) -> None:
        self.transport.sendto(data, addr)


@contextlib.asynccontextmanager
async def serve() -> AsyncIterator[str]:
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(EchoDatagramProtocol, (HOST, 0))
    try:
        _, port = transport.get_extra_info("sockname")
        yield f"udp:{HOST}:{port}"
    finally:
        transport.close()


WORKLOADS = [
    served(
        "udp-1k-10",
        "UDP, 1 KiB, 10 sockets",
        operations=10_000,
        server=serve,
        command="datagrams",
        limit="echo",
        family="udp",
        operation="one datagram received and sent back",
        connections=10,
        size=1024,
    )
]
