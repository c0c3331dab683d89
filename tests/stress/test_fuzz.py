"""Garbage and evil objects for every class and function: nothing crashes, panics or hangs.

A seed is a world of random operations, see `fuzz_world`. Worlds run in child processes, many in
each: where one ends its process, the next goes on in another. `make fuzz` runs many more of them.
"""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

WORKER = Path(__file__).with_name("fuzz_worker.py")
SEEDS = int(os.environ.get("GREENLOOP_FUZZ_SEEDS", "2000"))
FIRST = int(os.environ.get("GREENLOOP_FUZZ_FIRST", "0"))
BATCH = 125
# Freed memory is overwritten, so that reading it fails, and strings hash alike in each process.
ENVIRONMENT = os.environ | {"PYTHONMALLOC": "debug", "PYTHONHASHSEED": "0", "RUST_BACKTRACE": "1"}


def run_worlds(first, count):
    """Run worlds in one process after the other; return how each one failed that did."""
    failures = []
    while count > 0:
        command = [sys.executable, "-X", "faulthandler", str(WORKER), str(first), str(count)]
        child = subprocess.run(
            command, capture_output=True, text=True, errors="replace", env=ENVIRONMENT
        )
        lines = child.stdout.splitlines()
        seeds = [int(line.split()[1]) for line in lines if line.startswith("seed ")]
        reached = seeds[-1] if seeds else first
        for place, line in enumerate(lines):
            if line.startswith("problem "):
                seed = next(int(one.split()[1]) for one in lines[place::-1] if one[:5] == "seed ")
                failures.append(
                    (seed, line.encode().decode("unicode_escape") + panics(child.stderr))
                )
        done = "done" in lines
        if child.returncode != 0 or not done:
            failures.append((reached, f"exit code {child.returncode}\n{child.stderr[-6000:]}"))
        elif "panicked at" in child.stderr and not failures:
            failures.append((reached, panics(child.stderr)))
        count -= reached + 1 - first
        first = reached + 1
    return failures


def panics(errors):
    """What a child wrote about its first panic."""
    place = errors.find("panicked at")
    return "" if place < 0 else errors[place : place + 6000]


def describe(failures):
    texts = []
    for seed, text in failures:
        replay = f"PYTHONMALLOC=debug PYTHONHASHSEED=0 {sys.executable} {WORKER} {seed} --trace"
        texts.append(f"seed {seed}: {text}\nTo replay it: {replay}\n")
    return "\n".join(texts)


@pytest.mark.slow
@pytest.mark.timeout(max(600, SEEDS // 5))
def test_no_world_crashes_panics_or_hangs():
    batches = range(FIRST, FIRST + SEEDS, BATCH)
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as threads:
        results = threads.map(
            lambda first: run_worlds(first, min(BATCH, FIRST + SEEDS - first)), batches
        )
        failures = [failure for result in results for failure in result]
    assert not failures, describe(failures)
