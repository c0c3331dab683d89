"""One measurement: this process becomes one contestant, runs one workload, prints one JSON line.

    python -m benches.measurement CONTESTANT WORKLOAD [--repeats N] [--operations N]

CPU is the process's (`time.process_time_ns`: all threads, user and system), because wall time on a
shared machine measures the neighbours. A warm-up repeat comes first, so that imports, specialising
bytecode, free lists and the executor's threads are paid for; the median of the timed repeats is
reported. Collection of cycles stays on, as it is in the programs this stands for.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import statistics
import sys
import time
import traceback
from pathlib import Path
from typing import Any

from .contestants import CONTESTANTS, LIMIT
from .workloads.definition import Workload


class MiscountError(Exception):
    """A workload saw another number of operations complete than was asked for."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benches.measurement")
    parser.add_argument("contestant", choices=CONTESTANTS)
    parser.add_argument("workload")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--operations", type=int, help="default: the workload's own number")
    options = parser.parse_args()

    result: dict[str, Any]
    try:
        result = _measure(options.contestant, options.workload, options.operations, options.repeats)
    except Exception as error:
        # Named in the result: the error output may end in warnings of the dying interpreter.
        traceback.print_exc()
        result = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(result))
    return 1 if "error" in result else 0


def _measure(
    contestant: str, workload_name: str, operations: int | None, repeats: int
) -> dict[str, Any]:
    loop_factory = CONTESTANTS[contestant].enter()
    # Imported only now: a contestant may replace names of asyncio when it enters.
    from .workloads.catalogue import WORKLOADS

    workload = WORKLOADS[workload_name]
    count = operations or workload.operations
    if contestant == LIMIT:
        return _time_limit(workload, count, repeats)
    with asyncio.Runner(loop_factory=loop_factory, debug=False) as runner:
        if workload.measure == "memory":
            return runner.run(_weigh(workload, count))
        return runner.run(_time(workload, count, repeats))


async def _time(workload: Workload, operations: int, repeats: int) -> dict[str, float]:
    """CPU and wall nanoseconds per operation, each the median of the repeats."""
    cpu: list[float] = []
    wall: list[float] = []
    async with workload.open() as run:
        for repeat in range(repeats + 1):
            gc.collect()
            wall_start = time.perf_counter_ns()
            cpu_start = time.process_time_ns()
            done = await run(operations)
            cpu_spent = time.process_time_ns() - cpu_start
            wall_spent = time.perf_counter_ns() - wall_start
            _check_count(workload, operations, done)
            if repeat > 0:  # The first one warms up.
                cpu.append(cpu_spent / operations)
                wall.append(wall_spent / operations)
    return {"cpu_ns": statistics.median(cpu), "wall_ns": statistics.median(wall)}


def _time_limit(workload: Workload, operations: int, repeats: int) -> dict[str, float]:
    """The same for the work in Rust, which says itself what CPU time it took."""
    if workload.limit is None:
        raise LookupError(f"{workload.name} has no limit")
    cpu: list[float] = []
    wall: list[float] = []
    with workload.limit() as spend:
        for repeat in range(repeats + 1):
            wall_start = time.perf_counter_ns()
            cpu_spent = spend(operations)
            wall_spent = time.perf_counter_ns() - wall_start
            if repeat > 0:
                cpu.append(cpu_spent / operations)
                wall.append(wall_spent / operations)
    return {"cpu_ns": statistics.median(cpu), "wall_ns": statistics.median(wall)}


async def _weigh(workload: Workload, operations: int) -> dict[str, float]:
    """Resident bytes per operation. Once and without a warm-up, which would leave behind free
    memory for the objects to be weighed."""
    async with workload.open() as run:
        gc.collect()
        before = _resident_bytes()
        kept = await run(operations)
        grown = _resident_bytes() - before
        _check_count(workload, operations, len(kept))
    return {"resident_bytes": grown / operations}


def _resident_bytes() -> int:
    # Linux only: elsewhere the standard library knows the peak alone, and the row fails by name.
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def _check_count(workload: Workload, asked: int, done: int) -> None:
    if done != asked:
        raise MiscountError(f"{workload.name}: asked for {asked} operations, {done} completed")


if __name__ == "__main__":
    sys.exit(main())
