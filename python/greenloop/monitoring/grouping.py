"""Tasks that do the same are one group: a server's ten thousand connections are one line.

Tasks do the same if they have the same coroutine, state and place and wait for the same: the same
resource, if it is one that tasks share, else the same kind of thing, since every connection has a
stream of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from greenloop.monitoring import words
from greenloop.monitoring.report import Report, Task

_SHARED: Final = ("queue", "lock", "semaphore", "event", "condition", "barrier")
"""The beginnings of the kinds of wait whose resource is there for tasks to meet at."""

_URGENCY: Final[Mapping[str, int]] = {"deadlock": 0, "stalling": 1, "running": 2, "ready": 3}
_LEAST_URGENT: Final = 9

Key = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """Tasks that do the same, one or many."""

    tasks: tuple[Task, ...]
    """The first is the one that has been in its state for the longest time."""
    state: str
    """The state of each, in a word."""

    @property
    def longest(self) -> Task:
        """The task that has been in its state for the longest time."""
        return self.tasks[0]

    @property
    def name(self) -> str:
        """The names: of many the first and the last, and how many there are."""
        if len(self.tasks) == 1:
            return self.longest.name
        first, last = min(self.tasks, key=_id), max(self.tasks, key=_id)
        return f"{first.name} … {last.name}"

    @property
    def waits_for(self) -> str:
        """What they wait for; of many, what they have in common."""
        if len(self.tasks) == 1:
            return words.waits_for(self.longest)
        found = {words.what(task.wait) for task in self.tasks}
        if len(found) == 1:
            return found.pop()
        wait = self.longest.wait
        return f"{wait.kind}, each of its own" if wait is not None else ""


class States:
    """The state of each task of a report in a word: also whether it is in a deadlock or stalls."""

    def __init__(self, report: Report) -> None:
        self._deadlocked = {
            party.task for deadlock in report.deadlocks for party in deadlock.parties
        }
        self._stalling = {stall.task for stall in report.stalls if not stall.over}

    def __call__(self, task: Task) -> str:
        """Return the word for a task's state."""
        if task.id in self._deadlocked:
            return "deadlock"
        if task.id in self._stalling:
            return "stalling"
        return task.state or "?"


def groups_of(
    tasks: Iterable[Task],
    states: States,
    *,
    apart: bool = False,
    also: Callable[[Task], object] | None = None,
) -> list[Group]:
    """Return the groups of tasks, the most urgent ones and those that wait the longest first.

    Args:
        tasks: The tasks.
        states: The words for their states.
        apart: Whether each task is a group of its own.
        also: What tasks of one group have to have in common besides; it has to be hashable.
    """
    found: dict[Key, list[Task]] = {}
    for task in tasks:
        state = states(task)
        # Who is in a deadlock is never folded: there, each single task matters.
        alone = apart or state in ("deadlock", "stalling")
        key: Key = (
            (state, task.id, id(task)) if alone else (state, also and also(task), *_key_of(task))
        )
        found.setdefault(key, []).append(task)
    groups = [Group(tuple(sorted(each, key=_by_age)), str(key[0])) for key, each in found.items()]
    return sorted(groups, key=_by_urgency)


def _key_of(task: Task) -> Key:
    wait = task.wait
    if wait is None:
        return (task.coroutine, task.place)
    shared = wait.resource if wait.kind.startswith(_SHARED) else None
    return (task.coroutine, task.place, wait.kind, shared)


def _by_urgency(group: Group) -> tuple[float, ...]:
    return (_URGENCY.get(group.state, _LEAST_URGENT), *_by_age(group.longest))


def _by_age(task: Task) -> tuple[float, ...]:
    return (-(task.since or 0.0), task.id)


def _id(task: Task) -> int:
    return task.id
