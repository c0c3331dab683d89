"""Which threads of the process wait for another one, so that nothing comes of them by themselves.

A thread that waits for a lock without a time limit goes on only when another thread lets it. If all
threads but the loop's wait so, then only the loop can go on: its clock need not stand still for any
of them, and must not, if they wait for a timer of its. Linux tells what each thread does.
"""

from __future__ import annotations

import _thread
import os
import platform
import threading
import time
import weakref
from typing import Any, Final

unrelated_threads: Final[weakref.WeakSet[threading.Thread]] = weakref.WeakSet()
"""Threads of a test runner, from which nothing comes for a loop: they are not waited for."""

# `futex`, by which each lock of Python's waits, by its number in Linux. Which of its arguments is
# the time limit. The lock of the interpreter is asked for with one.
_FUTEX: Final = {"x86_64": "202", "aarch64": "98"}.get(platform.machine())
_LIMIT: Final = 4
_NONE: Final = "0x0"
_RUNNING: Final = "running"

_STEP: Final = 0.001

# Those that watch for a loop, by their native numbers.
_watching: Final[set[int]] = set()
# How often a loop's thread has waited. A watching thread ends when the next wait begins.
_waits = 0


def settle(seconds: float) -> bool:
    """Wait until all other threads wait for others, but no longer, and return whether they do."""
    end = time.monotonic() + seconds
    quiet = 0
    while quiet < 2:
        # A thread may have woken another one, and begun to wait, between two looks at them.
        quiet = quiet + 1 if _all_but(threading.get_native_id()) else 0
        if quiet == 0 and time.monotonic() > end:
            return False
        time.sleep(_STEP)
    return True


def all_wait_for(loop: Any) -> bool:
    """Tell whether all threads were seen to wait for one another or for the loop, which is idle.

    If they were not, they are watched from now on. Once they are seen to wait, the loop wakes to
    nothing, and asks again. Another thread looks, since a look lets other threads run: a call of
    theirs would not wake the loop, which is not asleep yet.

    Args:
        loop: The simulated loop of this thread, which is about to wait for the system.
    """
    global _waits
    steps = loop._simulation()[0]
    if vars(loop).get("_settled_after") == steps:
        return True
    _waits += 1
    # Not one of `threading`: a test may count those.
    _thread.start_new_thread(_watch, (loop, threading.get_native_id(), _waits, steps))
    return False


def _watch(loop: Any, waiter: int, wait: int, steps: int) -> None:
    this = threading.get_native_id()
    _watching.add(this)
    try:
        quiet = 0
        while wait == _waits and loop.is_running():
            # The loop's own is a thread of pytest's, too.
            is_polling = _system_call(waiter)[0] not in (_FUTEX, _RUNNING)
            quiet = quiet + 1 if is_polling and _all_but(waiter) else 0
            if quiet == 2:
                loop._settled_after = steps
                loop._write_to_self()
                return
            time.sleep(_STEP)
    finally:
        _watching.discard(this)


def _all_but(this: int) -> bool:
    """Tell whether all threads but one, and but unrelated ones, wait for another one."""
    left_out = {this, *_watching, *(each.native_id for each in unrelated_threads)}
    numbers = map(int, os.listdir("/proc/self/task"))
    calls = (_system_call(number) for number in numbers if number not in left_out)
    return all(call[0] == _FUTEX and call[_LIMIT] == _NONE for call in calls)


def _system_call(number: int) -> list[str]:
    """Return what a thread does: a system call and its arguments, or that it runs."""
    try:
        with open(f"/proc/self/task/{number}/syscall") as file:
            return file.read().split()
    except OSError:
        # It has ended meanwhile, or may not be looked at.
        return [_RUNNING]
