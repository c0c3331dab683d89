"""The lifelines of a diagram: one for each task, or one for a class of tasks that are many.

A thousand tasks that run the same coroutine are one lifeline with the number 1000. If there are
still too many, smaller classes are joined as well, and then the tasks that have least to do with
others.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from greenloop.tracing.document import Trace
from greenloop.tracing.head import Task
from greenloop.tracing.interactions import NETWORK, OUTSIDE, Interaction

MANY = 8
"""From so many tasks of one coroutine on, they are one lifeline."""

MOST = 12
"""More lifelines than these are joined, if they can be."""

_GIVEN_BY_ASYNCIO = re.compile(r"Task-\d+")
_NUMBERED = re.compile(r"-\d+$")


@dataclass(frozen=True, slots=True)
class Lifeline:
    """A vertical line of a diagram."""

    name: str
    tasks: tuple[int, ...]
    """The numbers of the tasks that it stands for; none if it stands for no task."""


class Lifelines:
    """The lifelines of a trace, in the order in which they first have to do with each other."""

    def __init__(self, trace: Trace, found: Iterable[Interaction]) -> None:
        weights: Counter[int] = Counter()
        for each in found:
            weights[each.source] += 1
            weights[each.target] += 1
        groups = _grouped(trace.tasks, weights)
        self.all: list[Lifeline] = []
        self.of: dict[int, int] = {}
        """The index of the lifeline of each task."""
        names = Counter(_name(trace.tasks, members) for members in groups)
        for index, members in enumerate(groups):
            name = _name(trace.tasks, members)
            if names[name] > 1:
                name = f"{name} ({trace.name_of(members[0])})"
            self.all.append(Lifeline(name, tuple(each for each in members if each > 0)))
            self.of.update(dict.fromkeys(members, index))


def resource_names(trace: Trace) -> dict[int, str]:
    """Return the names of resources as a diagram shows them.

    Of a class of resources, made at one place and numbered, each one has the name of the class: the
    diagram says the same of all of them.
    """
    names = {}
    classes = Counter((each.type, each.site) for each in trace.resources.values())
    for number, each in trace.resources.items():
        many = classes[each.type, each.site] >= MANY
        names[number] = _NUMBERED.sub("", each.name) if many else each.name
    return names


def _grouped(tasks: Mapping[int, Task], weights: Mapping[int, int]) -> list[list[int]]:
    """Join the numbers that have a lifeline to classes, in the order of first appearance."""
    classes: dict[str, list[int]] = {}
    for number in weights:
        task = tasks.get(number)
        if task is not None:
            classes.setdefault(task.coroutine or task.name, []).append(number)
    joined: dict[int, list[int]] = {}
    count = len(weights)
    for members in sorted(classes.values(), key=len, reverse=True):
        if len(members) >= MANY or (count > MOST and len(members) > 1):
            count -= len(members) - 1
            joined.update(dict.fromkeys(members, members))
    groups = [joined.get(number, [number]) for number in weights]
    distinct = list({id(group): group for group in groups}.values())
    if len(distinct) <= MOST:
        return distinct
    # The outside and the network stay by themselves: they are no tasks like the others.
    by_weight = sorted(
        distinct,
        key=lambda group: (group[0] > 0, -sum(weights[each] for each in group)),
    )
    others = [each for group in by_weight[MOST - 1 :] for each in group]
    kept = {id(group) for group in by_weight[: MOST - 1]}
    return [*(group for group in distinct if id(group) in kept), others]


def _name(tasks: Mapping[int, Task], members: list[int]) -> str:
    first = members[0]
    if first == OUTSIDE:
        return "outside of tasks"
    if first == NETWORK:
        return "network"
    coroutines = {tasks[each].coroutine if each in tasks else "" for each in members}
    if len(members) > 1:
        (coroutine,) = coroutines if len(coroutines) == 1 else ("others",)
        return f"{coroutine} ×{len(members)}"  # noqa: RUF001
    task = tasks.get(first)
    if task is None:
        return f"#{first}"
    return task.coroutine or task.name if _GIVEN_BY_ASYNCIO.fullmatch(task.name) else task.name
