"""Rust futures of extensions, ready or woken, beside futures of the loop's.

Two extensions offer the same: that of `examples/bridge`, whose futures the loop polls itself, and
that of `benches/tokio_bridge`, which gives them to tokio by pyo3-async-runtimes. Both work on any
loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import importlib.util
from collections.abc import Awaitable, Callable
from typing import Any

from .definition import Workload, workload

RUST = "greenloop_bridge_example"
TOKIO = "greenloop_tokio_bridge"

_TARGETS = {RUST: "example", TOKIO: "tokio-bridge"}
"""The commands of the Makefile that build and install them."""


def _built(module: str) -> str | None:
    if importlib.util.find_spec(module) is None:
        return f"the extension {module} is not built: `make {_TARGETS[module]}` builds it"
    return None


def _with_extension(
    name: str,
    title: str,
    run: Callable[[Any, int], Awaitable[int]],
    *,
    module: str = RUST,
    operation: str,
    operations: int,
) -> Workload:
    """Gives the function the extension, which is imported in the measuring process only."""

    def open_extension() -> contextlib.nullcontext[Callable[[int], Awaitable[int]]]:
        extension = importlib.import_module(module)
        return contextlib.nullcontext(lambda count: run(extension, count))

    return Workload(
        name, title, operation, operations, open_extension, obstacle=lambda: _built(module)
    )


async def _await_ready(extension: Any, operations: int) -> int:
    done = 0
    for _ in range(operations):
        done += await extension.ready(1)
    return done


async def _wait_for_flag(extension: Any, operations: int) -> int:
    loop = asyncio.get_running_loop()
    flag = extension.Flag()
    done = 0
    for _ in range(operations):
        loop.call_soon(flag.set)
        await flag.wait()
        done += 1
    return done


async def _wake_again(extension: Any, operations: int) -> int:
    loop = asyncio.get_running_loop()
    flag = extension.Flag()
    woken = 0

    def wake() -> None:
        nonlocal woken
        woken += 1
        flag.set()
        if woken < operations:
            loop.call_soon(wake)

    loop.call_soon(wake)
    await flag.wait(operations)
    return woken


@workload(
    "finished-future",
    "make a Future, finish it, await it",
    operation="one future",
    operations=200_000,
)
async def await_finished_future(operations: int) -> int:
    loop = asyncio.get_running_loop()
    done = 0
    for _ in range(operations):
        future = loop.create_future()
        future.set_result(1)
        done += await future
    return done


@workload(
    "future-woken",
    "await a Future that a callback finishes",
    operation="one future created, finished by a callback and awaited",
    operations=50_000,
)
async def wait_for_future(operations: int) -> int:
    loop = asyncio.get_running_loop()
    done = 0
    for _ in range(operations):
        future = loop.create_future()
        loop.call_soon(future.set_result, 1)
        done += await future
    return done


rust_ready = _with_extension(
    "rust-ready",
    "await a ready Rust future",
    _await_ready,
    operation="one future made and awaited",
    operations=200_000,
)

rust_woken = _with_extension(
    "rust-woken",
    "await a Rust future that a callback wakes",
    _wait_for_flag,
    operation="one future made, woken by a callback and awaited",
    operations=50_000,
)

rust_woken_again = _with_extension(
    "rust-woken-again",
    "one Rust future woken by callbacks",
    _wake_again,
    operation="one wake-up",
    operations=50_000,
)

tokio_ready = _with_extension(
    "tokio-ready",
    "await a ready future of tokio's",
    _await_ready,
    module=TOKIO,
    operation="one future made and awaited",
    operations=5_000,
)

tokio_woken = _with_extension(
    "tokio-woken",
    "await a future of tokio's that a callback wakes",
    _wait_for_flag,
    module=TOKIO,
    operation="one future made, woken by a callback and awaited",
    operations=5_000,
)
