"""The words in which all texts for people speak of times, places, tasks and waits."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from typing import Final

from greenloop.monitoring.report import Place, Task, Wait

TIMES: Final = "\N{MULTIPLICATION SIGN}"
"""Stands before a number of tasks that do the same."""

_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
_MOST_DAYS = 9_999


def duration(seconds: float | None) -> str:
    """Return a length of time with two or three digits, `?` if it is not known."""
    if seconds is None:
        return "?"
    seconds = max(seconds, 0.0)
    if seconds < 0.9995:
        return _milliseconds(seconds * 1000)
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(min(seconds, (_MOST_DAYS + 1) * _DAY))
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE} min {whole % _MINUTE} s"
    if whole < _DAY:
        return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE} min"
    days = whole // _DAY
    if days > _MOST_DAYS:
        return f"over {_MOST_DAYS} d"
    return f"{days} d {whole % _DAY // _HOUR} h"


def clock(moment: float | None) -> str:
    """Return the time of day, in this machine's zone, of a Unix time in seconds."""
    if moment is None:
        return "?"
    try:
        return time.strftime("%H:%M:%S", time.localtime(moment)) + f"{moment % 1:.3f}"[1:5]
    except (OverflowError, OSError, ValueError):
        return "?"


def place(where: Place | None, *, whole: bool = False, function: bool = True) -> str:
    """Return a place as `file:line function`.

    Args:
        where: The place; of none, nothing is said.
        whole: Whether the path of the file is whole, else it is its name only.
        function: Whether the function is named.
    """
    if where is None:
        return ""
    file = where.file if whole else os.path.basename(where.file)
    line = f":{where.line}" if where.line else ""
    return f"{file}{line} {where.function if function else ''}".strip()


def short(qualified: str) -> str:
    """Return a qualified name without the marks of functions that are inside of others."""
    return qualified.replace(".<locals>", "")


def label(task: Task) -> str:
    """Return the name of a task with its number."""
    return f"{task.name or task.coroutine or 'task'} ({task.id})"


def amount(number: int, one: str, many: str = "") -> str:
    """Return a number of things: `1 task`, `1,000 tasks`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def nth(number: int) -> str:
    """Return an ordinal: `1st`, `22nd`, `113th`."""
    if number % 100 in (11, 12, 13):
        return f"{number}th"
    return f"{number}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th') }"


def what(wait: Wait | None) -> str:
    """Return what is waited for, without what changes from moment to moment."""
    if wait is None:
        return ""
    return wait.text or wait.kind


def waits_for(task: Task) -> str:
    """Return what a task waits for, its place in line, and when that ends by itself."""
    wait = task.wait
    if wait is None:
        return ""
    parts = [what(wait)]
    if wait.line is not None and wait.line > 1:
        parts.append(f"{nth(wait.line)} in line")
    if wait.ends_in is not None:
        parts.append(f"{duration(wait.ends_in)} left")
    elif task.timeout is not None:
        parts.append(f"times out in {duration(task.timeout)}")
    return ", ".join(parts)


def some(names: Iterable[str], most: int = 5) -> str:
    """Return names with commas; of more than `most` the first ones, and how many there are."""
    found = list(names)
    if len(found) <= most:
        return ", ".join(found)
    return f"{', '.join(found[:most])} and {len(found) - most:,} more"


def _milliseconds(value: float) -> str:
    if value < 9.95:
        return f"{value:.1f} ms"
    return f"{value:.0f} ms"
