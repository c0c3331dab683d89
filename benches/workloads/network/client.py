"""The contestant is the client, and the Rust program echoes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator

from ..definition import Run, Workload
from .load_process import LoadProcess, obstacle
from .servers import HOST

SIZE = 1024
CONNECTIONS = 10
OPERATIONS = 10_000
REQUEST = bytes(SIZE)


class Asker(asyncio.Protocol):
    """Asks `left` times, the next time when the answer is whole."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def start(self, requests: int) -> asyncio.Future:
        self.end = asyncio.get_running_loop().create_future()
        self.left, self.answered, self.missing = requests, 0, SIZE
        self.transport.write(REQUEST)
        return self.end

    def data_received(self, data: bytes) -> None:
        self.missing -= len(data)
        if self.missing:
            return
        self.answered += 1
        if self.answered == self.left:
            self.end.set_result(self.answered)
        else:
            self.missing = SIZE
            self.transport.write(REQUEST)


@contextlib.asynccontextmanager
async def by_protocol() -> AsyncIterator[Run]:
    loop = asyncio.get_running_loop()
    with LoadProcess("serve", listen=f"tcp:{HOST}:0", mode="echo") as server:
        host, port = _parts(await server.ready())
        pairs = [await loop.create_connection(Asker, host, port) for _ in range(CONNECTIONS)]

        async def run(operations: int) -> int:
            share = operations // CONNECTIONS
            return sum(await asyncio.gather(*(asker.start(share) for _, asker in pairs)))

        yield run
        for transport, _ in pairs:
            transport.close()


@contextlib.asynccontextmanager
async def by_streams() -> AsyncIterator[Run]:
    with LoadProcess("serve", listen=f"tcp:{HOST}:0", mode="echo") as server:
        host, port = _parts(await server.ready())
        pairs = [await asyncio.open_connection(host, port) for _ in range(CONNECTIONS)]

        async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, n: int) -> int:
            answered = 0
            for _ in range(n):
                writer.write(REQUEST)
                await writer.drain()
                answered += len(await reader.readexactly(SIZE)) == SIZE
            return answered

        async def run(operations: int) -> int:
            share = operations // CONNECTIONS
            return sum(await asyncio.gather(*(ask(*pair, share) for pair in pairs)))

        yield run
        for _, writer in pairs:
            writer.close()


@contextlib.contextmanager
def by_rust() -> Iterator[Callable[[int], int]]:
    with LoadProcess("serve", listen=f"tcp:{HOST}:0", mode="echo") as server:
        address = server.ready_blocking()
        with LoadProcess("echo", connect=address, connections=CONNECTIONS, size=SIZE) as client:
            client.ready_blocking()
            yield client.perform_blocking


def _parts(address: str) -> tuple[str, int]:
    _, host, port = address.split(":")
    return host, int(port)


WORKLOADS = [
    Workload(
        f"client-{interface}-1k-10",
        f"as client, {described}, 1 KiB, 10 connections",
        "one request sent and its answer received",
        OPERATIONS,
        opening,
        group="network",
        limit=by_rust,
        obstacle=obstacle,
    )
    for interface, described, opening in (
        ("protocol", "Protocol", by_protocol),
        ("readexactly", "streams readexactly", by_streams),
    )
]
