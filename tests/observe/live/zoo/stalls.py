"""Ten ways to hold a loop up, two of each kind.

Each is a function that is called in the step of a task and returns after about `seconds`, or a
little later. The line with `# stalls` is where it holds the loop up.
"""

from __future__ import annotations

import contextlib
import fcntl
import inspect
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Stall:
    """A way to hold a loop up."""

    function: Callable[[float], None]
    kind: str
    text: str

    @property
    def name(self) -> str:
        return self.function.__name__

    def lines(self) -> set[int]:
        """The lines where it is."""
        lines, first = inspect.getsourcelines(self.function)
        return {at for at, line in enumerate(lines, first) if line.rstrip().endswith("# stalls")}


STALLS: dict[str, Stall] = {}


def stall(kind: str, text: str = "") -> Callable[..., Callable[[float], None]]:
    """Put a function into the table."""

    def put(function: Callable[[float], None]) -> Callable[[float], None]:
        STALLS[function.__name__] = Stall(function, kind, text)
        return function

    return put


@stall("python")
def loop_of_python(seconds):
    end = time.thread_time() + seconds
    count = 0
    while time.thread_time() < end:  # stalls
        for _ in range(10_000):  # stalls
            count += 1  # stalls


@stall("python")
def comprehensions_of_python(seconds):
    end = time.thread_time() + seconds
    while time.thread_time() < end:  # stalls
        sorted([number % 7 for number in range(1_000)])  # stalls


def measured(function, seconds):
    """How much of something takes that long, on this machine now."""
    amount = 1
    while True:
        began = time.thread_time()
        function(amount)
        took = time.thread_time() - began
        if took > 0.02:
            return max(1, round(amount * seconds / took))
        amount *= 2


AMOUNTS: dict[str, int] = {}
"""What `prepare` has found."""


def prepare(seconds):
    """Find out how much native code takes that long. It is not to be done in a step."""
    AMOUNTS["sum"] = measured(lambda amount: sum(range(amount * 1000)), seconds)
    AMOUNTS["match"] = 1
    while True:
        began = time.thread_time()
        re.match("(a*)*b", "a" * AMOUNTS["match"])
        if time.thread_time() - began > seconds / 3:
            return
        AMOUNTS["match"] += 1


@stall("native")
def sum_of_many(_):
    sum(range(AMOUNTS["sum"] * 1000))  # stalls


@stall("native")
def pattern_that_backtracks(_):
    re.match("(a*)*b", "a" * (AMOUNTS["match"] + 1))  # stalls


@stall("system-call", "nanosleep")
def sleep_of_the_thread(seconds):
    time.sleep(seconds)  # stalls


@stall("system-call", "pipe")
def read_of_an_empty_pipe(seconds):
    reader, writer = os.pipe()
    threading.Timer(seconds, os.close, [writer]).start()
    os.read(reader, 1)  # stalls
    os.close(reader)


@stall("system-call", "flock")
def lock_of_a_file(seconds):
    with tempfile.NamedTemporaryFile() as first, open(first.name) as second:
        fcntl.flock(first, fcntl.LOCK_EX)
        threading.Timer(seconds, fcntl.flock, [first, fcntl.LOCK_UN]).start()
        fcntl.flock(second, fcntl.LOCK_EX)  # stalls


class Keeper:
    """A thread that keeps the GIL for a while when it is told to."""

    def __init__(self, keep):
        self._begin = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(keep,), name="keeper")
        self._thread.start()

    def _run(self, keep):
        self._begin.wait()
        keep()

    def begin(self):
        self._begin.set()

    def end(self):
        self._begin.set()
        self._thread.join()


KEEPERS: dict[str, Keeper] = {}


@stall("gil", "keeper")
def interpreters_lock_of_a_thread_that_sums(_):
    KEEPERS["sum"].begin()
    time.sleep(0.001)  # stalls


@stall("gil", "keeper")
def interpreters_lock_of_a_thread_that_matches(_):
    KEEPERS["match"].begin()
    time.sleep(0.001)  # stalls


@contextlib.contextmanager
def keepers():
    """Threads that were there before the step."""
    KEEPERS["sum"] = Keeper(lambda: sum_of_many(0))
    KEEPERS["match"] = Keeper(lambda: pattern_that_backtracks(0))
    try:
        yield
    finally:
        for keeper in KEEPERS.values():
            keeper.end()


class Rivals:
    """Processes that want the processor of this thread for a while when they are told to.

    This thread gets it only if nobody else wants it. It is one that ends soon: the system may not
    let it become important again.
    """

    def __init__(self, seconds, count=3):
        processor = min(os.sched_getaffinity(0))
        code = (
            f"import os, sys, time; os.sched_setaffinity(0, [{processor}]); print(1, flush=True)\n"
            f"sys.stdin.read(1); end = time.monotonic() + {seconds}\n"
            "while time.monotonic() < end: pass"
        )
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self._all = [subprocess.Popen([sys.executable, "-c", code], **pipes) for _ in range(count)]
        for each in self._all:
            each.stdout.read(2)
        os.sched_setaffinity(0, [processor])
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))

    def begin(self):
        for each in self._all:
            with contextlib.suppress(BrokenPipeError):
                each.stdin.write(b"1")
                each.stdin.flush()

    def end(self):
        for each in self._all:
            each.kill()
            each.wait()
            each.stdin.close()
            each.stdout.close()


RIVALS: list[Rivals] = []


@contextlib.contextmanager
def rivals(seconds):
    """Others who want the processor of this thread."""
    RIVALS.append(Rivals(seconds))
    try:
        yield
    finally:
        RIVALS.pop().end()


@stall("starved")
def python_on_a_busy_processor(_):
    RIVALS[-1].begin()
    total = 0
    for number in range(100_000):
        total += number


@stall("starved")
def native_code_on_a_busy_processor(_):
    RIVALS[-1].begin()
    sum(range(200_000))
