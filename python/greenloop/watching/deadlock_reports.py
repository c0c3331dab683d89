"""Deadlocks: tasks that can never go on, found and told of while the rest of the program goes on.

Which tasks these are, the native side knows: those whose every way on leads through others of them
(`_look_for_dead_tasks`). And when nothing at all can happen any more, those are all.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from greenloop import _native
from greenloop.tracing import naming
from greenloop.tracing.kinds import Wait
from greenloop.watching import doubts, hand_overs, snapshot, tasks
from greenloop.watching.resources import in_words

LEAST_AGE: Final = 150
"""For how many milliseconds a task has to have waited."""

_MOST: Final = 100
"""How many are kept."""

_MOST_CALLERS: Final = 3
"""How many callers of a place are told."""

_RARELY: Final = 50.0
"""A search that takes long is not repeated before this many times as long has passed."""

_SUSPICIOUS: Final = 10.0
"""The same after a search that has found something, which the next one is to confirm."""

_OWNED: Final = {"lock", "task", "gather", "wait", "task-group", "shield", "timeout"}
"""The kinds of wait for tasks, and for what only the task gives that holds it."""

_INTERNAL: Final = _OWNED | {
    "queue.get",
    "queue.put",
    "queue.join",
    "semaphore",
    "event",
    "condition",
    "barrier",
    "future",
    "foreign",
}
"""The kinds of wait that only the program itself can end."""

_WHY: Final = {
    "cycle": "wait for each other, and can never go on",
    "unreachable": "can never go on: nothing that still runs can reach what is waited for",
    "nothing-can-happen": "can never go on: nothing can happen any more, no task is ready, and no "
    "timer, descriptor, thread or signal handler is left",
    "broken-hand-over": "waits in vain for what is free: the one that let it go has woken nobody",
}


_ONLY_ITSELF: Final = (
    "can never go on: only it could end its wait, and it does not get there while it waits"
)
_ONLY_THEMSELVES: Final = (
    "can never go on: only they could end these waits, and they do not get there while they wait"
)
"""Why not, of tasks that could give each other what they wait for, but do not hold it."""


class DeadlockReports:
    """The deadlocks of a watch."""

    def __init__(self) -> None:
        self._found: list[dict[str, Any]] = []
        self._count = 0
        self._told: set[frozenset[int]] = set()
        """The tasks of each deadlock that was told of."""
        self._suspected: set[frozenset[int]] = set()
        """Those that were found by the last search alone."""
        self._not_before = 0.0

    def all(self) -> list[dict[str, Any]]:
        """Describe the latest, the oldest first."""
        return list(self._found)

    def count(self) -> int:
        """Return how many there were."""
        return self._count

    def search(self) -> list[tuple[dict[str, Any], list[Any]]]:
        """Look for deadlocks, and return those that are new: what is told of them, and the tasks.

        A deadlock is new when it is found for the second time.
        """
        began = time.thread_time()
        if time.monotonic() < self._not_before:
            # It is not forgotten, or the last search before a long rest would not take place.
            _native._check_again()
            return []
        found = self._look()
        suspected = {key for key, *_ in found} - self._told
        factor = _SUSPICIOUS if suspected else _RARELY
        cost = time.thread_time() - began
        self._not_before = time.monotonic() + factor * cost
        if suspected:
            _native._check_again()
        new = [each for each in found if each[0] in suspected & self._suspected]
        self._suspected = suspected
        return [self._tell(*each) for each in new]

    def _look(self) -> list[tuple[frozenset[int], str, list[int], list[int]]]:
        """Search: for each deadlock its tasks, why it is one, its parties, and those behind it."""
        # One of a loop that does not run waits for that.
        loops = {id(each.event_loop) for each in tasks.loops()}
        everything = [task for task in tasks.own_tasks() if id(task.get_loop()) in loops]
        stuck = _native._look_for_dead_tasks(everything, LEAST_AGE, naming.Reference)
        knots, behind = stuck if stuck is not None else ([], [])
        waiting = [number for number, *_ in behind]
        found = []
        for is_cycle, members in knots:
            numbers = [number for number, *_ in members]
            why = "cycle" if is_cycle else "unreachable"
            if not self._is_doubtful(numbers, waiting, everything):
                found.append((frozenset(numbers), why, numbers, waiting))
        known = set(waiting).union(*(key for key, *_ in found))
        found += [
            (frozenset({number}), "broken-hand-over", [number], [])
            for number in hand_overs.broken(everything, LEAST_AGE)
            if number not in known
        ]
        if not found and (numbers := _if_nothing_can_happen()):
            found.append((frozenset(numbers), "nothing-can-happen", numbers, []))
        return found

    def _is_doubtful(self, numbers: list[int], behind: list[int], everything: list[Any]) -> bool:
        """Tell whether the tasks of a knot may go on all the same, or wait on purpose."""
        if frozenset(numbers) in self._told:
            return False
        by_number = {}
        for task in everything:
            look = _native._look_at_task(task)
            if look is not None:
                by_number[look[0]] = task
        parties = [by_number[number] for number in numbers if number in by_number]
        if len(parties) == 1 and doubts.waits_on_purpose(parties[0]):
            return True
        locks = doubts.locks_of(parties)
        others = [by_number[number] for number in behind if number in by_number]
        return bool(locks) and doubts.may_be_released(locks, parties + others)

    def _tell(
        self, key: frozenset[int], why: str, parties: list[int], behind: list[int]
    ) -> tuple[dict[str, Any], list[Any]]:
        self._told.add(key)
        self._count += 1
        report = snapshot.take()
        by_number = {task["id"]: task for task in report["tasks"]}
        told = [by_number[number] for number in parties if number in by_number]
        words = _WHY[why]
        if why == "cycle" and not any(_is_owned(task) for task in told):
            why, words = "unreachable", _ONLY_ITSELF if len(told) == 1 else _ONLY_THEMSELVES
        deadlock: dict[str, Any] = {
            "id": self._count,
            "found": time.time(),
            "why": why,
            "parties": [_party(task, report["resources"]) for task in told],
            "behind": [number for number in behind if number in by_number],
        }
        names = [by_number[number]["name"] for number in deadlock["behind"]]
        stacks = {task["id"]: task["stack"] for task in told}
        deadlock["text"] = _in_words(deadlock, words, report["resources"], names, stacks)
        self._found.append(deadlock)
        del self._found[:-_MOST]
        objects = [task for task in map(tasks.by_number, parties) if task is not None]
        return deadlock, objects


def _is_owned(task: dict[str, Any]) -> bool:
    return task["wait"] is not None and task["wait"]["kind"] in _OWNED


def _party(task: dict[str, Any], resources: list[dict[str, Any]]) -> dict[str, Any]:
    """Describe one of the tasks: its wait, and what it holds."""
    holds = [
        {"resource": resource["id"], "text": in_words(resource), "place": holder["place"]}
        for resource in resources
        for holder in resource["holders"]
        if holder["task"] == task["id"]
    ]
    wait = task["wait"] or {"kind": "foreign", "text": "something", "resource": None, "tasks": []}
    return {
        "task": task["id"],
        "name": task["name"],
        "coroutine": task["coroutine"],
        "wait": {key: wait[key] for key in ("kind", "text", "resource", "tasks")},
        "place": task["place"],
        "holds": holds,
    }


def _in_words(
    deadlock: dict[str, Any],
    why: str,
    resources: list[dict[str, Any]],
    behind: list[str],
    stacks: dict[int, list[dict[str, Any]]],
) -> str:
    """Tell of a deadlock in several lines."""
    parties = deadlock["parties"]
    subject = f"{len(parties)} tasks"
    if len(parties) == 1:
        subject = "a task"
        if deadlock["why"] == "cycle":
            why = "waits for itself, and can never go on"
    lines = [f"deadlock: {subject} {why}"]
    by_id = {resource["id"]: resource for resource in resources}
    for party in parties:
        place = party["place"]
        at = f" at {place['file']}:{place['line']} in {place['function']}" if place else ""
        at += _callers(stacks[party["task"]], place)
        lines.append(
            f"  {party['name']} ({party['coroutine']}) waits for {party['wait']['text']}{at}"
        )
        resource = by_id.get(party["wait"]["resource"])
        for holder in resource["holders"] if resource else ():
            owner = "itself" if holder["task"] == party["task"] else holder["name"]
            owner = owner or "a task that has ended"
            where = holder["place"]
            taken = f" at {where['file']}:{where['line']}" if where else ""
            lines.append(f"    which {owner} holds, and took{taken}")
    if behind:
        shown = ", ".join(behind[:10]) + (" …" if len(behind) > 10 else "")
        lines.append(f"  behind them wait: {shown}")
    return "\n".join(lines)


def _callers(stack: list[dict[str, Any]], place: dict[str, Any] | None) -> str:
    """Tell who has called it: a place in a lock of another library does not say who wants it."""
    if place not in stack:
        return ""
    inner = len(stack) - 1 - stack[::-1].index(place)
    callers = stack[max(0, inner - _MOST_CALLERS) : inner]
    return "".join(f", called at {each['file']}:{each['line']}" for each in reversed(callers))


def _if_nothing_can_happen() -> list[int]:
    """Return the numbers of all tasks if none can ever go on, because nothing is left to happen."""
    loops = tasks.loops()
    for figures in loops:
        if not figures.is_idle or figures.ready or figures.timers or figures.descriptors:
            return []
        event_loop = figures.event_loop
        if getattr(event_loop, "_signal_handlers", None):
            return []
        executor = getattr(event_loop, "_default_executor", None)
        if executor is not None and not _is_at_rest(executor):
            return []
    if not loops or _others_may_call({each.thread for each in loops}, loops):
        return []
    numbers = []
    for task in tasks.all_tasks():
        look = _native._look_at_task(task)
        if look is None or not _waits_for_the_program(look):
            return []
        numbers.append(look[0])
    return numbers


def _waits_for_the_program(look: tuple[Any, ...]) -> bool:
    _, state, since, kind, *_ = look
    old = since is None or since >= LEAST_AGE
    return state == 2 and old and kind != 0 and Wait(kind).label in _INTERNAL


def _is_at_rest(executor: Any) -> bool:
    """Tell whether all threads of an executor wait for jobs."""
    if type(executor) is not ThreadPoolExecutor:
        return False
    threads = getattr(executor, "_threads", ())
    idle = getattr(getattr(executor, "_idle_semaphore", None), "_value", -1)
    return idle == len(threads)


def _others_may_call(loop_threads: set[int], loops: list[tasks.LoopFigures]) -> bool:
    """Tell whether a thread, a child or a signal handler of the program may still do something."""
    for number in set(signal.valid_signals()) - {signal.SIGINT, signal.SIGKILL, signal.SIGSTOP}:
        if callable(signal.getsignal(number)):
            return True
    known = loop_threads | _own_threads()
    workers: set[int | None] = set()
    for figures in loops:
        executor = getattr(figures.event_loop, "_default_executor", None)
        workers |= {thread.native_id for thread in getattr(executor, "_threads", ())}
    try:
        threads = {int(name) for name in os.listdir("/proc/self/task")}
        with open(f"/proc/self/task/{os.getpid()}/children", encoding="ascii") as file:
            children = file.read().split()
    except OSError:
        return True
    main = {os.getpid()} if loop_threads == {os.getpid()} else set()
    return bool(threads - known - workers - main) or bool(children)


def _own_threads() -> set[int]:
    """Return the threads of the watch, by the system's numbers."""
    found = set()
    for name in os.listdir("/proc/self/task"):
        try:
            with open(f"/proc/self/task/{name}/comm", encoding="utf-8") as file:
                if file.read().startswith(("greenloop-watch", "greenloop-clien")):
                    found.add(int(name))
        except OSError:
            continue  # It has ended.
    own = threading.get_native_id()
    return found | {own}
