"""One hunt: this process looks for one bug of the zoo with one tester, and prints one JSON line.

    python -m benches.schedules.hunt TESTER NAME [--mended | --promise] [--runs N]

The name is one of a bug of the zoo, whose mended twin may be asked for, or one of a promise.
The seconds end with the run that failed, also if the tester goes on to shrink what it has found.
"""

from __future__ import annotations

import argparse
import importlib
import json
import logging
import sys
import time
import warnings
from collections.abc import Coroutine
from typing import Any

from .promises import PROMISES
from .testers import TESTERS, Main, Tester
from .zoo import ZOO

RUNS = 1000


class Stopwatch:
    """A program that notes when each of its runs begins."""

    def __init__(self, main: Main) -> None:
        self._main = main
        self._begun: list[tuple[float, float]] = []
        self._before = _now()

    def __call__(self) -> Coroutine[Any, Any, Any]:
        self._begun.append(_now())
        return self._main()

    def seconds(self, runs: int) -> tuple[float, float]:
        """Wall and CPU seconds of the first so many runs, from the start of the hunt."""
        end = self._begun[runs] if runs < len(self._begun) else _now()
        return end[0] - self._before[0], end[1] - self._before[1]


def _now() -> tuple[float, float]:
    # Not by attribute: testers may patch the clock while a run begins.
    return _perf_counter(), _process_time()


_perf_counter, _process_time = time.perf_counter, time.process_time


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benches.schedules.hunt")
    parser.add_argument("tester", choices=TESTERS)
    parser.add_argument("name")
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--mended", action="store_true")
    kind.add_argument("--promise", action="store_true")
    parser.add_argument("--runs", type=int, default=RUNS)
    options = parser.parse_args()
    # Failures leave tasks and futures behind, of which nobody wants to read here.
    logging.disable()
    warnings.simplefilter("ignore")
    tester = TESTERS[options.tester]
    tester.enter()
    if options.promise:
        program: Main = PROMISES[options.name]
    else:
        sys.path.insert(0, str(ZOO.parent))
        bug = importlib.import_module(f"{ZOO.name}.{options.name}")
        program = bug.mended if options.mended else bug.broken
    print(json.dumps(hunt(tester, program, options.runs)))
    return 0


def hunt(tester: Tester, program: Main, runs: int) -> dict[str, Any]:
    """What came of it, as `zoo` tells it."""
    watch = Stopwatch(program)
    verdict = tester.hunt(watch, runs)
    wall, cpu = watch.seconds(verdict.runs)
    error = verdict.error
    return {
        "found": error is not None and not tester.refuses(error),
        "refused": error is not None and tester.refuses(error),
        "runs": verdict.runs,
        "wall_s": wall,
        "cpu_s": cpu,
        "error": error and f"{type(error).__name__}: {error}".split("\n", 1)[0],
    }


if __name__ == "__main__":
    sys.exit(main())
