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
from typing import Any, Final

from greenloop import _native
from greenloop.watching import frames, tasks

_BETWEEN_LOOKS: Final = 0.006
"""Seconds between two looks at a frame: more than the interval in which threads take turns."""

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

    def count(self) -> int:
        """Return how many there were."""
        stalls = _native._look_at_stalls()
        return stalls[-1][0] if stalls else 0

    def all(self) -> list[dict[str, Any]]:
        """Describe those that are kept, the oldest first."""
        facts = _native._look_at_stalls()
        known = {stall[0] for stall in facts}
        for number in [number for number in self._details if number not in known]:
            del self._details[number]
        return [self._describe(stall) for stall in facts]

    def begin(self, number: int) -> dict[str, Any] | None:
        """Find out more of a stall that has just begun, and describe it."""
        stall = _facts(number)
        if stall is None:
            return None
        details = self._details[number] = _names_of(stall)
        if stall[6] != "starved":
            details |= _place_of(stall)
        stall = _facts(number)
        if stall is None:
            return None
        if stall[8]:
            details["holder"] = _thread_in_words(stall[8])
        return self._describe(stall)

    def end(self, number: int) -> dict[str, Any] | None:
        """Describe a stall that is over."""
        stall = _facts(number)
        return None if stall is None else self._describe(stall)

    def _describe(self, stall: tuple[Any, ...]) -> dict[str, Any]:
        number, event_loop, _, began, length, over, kind, text, holder = stall
        details = dict(self._details.get(number, {}))
        if kind == "running":
            kind = details.pop("runs", "python")
            text = f"{_CAUSES[kind]}"
        holder_in_words = details.pop("holder", f"thread {holder}")
        details.pop("runs", None)
        if kind == "starved":
            # Whatever the thread was about to do is not to blame.
            details |= {"place": None, "stack": []}
        if kind == "gil" and holder:
            text += f", which {holder_in_words} has"
        return {
            "id": number,
            "loop": event_loop,
            "began": began,
            "length": length,
            "over": over,
            "kind": kind,
            "text": text,
            "task": None,
            "name": None,
            "awaited_by": [],
            "place": None,
            "stack": [],
        } | details

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


def _facts(number: int) -> tuple[Any, ...] | None:
    return next((stall for stall in _native._look_at_stalls() if stall[0] == number), None)


def _names_of(stall: tuple[Any, ...]) -> dict[str, Any]:
    """Name the task whose step it is, and those that wait for it."""
    loops = _native._look_at_loops()
    event_loop = next((figures[0] for figures in loops if figures[1] == stall[1]), None)
    task = None if event_loop is None else tasks.current(event_loop)
    if task is None:
        return {}
    look = _native._look_at_task(task)
    return {
        "task": None if look is None else look[0],
        "name": tasks.name_of(task),
        "awaited_by": [tasks.name_of(waiter) for waiter in tasks.waiting_for(task)],
    }


def _place_of(stall: tuple[Any, ...]) -> dict[str, Any]:
    """Look at the frames of the loop's thread, twice."""
    ident = _ident_of(stall[2])
    frame = sys._current_frames().get(ident) if ident is not None else None
    if frame is None:
        return {}
    stack = frames.of_thread(frame)
    details: dict[str, Any] = {
        "place": frames.place_in(stack),
        "stack": [frames.shown(each) for each in stack],
    }
    if stall[6] == "running":
        before = _where(frame)
        time.sleep(_BETWEEN_LOOKS)
        now = sys._current_frames().get(ident) if ident is not None else None
        details["runs"] = "native" if now is not None and _where(now) == before else "python"
    return details


def _where(frame: FrameType) -> tuple[int, int]:
    return id(frame), frame.f_lasti


def _ident_of(native_id: int) -> int | None:
    """Return how Python names a thread of the system."""
    for thread in threading.enumerate():
        if thread.native_id == native_id:
            return thread.ident
    return threading.main_thread().ident if native_id == os.getpid() else None


def _thread_in_words(native_id: int) -> str:
    """Name a thread, and say where it is."""
    for thread in threading.enumerate():
        if thread.native_id == native_id and thread.ident is not None:
            stack = frames.of_thread(sys._current_frames().get(thread.ident))
            place = frames.place_in(stack)
            where = f" at {place['file']}:{place['line']}" if place else ""
            return f"thread {thread.name!r}{where}"
    return f"thread {native_id}"
