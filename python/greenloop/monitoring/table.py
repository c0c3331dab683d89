"""The table of tasks, which `ps` prints: what each does, since when, and where in its source."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from greenloop.monitoring import words
from greenloop.monitoring.columns import Column, lay_out
from greenloop.monitoring.grouping import Group, States, groups_of
from greenloop.monitoring.report import Loop, Report
from greenloop.monitoring.screen import Screen

COLUMNS: Final = (
    Column("ID", right=True),
    Column("STATE"),
    Column("SINCE", right=True),
    Column("NAME", narrowest=8),
    Column("COROUTINE", narrowest=9),
    Column("WAITS FOR", narrowest=12, share=3),
    Column("PLACE", narrowest=10, at_its_end=True, share=2),
)
_COLOURS: Final = {"deadlock": "red", "stalling": "red", "running": "green", "ready": "yellow"}


def table(report: Report, screen: Screen, *, apart: bool = False) -> Iterator[str]:
    """Iterate over the lines that `ps` prints of a process.

    Args:
        report: What the process has answered.
        screen: What the lines are for.
        apart: Whether tasks that do the same have a line each.
    """
    yield from head(report, screen)
    groups = groups_of(report.tasks, States(report), apart=apart)
    if not groups:
        yield "no tasks"
        return
    yield ""
    yield from rows(groups, screen)
    yield from left_out(report)


def left_out(report: Report) -> Iterator[str]:
    """Iterate over the line that says how many tasks a report has left out, if there are any."""
    number = int(report.counters.get("tasks_left_out", 0))
    if number > 0:
        yield f"{words.amount(number, 'more task')} that the process has left out"


def rows(groups: Sequence[Group], screen: Screen) -> Iterator[str]:
    """Iterate over the lines of the table itself, which begins with its titles."""
    whole = screen.width is None
    texts = lay_out(COLUMNS, [_row(group, whole=whole) for group in groups], screen.width)
    yield screen.paint(next(texts), "bold")
    for group, line in zip(groups, texts, strict=True):
        colour = _COLOURS.get(group.state)
        yield screen.paint(line, colour) if colour else line


def head(report: Report, screen: Screen, *, deadlocks: bool = True) -> Iterator[str]:
    """Iterate over the lines that say which process it is, and what is wrong with it.

    Args:
        report: What the process has answered.
        screen: What the lines are for.
        deadlocks: Whether deadlocks are named, too.
    """
    versions = f"Python {report.python or '?'}, Greenloop {report.greenloop or '?'}"
    parts = [f"process {report.pid}", versions, f"watched for {words.duration(report.watched_for)}"]
    if report.program:
        parts.insert(1, " ".join(report.program))
    yield from joined(parts, screen)
    for loop in report.loops:
        yield from joined(_of_loop(loop, report), screen)
    for line in _troubles(report, deadlocks=deadlocks):
        for folded in screen.wrap(line):
            yield screen.paint(folded, "red")


def joined(parts: Sequence[str], screen: Screen) -> Iterator[str]:
    """Iterate over lines with all parts, each of which is cut only if it fits no line alone."""
    line = ""
    for part in parts:
        longer = f"{line} · {part}" if line else part
        if line and screen.fit(longer) != longer:
            yield screen.fit(line)
            longer = f"  {part}"
        line = longer
    yield screen.fit(line)


def _troubles(report: Report, *, deadlocks: bool) -> Iterator[str]:
    if report.stale is not None:
        because = f": {report.stale.because}" if report.stale.because else ""
        yield f"this is how it was {words.duration(report.stale.age)} ago{because}"
    for stall in report.stalls:
        if not stall.over:
            who = f"{stall.name} ({stall.task})" if stall.task is not None else "something"
            length = words.duration(stall.length)
            yield f"{who} has kept loop {stall.loop} for {length}: {stall.text or stall.kind}"
    for deadlock in report.deadlocks if deadlocks else ():
        names = words.some(f"{party.name} ({party.task})" for party in deadlock.parties)
        yield f"deadlock of {names}; `python -m greenloop tree {report.pid}` tells more"


def processes(found: Iterable[tuple[int, Report | str]], screen: Screen) -> Iterator[str]:
    """Iterate over the lines that `ps` prints of all processes that watch themselves.

    Args:
        found: For each process its number, and its report or why there is none.
        screen: What the lines are for.
    """
    columns = (
        Column("PID", right=True),
        Column("TASKS", right=True),
        Column("WATCHED", right=True),
        Column("TROUBLE", narrowest=7),
        Column("PROGRAM", narrowest=10),
    )
    yield from lay_out(columns, [_of_process(*each) for each in found], screen.width)


def _of_process(pid: int, report: Report | str) -> tuple[str, ...]:
    if isinstance(report, str):
        return (str(pid), "?", "?", "", report)
    parts = []
    if report.deadlocks:
        parts.append(words.amount(len(report.deadlocks), "deadlock"))
    stalls = sum(not stall.over for stall in report.stalls)
    if stalls:
        parts.append(words.amount(stalls, "stall"))
    return (
        str(pid),
        f"{len(report.tasks):,}",
        words.duration(report.watched_for),
        ", ".join(parts),
        " ".join(report.program),
    )


def _of_loop(loop: Loop, report: Report) -> list[str]:
    state = loop.state or "?"
    if loop.task is not None:
        name = next((words.label(each) for each in report.tasks if each.id == loop.task), "")
        state += f" {name or loop.task}"
    parts = [
        f"loop {loop.id}: {state}",
        f"{loop.ready:,} ready",
        words.amount(loop.timers, "timer"),
        words.amount(loop.descriptors, "descriptor"),
    ]
    lag = loop.lag
    if lag.p99 is not None:
        parts.append(f"lag p99 {words.duration(lag.p99)}, max {words.duration(lag.max)}")
    return parts


def _row(group: Group, *, whole: bool) -> tuple[str, ...]:
    task, many = group.longest, len(group.tasks)
    where = words.place(task.place, whole=whole)
    function = task.place.function if task.place is not None else ""
    if function and function in (task.coroutine, task.coroutine.rpartition(".")[2]) and not whole:
        where = where.removesuffix(f" {function}")
    return (
        str(task.id) if many == 1 else f"{words.TIMES} {many:,}",
        group.state,
        words.duration(task.since) if task.since is not None else "",
        group.name,
        task.coroutine if whole else words.short(task.coroutine),
        group.waits_for,
        where if whole else words.short(where),
    )
