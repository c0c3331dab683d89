"""Makes a workload of a server, a load for it, and the limit that both could have."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

from ..definition import Run, Workload
from .load_process import LoadProcess, obstacle
from .servers import HOST, Server


def served(
    name: str,
    title: str,
    *,
    operations: int,
    server: Server,
    command: str,
    limit: str | None = None,
    family: str = "tcp",
    operation: str = "one request received and answered",
    needs: Callable[[], str | None] = lambda: None,
    **load: object,
) -> Workload:
    """A workload in which the contestant serves what `greenloop-load COMMAND` asks of it.

    `limit` is the mode in which `greenloop-load serve` does the same; without it there is no limit.
    """

    @contextlib.asynccontextmanager
    async def open_server() -> AsyncIterator[Run]:
        async with server() as address:
            with LoadProcess(command, connect=address, **load) as client:
                await client.ready()

                async def run(requests: int) -> int:
                    # It fails unless it got an answer to each, and the right one.
                    await client.perform(requests)
                    return requests

                yield run

    @contextlib.contextmanager
    def open_limit() -> Iterator[Callable[[int], int]]:
        with _listening(family, limit) as (address, rust_server):
            with LoadProcess(command, connect=address, **load) as client:
                client.ready_blocking()
                rust_server.perform_blocking(0)

                def spend(requests: int) -> int:
                    client.perform_blocking(requests)
                    return rust_server.perform_blocking(0)

                yield spend

    return Workload(
        name,
        title,
        operation,
        operations,
        open_server,
        group="network",
        limit=open_limit if limit else None,
        obstacle=lambda: obstacle() or needs(),
    )


@contextlib.contextmanager
def _listening(family: str, mode: str | None) -> Iterator[tuple[str, LoadProcess]]:
    """The Rust server; asked for no operations, it says what it cost since it was last asked."""
    with tempfile.TemporaryDirectory() as folder:
        listen = f"unix:{Path(folder) / 'echo'}" if family == "unix" else f"{family}:{HOST}:0"
        with LoadProcess("serve", listen=listen, mode=mode) as server:
            yield server.ready_blocking(), server
