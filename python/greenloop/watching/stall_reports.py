"""Reports of stalls: what the native side has found out, and where in the program it is.

The native side knows when a step takes too long, and whether its thread runs, waits in a system
call, waits for the GIL or is not scheduled. With the GIL, the line is known too; and whether it is
Python code that runs, or native code called there.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from types import FrameType
from typing import Any, Final, NamedTuple

from greenloop import _native
from greenloop.watching import frames, tasks

_BETWEEN_LOOKS: Final = 0.003
"""Seconds between two looks at a frame."""

_LOOKED_AT: Final = 0.02
"""For how many seconds of its own time on a processor a thread is looked at."""

_LONGEST_LOOK: Final = 0.5
"""The same in seconds of the clock, if the machine gives it no processor."""

_LEAST_LOOKS: Final = 6
"""How many looks have to show the same."""

_MOST_THREADS: Final = 1_000
"""How many names of threads are remembered."""

_CAUSES: Final = {
    "python": "Python code runs",
    "native": "native code runs",
    "system-call": "it waits in a system call",
    "gil": "it waits for the interpreter's lock",
    "starved": "the machine gives it no processor",
    "unknown": "nobody knows why",
}


class StallReports:
    """The stalls of a watch, by their numbers."""

    def __init__(self) -> None:
        self._details: dict[int, dict[str, Any]] = {}
        self._threads: dict[int | None, str] = {}
        """The names of the threads that were seen, by the system's numbers."""

    def count(self) -> int:
        """Return how many there were."""
        stalls = _all_facts()
        return stalls[-1].number if stalls else 0

    def all(self) -> list[dict[str, Any]]:
        """Describe those that are kept, the oldest first."""
        facts = _all_facts()
        known = {stall.number for stall in facts}
        for number in [number for number in self._details if number not in known]:
            del self._details[number]
        return [self._describe(stall) for stall in facts]

    def begin(self, number: int) -> dict[str, Any] | None:
        """Find out more of a stall that has just begun, and describe it."""
        stall = _facts(number)
        if stall is None:
            return None
        details = self._details[number] = _names_of(stall)
        if stall.cause != "starved":
            details |= self._place_of(stall)
        stall = _facts(number)
        if stall is None:
            return None
        if stall.holder:
            details["holder"] = self._thread_in_words(stall.holder)
        return self._describe(stall)

    def end(self, number: int) -> dict[str, Any] | None:
        """Describe a stall that is over."""
        stall = _facts(number)
        return None if stall is None else self._describe(stall)

    def _describe(self, stall: _Facts) -> dict[str, Any]:
        kind, text = stall.cause, stall.text
        details = dict(self._details.get(stall.number, {}))
        if kind == "running":
            kind = details.pop("runs", "python")
            text = f"{_CAUSES[kind]}"
        holder = details.pop("holder", None)
        details.pop("runs", None)
        if kind == "starved":
            # Whatever the thread was about to do is not to blame.
            details |= {"place": None, "stack": []}
        if kind == "gil" and stall.holder:
            text += f", which {holder or self._thread_in_words(stall.holder)} has"
        return {
            "id": stall.number,
            "loop": stall.event_loop,
            "began": stall.began,
            "length": stall.length,
            "over": stall.over,
            "kind": kind,
            "text": text,
            "task": None,
            "name": None,
            "awaited_by": [],
            "place": None,
            "stack": [],
        } | details

    def note_threads(self) -> None:
        """Remember the names of the threads, for when one of them has ended."""
        if len(self._threads) > _MOST_THREADS:
            self._threads.clear()
        self._threads |= {thread.native_id: thread.name for thread in threading.enumerate()}

    def _place_of(self, stall: _Facts) -> dict[str, Any]:
        """Look at the frames of the loop's thread, if the step still goes on."""
        progress = {each.number: each.steps for each in tasks.loops()}
        ident = _ident_of(stall.thread)
        if ident is None or progress.get(stall.event_loop) != stall.progress:
            return {}
        frame = sys._current_frames().get(ident)
        if frame is None:
            return {}
        stack = frames.of_thread(frame)
        details: dict[str, Any] = {
            "place": frames.place_in(stack),
            "stack": [frames.shown(each) for each in stack],
        }
        if stall.cause == "running":
            details["runs"] = "native" if _stays_in_a_call(ident, frame) else "python"
        return details

    def _thread_in_words(self, native_id: int) -> str:
        """Name a thread, and say where it is."""
        for thread in threading.enumerate():
            if thread.native_id == native_id and thread.ident is not None:
                stack = frames.of_thread(sys._current_frames().get(thread.ident))
                place = frames.place_in(stack)
                where = f" at {place['file']}:{place['line']}" if place else ""
                return f"thread {thread.name!r}{where}"
        name = self._threads.get(native_id)
        return f"thread {native_id}" if name is None else f"thread {name!r}"

    @staticmethod
    def in_words(stall: dict[str, Any]) -> str:
        """Tell of a stall in a line."""
        task = f"a step of task {stall['name']!r}" if stall["name"] else "a callback"
        lasts = "took" if stall["over"] else "has taken"
        words = f"{task} {lasts} {stall['length']:.3f} s: {stall['text']}"
        if stall["place"]:
            place = stall["place"]
            words += f", at {place['file']}:{place['line']} in {place['function']}"
        if stall["awaited_by"]:
            words += f"; awaited by {', '.join(stall['awaited_by'])}"
        return words


