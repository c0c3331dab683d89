"""The tree of who waits for whom, which `tree` prints: below a task stand those it waits for.

The edges form a graph, not a tree. A task that several others wait for is drawn once and pointed
at from elsewhere; an edge that leads back to a task further up closes a cycle, and is marked as
one. What is too deep for the screen goes on at the left edge, so that no chain takes more than a
line for a task.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from greenloop.monitoring import words
from greenloop.monitoring.deadlocks import deadlock_lines
from greenloop.monitoring.graph import Edge, WaitGraph
from greenloop.monitoring.grouping import Group, States, groups_of
from greenloop.monitoring.report import Place, Report
from greenloop.monitoring.screen import Screen, cells, shorten
from greenloop.monitoring.table import head, left_out

_DEEPEST: Final = 12
"""The levels after which a branch goes on at the left edge: 36 of 80 columns."""

_SHORTEST: Final = 12
"""The columns that are left of what a task waits for, however little room there is."""

_COLOURS: Final = {"deadlock": "red", "stalling": "red", "running": "green", "ready": "yellow"}


def tree(report: Report, screen: Screen, *, apart: bool = False) -> Iterator[str]:
    """Iterate over the lines that `tree` prints of a process: deadlocks first, then all tasks.

    Args:
        report: What the process has answered.
        screen: What the lines are for.
        apart: Whether tasks that do the same have a line each.
    """
    yield from head(report, screen, deadlocks=False)
    for deadlock in report.deadlocks:
        yield ""
        yield from deadlock_lines(deadlock, screen, now=report.time)
    yield ""
    if not report.tasks:
        yield "no tasks"
        return
    drawing = _Drawing(report, screen, apart=apart)
    yield from drawing.draw(drawing.graph.roots())
    yield from left_out(report)


def branch(report: Report, task: int, screen: Screen) -> Iterator[str]:
    """Iterate over the lines of the tree below one task.

    Args:
        report: What the process has answered.
        task: The number of the task.
        screen: What the lines are for.
    """
    return _Drawing(report, screen, apart=True).draw([task])


@dataclass(frozen=True, slots=True)
class _Branch:
    """What is still to be drawn: some tasks that do the same, or one with those it waits for."""

    group: Group
    edge: Edge | None
    """The edge that leads here; None at the left edge."""
    above: tuple[bool, ...]
    """For each level above, whether more branches follow there."""
    follows: bool
    """Whether more branches follow on its own level."""
    path: _Path | None


@dataclass(frozen=True, slots=True)
class _Path:
    """The tasks from the left edge to a branch, the nearest first."""

    task: int
    rest: _Path | None

    def __contains__(self, task: int) -> bool:
        path: _Path | None = self
        while path is not None:
            if path.task == task:
                return True
            path = path.rest
        return False


class _Drawing:
    """The drawing of one tree."""

    def __init__(self, report: Report, screen: Screen, *, apart: bool) -> None:
        self.graph = WaitGraph(report)
        self._screen = screen
        self._apart = apart
        self._states = States(report)
        self._drawn: set[int] = set()
        self._deep: list[_Branch] = []
        """Branches that go on at the left edge."""

    def draw(self, roots: list[int]) -> Iterator[str]:
        """Iterate over the lines of the trees below some tasks."""
        yield from self._draw_from(self._branches([Edge(root) for root in roots], None))
        while self._deep:
            deep, self._deep = self._deep, []
            for branch in deep:
                yield ""
                yield from self._draw_from(
                    [_Branch(branch.group, branch.edge, (), False, branch.path)], resumed=True
                )

    def _draw_from(self, branches: list[_Branch], *, resumed: bool = False) -> Iterator[str]:
        ahead = branches[::-1]
        while ahead:
            branch = ahead.pop()
            task = branch.group.longest
            again = task.id in self._drawn
            closes = again and branch.path is not None and task.id in branch.path
            if len(branch.above) >= _DEEPEST and not (closes or again):
                self._deep.append(branch)
                yield self._line(branch, f"{words.label(task)}: goes on below", "dim")
                continue
            if closes:
                yield self._line(branch, f"↻ back to {words.label(task)}: a cycle", "red")
                continue
            below = self._branches(self.graph.edges(task), branch)
            if again and below:
                yield self._line(branch, f"{self._subject(branch)}: drawn above", "dim")
                continue
            self._drawn.update(each.id for each in branch.group.tasks)
            yield from self._lines(branch, "↳ " if resumed else "", goes_on=bool(below))
            resumed = False
            ahead += below[::-1]

    def _branches(self, edges: list[Edge], parent: _Branch | None) -> list[_Branch]:
        """Return the branches below a task; tasks that wait for nobody and do the same are one."""
        by_task = {edge.to: edge for edge in edges if edge.to in self.graph.tasks}
        groups = groups_of(
            (self.graph.tasks[each] for each in by_task),
            self._states,
            apart=self._apart,
            also=lambda task: tuple(edge.to for edge in self.graph.edges(task)),
        )
        # A leaf below a long branch would be overlooked: those that wait for nobody come last.
        groups.sort(key=lambda group: not self.graph.edges(group.longest))
        above: tuple[bool, ...] = ()
        path = None
        if parent is not None:
            path = _Path(parent.group.longest.id, parent.path)
            above = (*parent.above, parent.follows)
        return [
            _Branch(group, by_task[group.longest.id] if parent else None, above, index > 0, path)
            for index, group in zip(range(len(groups) - 1, -1, -1), groups, strict=True)
        ]

    def _line(self, branch: _Branch, text: str, colour: str) -> str:
        """Return a line that only points to another one."""
        lead = self._rails(branch, "├─ ", "└─ ")
        return lead + self._screen.paint(self._screen.fit(lead + text)[len(lead) :], colour)

    def _lines(self, branch: _Branch, mark: str, *, goes_on: bool) -> Iterator[str]:
        """Iterate over the lines of a branch: two, if one has too little room for what tasks do.

        Args:
            branch: The branch.
            mark: What stands before the text.
            goes_on: Whether more branches follow below it.
        """
        lead = self._rails(branch, "├─ ", "└─ ")
        subject, doing = f"{mark}{self._subject(branch)}: ", self._doing(branch.group)
        found = [(lead, subject + doing)]
        width = self._screen.width
        if width is not None and cells(lead + subject + doing) > width:
            further = self._rails(branch, "│  ", "   ") + ("│  " if goes_on else "   ")
            shorter = self._doing(branch.group, width - cells(further))
            found = [(lead, subject.rstrip()), (further, shorter)]
        colour = _COLOURS.get(branch.group.state)
        for rails, text in found:
            text = self._screen.fit(rails + text)[len(rails) :]
            yield rails + (self._screen.paint(text, colour) if colour else text)

    def _rails(self, branch: _Branch, follows: str, ends: str) -> str:
        """Return the lines to the left of a branch, the last of which depends on what follows."""
        if branch.edge is None or not branch.above:
            return ""
        # The level of the left edge has no rails.
        rails = "".join("│  " if more else "   " for more in branch.above[1:])
        return rails + (follows if branch.follows else ends)

    def _subject(self, branch: _Branch) -> str:
        group = branch.group
        name = words.label(group.longest) if len(group.tasks) == 1 else group.name
        if len(group.tasks) > 1:
            name += f" {words.TIMES} {len(group.tasks):,}"
        holder = branch.edge.holder if branch.edge is not None else None
        if holder is None:
            return name
        held = f"held by {name}"
        if holder.since is not None:
            held += f" for {words.duration(holder.since)}"
        if holder.place is not None:
            held += f" since {self._place(holder.place)}"
        return held

    def _doing(self, group: Group, room: int | None = None) -> str:
        """Return what tasks do; with too little room, what they wait for is shortened."""
        task = group.longest
        end = f", at {self._place(task.place)}" if task.place is not None else ""
        since = words.duration(task.since) if task.since is not None else ""
        if task.wait is None:
            return f"{group.state} for {since}{end}" if since else f"{group.state}{end}"
        beginning = f"waits {since} for " if since else "waits for "
        what = group.waits_for
        if room is not None:
            what = shorten(what, max(room - cells(beginning) - cells(end), _SHORTEST))
        return beginning + what + end

    def _place(self, place: Place) -> str:
        whole = self._screen.width is None
        return words.place(place, whole=whole, function=whole)
