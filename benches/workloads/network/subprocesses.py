"""Subprocesses: spawned, fed, read and waited for."""

from __future__ import annotations

import asyncio
from asyncio.subprocess import PIPE

from ..definition import workload

GREETING = b"hello\n"


@workload(
    "subprocess-communicate",
    "subprocess spawn + communicate",
    operation="one `cat` spawned, its input written, its output read; the child's time is its own",
    operations=100,
    group="network",
)
async def spawn_and_communicate(operations: int) -> int:
    done = 0
    for _ in range(operations):
        process = await asyncio.create_subprocess_exec("/bin/cat", stdin=PIPE, stdout=PIPE)
        output, _ = await process.communicate(GREETING)
        done += output == GREETING and process.returncode == 0
    return done


WORKLOADS = [spawn_and_communicate]