class _Facts(NamedTuple):
    """What the native side knows of a stall."""

    number: int
    event_loop: int
    thread: int
    began: float
    length: float
    over: bool
    cause: str
    text: str
    holder: int
    noticed: float
    progress: int


def _all_facts() -> list[_Facts]:
    return [_Facts(*stall) for stall in _native._look_at_stalls()]


def _facts(number: int) -> _Facts | None:
    return next((stall for stall in _all_facts() if stall.number == number), None)


def _names_of(stall: _Facts) -> dict[str, Any]:
    """Name the task whose step it is, and those that wait for it."""
    loops = (each.event_loop for each in tasks.loops() if each.number == stall.event_loop)
    event_loop = next(loops, None)
    task = None if event_loop is None else tasks.current(event_loop)
    if task is None:
        return {}
    look = _native._look_at_task(task)
    return {
        "task": None if look is None else look[0],
        "name": tasks.name_of(task),
        "awaited_by": [tasks.name_of(waiter) for waiter in tasks.waiting_for(task)],
    }


def _stays_in_a_call(ident: int, frame: FrameType) -> bool:
    """Tell whether a thread that runs stays in what its instruction calls, without the GIL.

    Native code that keeps the GIL is known already. From Python code, and whatever short it calls,
    the GIL comes only when the time is up for which it may be kept.
    """
    before, quick, looks = _where(frame), 0, 0
    at_once = sys.getswitchinterval() / 2
    clock = time.pthread_getcpuclockid(ident)
    began, end = time.clock_gettime(clock), time.monotonic() + _LONGEST_LOOK
    while looks < _LEAST_LOOKS or time.clock_gettime(clock) - began < _LOOKED_AT:
        asleep = time.monotonic()
        time.sleep(_BETWEEN_LOOKS)
        now = sys._current_frames().get(ident)
        if now is None or _where(now) != before or time.monotonic() > end:
            return False
        looks += 1
        quick += time.monotonic() - asleep < _BETWEEN_LOOKS + at_once
    return quick > looks / 2


def _where(frame: FrameType) -> tuple[int, int]:
    return id(frame), frame.f_lasti


def _ident_of(native_id: int) -> int | None:
    """Return how Python names a thread of the system."""
    for thread in threading.enumerate():
        if thread.native_id == native_id:
            return thread.ident
    return threading.main_thread().ident if native_id == os.getpid() else None
