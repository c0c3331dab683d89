"""Who waits for whom: the edges between the tasks of a report, directly or through what one holds.

A report says it from both ends, in what a task waits for and in `awaited_by`; either is enough.
"""

from __future__ import annotations

from dataclasses import dataclass

from greenloop.monitoring.report import Holder, Report, Resource, Task


@dataclass(frozen=True, slots=True)
class Edge:
    """That a task waits for another one."""

    to: int
    """The number of the task that has to do something first."""
    resource: Resource | None = None
    """What that one holds; None if its end is waited for."""
    holder: Holder | None = None


class WaitGraph:
    """The edges of a report.

    Args:
        report: The report, of which the tasks are the nodes.
    """

    def __init__(self, report: Report) -> None:
        self.tasks: dict[int, Task] = {task.id: task for task in report.tasks}
        """The tasks by their numbers."""
        self._resources = {resource.id: resource for resource in report.resources}
        self._awaited: dict[int, list[int]] = {}
        for task in report.tasks:
            for waiter in task.awaited_by:
                self._awaited.setdefault(waiter, []).append(task.id)

    def edges(self, task: Task) -> list[Edge]:
        """Return the tasks for which a task waits, each once."""
        wait = task.wait
        direct = (*(wait.tasks if wait is not None else ()), *self._awaited.get(task.id, ()))
        edges = {to: Edge(to) for to in direct}
        resource = self.resource_of(task)
        if resource is not None:
            for holder in resource.holders:
                if holder.task is not None:
                    edges.setdefault(holder.task, Edge(holder.task, resource, holder))
        return list(edges.values())

    def resource_of(self, task: Task) -> Resource | None:
        """Return the resource that a task waits for, if the report has it."""
        wait = task.wait
        if wait is None or wait.resource is None:
            return None
        return self._resources.get(wait.resource)

    def roots(self) -> list[int]:
        """Return the numbers of tasks from which all others can be reached, as few as is simple.

        The first are those for which nobody waits. Of a cycle for which nobody outside of it waits
        one task is chosen.
        """
        waited_for = {edge.to for task in self.tasks.values() for edge in self.edges(task)}
        roots = [number for number in self.tasks if number not in waited_for]
        reached = self._reached(roots)
        for number in self.tasks:
            if number not in reached:
                roots.append(number)
                self._reach(number, reached)
        return roots

    def _reached(self, roots: list[int]) -> set[int]:
        reached: set[int] = set()
        for root in roots:
            self._reach(root, reached)
        return reached

    def _reach(self, start: int, reached: set[int]) -> None:
        ahead = [start]
        while ahead:
            number = ahead.pop()
            if number in reached or number not in self.tasks:
                continue
            reached.add(number)
            ahead += [edge.to for edge in self.edges(self.tasks[number])]
