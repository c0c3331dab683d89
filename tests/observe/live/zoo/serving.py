"""A server that goes on listening, used by a client, beside a program that hangs."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine
from typing import Any

import greenloop

BETWEEN_REQUESTS = 0.05
"""Seconds."""


async def answer(reader: Any, writer: Any) -> None:
    """Send back what comes."""
    with contextlib.suppress(ConnectionError):
        while line := await reader.readline():
            writer.write(line)
            await writer.drain()
    writer.close()


async def use(port: int) -> None:
    """Ask the server for ever."""
    reader, writer = await greenloop.open_connection("127.0.0.1", port)
    try:
        while True:
            writer.write(b"hello\n")
            assert await reader.readline() == b"hello\n"
            await asyncio.sleep(BETWEEN_REQUESTS)
    finally:
        writer.close()


async def under_a_server(program: Coroutine[Any, Any, None]) -> None:
    """Run a program while a server serves."""
    server = await greenloop.start_server(answer, "127.0.0.1", 0)
    client = asyncio.create_task(use(server.sockets[0].getsockname()[1]), name="client")
    try:
        await program
    finally:
        client.cancel()
        server.close()
