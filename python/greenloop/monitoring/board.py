"""What `top` shows: a table of tasks with a cursor, or one task, as lines; and what its keys do.

It knows no terminal, so that it can be tried without one: `top` puts the lines on the screen and
tells which key was pressed.

    ┌─────────┐ 1 ┌──────────┐         1. Enter: `_open`
    │ table   ├──►│ one task │         2. Enter, Escape, Backspace: `_close`
    └─────────┘◄──┴──────────┘ 2
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from greenloop.monitoring import words
from greenloop.monitoring.grouping import Group, States, groups_of
from greenloop.monitoring.report import Report, Task
from greenloop.monitoring.screen import Screen
from greenloop.monitoring.stalls import stall_lines
from greenloop.monitoring.table import head, rows
from greenloop.monitoring.tree import branch

SORTS: Final[Mapping[str, tuple[str, Callable[[Group], Any] | None]]] = {
    "u": ("urgency", None),
    "i": ("id", lambda group: group.longest.id),
    "s": ("since", lambda group: -(group.longest.since or 0.0)),
    "n": ("name", lambda group: group.longest.name),
    "c": ("coroutine", lambda group: group.longest.coroutine),
    "w": ("wait", lambda group: group.waits_for),
    "p": ("place", lambda group: words.place(group.longest.place, whole=True)),
    "m": ("many", lambda group: -len(group.tasks)),
}
"""The keys that sort, each with its word and with what it sorts by."""

_HELP: Final = f"sort: {' '.join(SORTS)} · r reverse · a all · Enter one task · q quit"
_HELP_OF_A_TASK: Final = "Enter back · q quit"
_ROWS_OF_FOOTER: Final = 1


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the screen."""

    text: str
    chosen: bool = False
    """Whether the cursor is on it."""


class Board:
    """The state of the screen: what was reported last, and where the reader is in it."""

    def __init__(self) -> None:
        self._report: Report | None = None
        self._problem = ""
        self._groups: list[Group] = []
        self._sort = "u"
        self._reversed = False
        self._apart = False
        self._cursor = 0
        self._followed: int | None = None
        """The number of the task that the cursor stays on while others come and go."""
        self._open_task: int | None = None
        self._top = 0
        """The first line that is shown of what is longer than the screen."""
        self._page = 1

    def update(self, report: Report) -> None:
        """Show another report."""
        self._report, self._problem = report, ""
        self._arrange()

    def fail(self, problem: str) -> None:
        """Say why there is no new report; the last one stays."""
        self._problem = problem

    def press(self, key: str) -> bool:
        """Do what a key asks for; return whether `top` goes on.

        Args:
            key: The character, or `up`, `enter` and so on.
        """
        if key in ("q", "Q"):
            return False
        steps = {
            "up": -1,
            "k": -1,
            "down": 1,
            "j": 1,
            "pageup": -self._page,
            "pagedown": self._page,
            "home": -len(self._groups),
            "end": len(self._groups),
        }
        if key in steps:
            self._move(steps[key])
        elif self._open_task is not None:
            if key in ("enter", "escape", "backspace"):
                self._close()
        elif key == "enter":
            self._open()
        elif key in SORTS:
            self._sort = key
            self._arrange()
        elif key == "r":
            self._reversed = not self._reversed
            self._arrange()
        elif key == "a":
            self._apart = not self._apart
            self._arrange()
        return True

    def lines(self, screen: Screen, height: int) -> list[Line]:
        """Return the lines of the screen, at most `height`."""
        if self._report is None:
            return [Line(screen.fit(self._problem or "no report yet"))][:height]
        above = [Line(text) for text in head(self._report, screen)]
        if self._problem:
            above.insert(0, Line(screen.paint(screen.fit(self._problem), "red")))
        if self._open_task is None:
            titles, *below = rows(self._groups, screen)
            above += [Line(""), Line(titles)]
            found = [Line(text, index == self._cursor) for index, text in enumerate(below)]
        else:
            above.append(Line(""))
            found = [Line(text) for text in self._of_task(self._report, self._open_task, screen)]
        self._page = max(height - len(above) - _ROWS_OF_FOOTER, 1)
        self._scroll(len(found))
        shown = found[self._top : self._top + self._page]
        blank = [Line("")] * (self._page - len(shown))
        return [*above, *shown, *blank, self._footer(screen)][:height]

    def _arrange(self) -> None:
        """Make the groups anew, in their order; the cursor stays on its task, or where it is."""
        if self._report is None:
            return
        groups = groups_of(self._report.tasks, States(self._report), apart=self._apart)
        by = SORTS[self._sort][1]
        if by is not None:
            groups.sort(key=by)
        self._groups = groups[::-1] if self._reversed else groups
        for index, group in enumerate(self._groups):
            if any(task.id == self._followed for task in group.tasks):
                self._cursor = index
                break
        self._cursor = max(min(self._cursor, len(self._groups) - 1), 0)

    def _move(self, steps: int) -> None:
        if self._open_task is not None:
            self._top = max(self._top + steps, 0)
            return
        self._cursor = max(min(self._cursor + steps, len(self._groups) - 1), 0)
        if self._groups:
            self._followed = self._groups[self._cursor].longest.id

    def _scroll(self, length: int) -> None:
        if self._open_task is None:
            self._top = max(min(self._top, self._cursor), self._cursor - self._page + 1)
        self._top = max(min(self._top, length - self._page), 0)

    def _open(self) -> None:
        if self._groups:
            self._followed = self._open_task = self._groups[self._cursor].longest.id
            self._top = 0

    def _close(self) -> None:
        self._open_task = None
        self._top = 0

    def _footer(self, screen: Screen) -> Line:
        if self._open_task is not None:
            return Line(screen.paint(screen.fit(_HELP_OF_A_TASK), "dim"))
        order = SORTS[self._sort][0] + (", reversed" if self._reversed else "")
        return Line(screen.paint(screen.fit(f"by {order} · {_HELP}"), "dim"))

    def _of_task(self, report: Report, number: int, screen: Screen) -> Iterator[str]:
        task = next((each for each in report.tasks if each.id == number), None)
        if task is None:
            yield f"task {number} has ended"
            return
        yield screen.fit(f"{words.label(task)} · {task.coroutine} · {task.state}")
        yield from _awaited_by(report, task, screen)
        yield ""
        yield from branch(report, number, screen)
        for stall in report.stalls:
            if stall.task == number:
                yield ""
                yield from stall_lines([stall], screen)
        yield ""
        yield "stack, the innermost place last" if task.stack else "no stack"
        for place in task.stack:
            yield screen.shorten(f"  {words.place(place, whole=True)}")


def _awaited_by(report: Report, task: Task, screen: Screen) -> Iterator[str]:
    names = [words.label(each) for each in report.tasks if each.id in task.awaited_by]
    if names:
        yield screen.fit(f"awaited by {words.some(names)}")
