"""Readiness and threads: descriptors that become readable, and round trips to the executor."""

from __future__ import annotations

import asyncio
import socket

from .definition import workload


@workload(
    "reader-ping-pong",
    "add_reader ping-pong",
    operation="one byte sent, waited for and received; both ends on the loop",
    operations=10_000,
)
async def reader_ping_pong(operations: int) -> int:
    loop = asyncio.get_running_loop()
    end = loop.create_future()
    received = 0

    def bounce(own: socket.socket) -> None:
        nonlocal received
        received += len(own.recv(1))
        if received == operations:
            end.set_result(None)
        else:
            own.send(b"x")

    left, right = socket.socketpair()
    with left, right:
        for own in (left, right):
            own.setblocking(False)
            loop.add_reader(own.fileno(), bounce, own)
        try:
            left.send(b"x")
            await end
        finally:
            loop.remove_reader(left.fileno())
            loop.remove_reader(right.fileno())
    return received


def _answer() -> int:
    return 1


@workload(
    "executor",
    "run_in_executor round trip",
    operation="one call, the executor thread's share included",
    operations=3_000,
)
async def executor_round_trip(operations: int) -> int:
    loop = asyncio.get_running_loop()
    done = 0
    for _ in range(operations):
        done += await loop.run_in_executor(None, _answer)
    return done
