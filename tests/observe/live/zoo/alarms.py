"""Alarms while random programs run: deadlocks that are found in programs that finish."""

from __future__ import annotations

import asyncio
import random
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any
from unittest import mock

import finishing_programs

import greenloop
from greenloop.watching import deadlock_reports, tasks

PATIENCE = 20
"""Seconds after which a program does not finish."""

BETWEEN_LOOKS = 0.0005
"""Seconds between two searches of the thread that searches all the time."""


def alarms_of(
    seeds: Iterable[int], show: Callable[[str], None] = lambda _: None
) -> list[tuple[int, str]]:
    """Run the programs with these seeds, and return the alarms: for each the seed and the text."""
    alarms = []
    settings = {"LEAST_AGE": 0, "_RARELY": 0.0, "_SUSPICIOUS": 0.0}
    before = signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    try:
        with mock.patch.multiple(deadlock_reports, **settings), greenloop.watch(3600) as watch:
            for seed in seeds:
                for text in _run(seed, watch):
                    show(f"seed {seed}: {text}")
                    alarms.append((seed, text))
    finally:
        signal.signal(signal.SIGUSR1, before)
    return alarms


def _run(seed: int, watch: Any) -> list[str]:
    found: list[str] = []
    lock = threading.Lock()
    reports = deadlock_reports.DeadlockReports()
    told = watch._session.deadlocks.count()
    ends = threading.Event()

    def search() -> None:
        # Nobody waits: it is the loop's thread.
        if lock.acquire(blocking=False):
            try:
                found.extend(deadlock["text"] for deadlock, _ in reports.search())
                tasks.wake_loops()
            finally:
                lock.release()

    def search_all_the_time() -> None:
        while not ends.wait(BETWEEN_LOOKS):
            search()

    async def program() -> None:
        numbers = random.Random(seed)
        if numbers.random() < 0.2 and sys.version_info >= (3, 12):
            asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
        kit = numbers.choice([asyncio, greenloop, greenloop])
        program = asyncio.create_task(finishing_programs.Program(numbers, kit, search).run())
        done, _ = await asyncio.wait([program], timeout=PATIENCE)
        if not done:
            waits = [
                (task["name"], task["wait"] and task["wait"]["text"], task["place"])
                for task in watch.report()["tasks"]
            ]
            found.append(f"it did not finish: {waits}")
            return
        await program

    thread = threading.Thread(target=search_all_the_time)
    thread.start()
    try:
        greenloop.run(program())
    finally:
        ends.set()
        thread.join()
    if watch._session.deadlocks.count() != told:
        found.append("the watch itself has told of one")
    return found


def seconds_of(seeds: Iterable[int]) -> float:
    """How long the programs take."""
    began = time.monotonic()
    alarms_of(seeds)
    return time.monotonic() - began
