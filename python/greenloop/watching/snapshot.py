"""The report of a moment: all tasks and what they wait for, resources and who holds them, loops.

It is made in the watching thread, with the GIL, while the loops may go on: a task that changes
meanwhile is shown as it was when it was looked at.
"""

from __future__ import annotations

import os
import platform
import sys
import time
from types import FrameType
from typing import Any, Final

import greenloop
from greenloop import _native
from greenloop.tracing.kinds import Wait
from greenloop.watching import frames, tasks
from greenloop.watching.names import Names
from greenloop.watching.resources import Resources, kind_of
from greenloop.watching.tasks import LoopFigures
from greenloop.watching.waits import Found, describe

FORMAT: Final = "greenloop-report/1"

MOST_TASKS: Final = 20_000
"""How many tasks are shown. More are counted."""

_READY: Final = 1
_SUSPENDED: Final = 2


def loops() -> list[dict[str, Any]]:
    """Return the figures of the loops that run."""
    return [_loop(figures) for figures in tasks.loops()]


def take() -> dict[str, Any]:
    """Return the report of this moment, as `docs/report-format.md` describes it."""
    running = tasks.loops()
    found = tasks.all_tasks()
    report: dict[str, Any] = {
        "format": FORMAT,
        "pid": os.getpid(),
        "stale": None,
        "program": list(sys.argv),
        "python": platform.python_version(),
        "greenloop": greenloop.__version__,
        "time": time.time(),
        "watched_for": 0.0,
        "loops": [_loop(figures) for figures in running],
    }
    taken = _Tasks(running)
    stacks = [frames.of_task(task) for task in found[:MOST_TASKS]]
    for stack in stacks:
        taken.names.learn(stack)
    for task, stack in zip(found, stacks, strict=False):
        taken.add(task, stack)
    report["tasks"] = taken.finish()
    report["resources"] = taken.resources.all()
    report["deadlocks"] = []
    report["stalls"] = []
    report["counters"] = {
        "tasks": len(found),
        "tasks_left_out": max(0, len(found) - MOST_TASKS),
        "steps": sum(figures.steps for figures in running),
    }
    return report


def _loop(figures: LoopFigures) -> dict[str, Any]:
    return {
        "id": figures.number,
        "thread": figures.thread,
        "state": "idle" if figures.is_idle else "running",
        "task": None if figures.is_idle else tasks.current_number(figures.event_loop),
        "ready": figures.ready,
        "timers": figures.timers,
        "descriptors": figures.descriptors,
        "steps": figures.steps,
        "lag": {
            "count": figures.lags,
            "p50": figures.median_lag / 1e9,
            "p99": figures.p99_lag / 1e9,
            "max": figures.longest_lag / 1e9,
        },
    }


class _Tasks:
    """The tasks of a report in the making."""

    def __init__(self, loops: list[LoopFigures]) -> None:
        self.names = Names(lambda value: kind_of(value) is not None)
        self.resources = Resources(self.names)
        self._loops = {id(each.event_loop): each.number for each in loops}
        self._running = {
            tasks.current_number(each.event_loop) for each in loops if not each.is_idle
        }
        self._shown: list[dict[str, Any]] = []
        self._behind: list[tuple[dict[str, Any], list[Any]]] = []
        self._numbers: dict[int, int] = {}
        self._foreign = 0

    def add(self, task: Any, stack: list[FrameType]) -> None:
        """Look at a task, whose frames are known."""
        look = _native._look_at_task(task)
        if look is None:
            self._add_foreign(task, stack)
            return
        number, state, since, kind, resource, remaining, awaited = look
        if state not in (_READY, _SUSPENDED):
            return
        is_running = number in self._running
        shown = self._show(task, number, [] if is_running else stack)
        shown["since"] = None if since is None else since / 1000
        shown["state"] = "running" if is_running else "waiting" if state == _SUSPENDED else "ready"
        if shown["state"] == "waiting":
            label = Wait(kind).label
            found = describe(
                Found(label, resource, remaining, awaited, task, stack), self.resources
            )
            shown["wait"] = found.shown
            if remaining is not None and since is not None:
                found.shown["ends_in"] = max(0.0, remaining - since / 1000)
            self._behind.append((shown, found.tasks))

    def _add_foreign(self, task: Any, stack: list[FrameType]) -> None:
        """Look at a task of another class, which has no number: it gets one below zero."""
        self._foreign -= 1
        shown = self._show(task, self._foreign, stack)
        awaited = getattr(task, "_fut_waiter", None)
        if awaited is None:
            return
        shown["state"] = "waiting"
        found = describe(Found("future", 0, None, awaited, task, stack), self.resources)
        shown["wait"] = found.shown
        self._behind.append((shown, found.tasks))

    def _show(self, task: Any, number: int, stack: list[Any]) -> dict[str, Any]:
        self._numbers[id(task)] = number
        shown = {
            "id": number,
            "loop": self._loops.get(id(task.get_loop())),
            "name": tasks.name_of(task),
            "coroutine": tasks.coroutine_of(task),
            "state": "ready",
            "since": None,
            "steps": None,
            "wait": None,
            "timeout": None,
            "place": frames.place_in(stack),
            "stack": [frames.shown(frame) for frame in stack],
            "awaited_by": [],
        }
        self._shown.append(shown)
        return shown

    def finish(self) -> list[dict[str, Any]]:
        """Return the tasks, now that each is known, with those that wait for others."""
        by_number = {shown["id"]: shown for shown in self._shown}
        for shown, behind in self._behind:
            numbers = (self._numbers.get(id(task)) for task in behind)
            awaited = sorted(number for number in numbers if number is not None)
            shown["wait"]["tasks"] = awaited
            if shown["wait"]["kind"] == "task" and len(awaited) == 1:
                shown["wait"]["text"] = f"task {by_number[awaited[0]]['name']!r}"
            for number in awaited:
                by_number[number]["awaited_by"].append(shown["id"])
        waiters: dict[int, list[int]] = {}
        for shown in self._shown:
            if shown["wait"] and shown["wait"]["resource"] is not None:
                waiters.setdefault(shown["wait"]["resource"], []).append(shown["id"])
        holders = {number: shown["name"] for number, shown in by_number.items()}
        self.resources.name_tasks(waiters, holders)
        return sorted(self._shown, key=lambda shown: shown["id"])
