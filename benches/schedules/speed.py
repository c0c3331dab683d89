"""One measurement: this process runs one program under one tester, and prints one JSON line.

    python -m benches.schedules.speed TESTER PROGRAM [--repeats N]

CPU time is taken inside of the program, so that what counts is its steps; the program that does
nothing is measured from outside, and shows the rest. The first run warms up.
"""

from __future__ import annotations

import argparse
import gc
import json
import statistics
import sys
import time
from collections.abc import Callable

from .programs import PROGRAMS, WHOLE_RUN, Program
from .testers import TESTERS, Main

REPEATS = 3

RUNS_OF_NOTHING = 50
"""How many runs that do nothing are measured together."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benches.schedules.speed")
    parser.add_argument("tester", choices=TESTERS)
    parser.add_argument("program", choices=PROGRAMS)
    parser.add_argument("--repeats", type=int, default=REPEATS)
    options = parser.parse_args()
    tester, program = TESTERS[options.tester], PROGRAMS[options.program]
    tester.enter()
    measure = _time_runs if program.operation == WHOLE_RUN else _time_steps
    samples = [measure(tester.run, program) for _ in range(options.repeats + 1)]
    print(json.dumps({"cpu_ns": statistics.median(samples[1:])}))
    return 0


def _time_steps(run: Callable[[Main], object], program: Program) -> float:
    """The CPU nanoseconds of one operation inside of a run."""
    spent: list[float] = []

    async def timed() -> None:
        start = time.process_time_ns()
        done = await program.main(program.operations)
        spent.append((time.process_time_ns() - start) / program.operations)
        if done != program.operations:
            raise ValueError(f"{program.name}: {done} of {program.operations} operations were done")

    gc.collect()
    run(timed)
    return spent[0]


def _time_runs(run: Callable[[Main], object], program: Program) -> float:
    """The CPU nanoseconds of one whole run."""

    async def whole() -> None:
        await program.main(program.operations)

    gc.collect()
    start = time.process_time_ns()
    for _ in range(RUNS_OF_NOTHING):
        run(whole)
    return (time.process_time_ns() - start) / RUNS_OF_NOTHING


if __name__ == "__main__":
    sys.exit(main())
