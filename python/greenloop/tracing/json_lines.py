"""A trace as JSON lines: the head, then one object for each event, with names in place of numbers.

`docs/trace-format.md` defines it; fields that are 0 are left out. It is for tools that search lines
of text, and for readers that know nothing of columns; the document of columns is shorter.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any, TextIO

from greenloop.tracing.document import BYTES_PER_EVENT, Event, Trace, columns_of
from greenloop.tracing.head import TraceError, head_of
from greenloop.tracing.kinds import (
    name_of_detail,
    name_of_kind,
    number_of_detail,
    number_of_kind,
)

_LIMITS = (
    ("time", 0, 1 << 63),
    ("kind", 0, 1 << 8),
    ("detail", 0, 1 << 8),
    ("task", 0, 1 << 32),
    ("other", 0, 1 << 32),
    ("site", 0, 1 << 32),
    ("value", -(1 << 63), 1 << 63),
)
"""The fields of an event with the lowest number that fits, and the first one that does not."""


def write(trace: Trace, file: TextIO) -> None:
    """Write a trace as JSON lines.

    Args:
        trace: The recording.
        file: A text file, which should be UTF-8; only ASCII is written.

    Raises:
        OSError: The file cannot be written.
    """
    file.writelines(lines(trace))


def lines(trace: Trace) -> Iterator[str]:
    """Iterate over the lines, each with its line end."""
    yield json.dumps(trace.head_as_json(), separators=(",", ":")) + "\n"
    # The two names that begin a line after the time are the same for most events.
    beginnings: dict[tuple[int, int], str] = {}
    for time, kind, detail, task, other, site, value in trace.rows():
        middle = beginnings.get((kind, detail))
        if middle is None:
            middle = f',"kind":{json.dumps(name_of_kind(kind))}'
            if detail:
                middle += f',"detail":{json.dumps(name_of_detail(kind, detail))}'
            beginnings[kind, detail] = middle
        line = f'{{"time":{time}{middle}'
        if task:
            line += f',"task":{task}'
        if other:
            line += f',"other":{other}'
        if site:
            line += f',"site":{site}'
        if value:
            line += f',"value":{value}'
        yield line + "}\n"


def read(file: Iterable[str]) -> Trace:
    """Read the trace that `write` wrote.

    Args:
        file: The lines, such as an open text file.

    Raises:
        TraceError: A line is no event, or the first one no head; the message has its number.
    """
    left = enumerate(file, 1)
    number, first = next(left, (1, ""))
    head = _object(number, first)
    expected = head_of(head).events
    columns = columns_of(_event(number, line) for number, line in left)
    count = len(columns) // BYTES_PER_EVENT
    if count != expected:
        wrong = "cut off" if count < expected else "longer than its head says"
        raise TraceError(f"the trace has {count} events, expected {expected}; the file is {wrong}")
    return Trace(head, columns)


def _object(number: int, line: str) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise TraceError(f"line {number} of the trace is {line[:40]!r}, expected a JSON object")
    return found


def _event(number: int, line: str) -> Event:
    found = _object(number, line)
    name, detail_name = found.get("kind"), found.get("detail", 0)
    try:
        kind = number_of_kind(name)  # type: ignore[arg-type]  # None is no key.
    except (KeyError, TypeError):
        raise TraceError(
            f"line {number} of the trace has the kind {name!r:.60}, expected a kind of event"
        ) from None
    try:
        detail = number_of_detail(kind, detail_name)
    except (KeyError, TypeError):
        raise TraceError(
            f"line {number} of the trace has the detail {detail_name!r:.60},"
            f" expected one of {name!r:.60}"
        ) from None
    found["kind"], found["detail"] = kind, detail
    for field, lowest, beyond in _LIMITS:
        value = found.get(field, 0)
        if type(value) is not int or not lowest <= value < beyond:
            raise TraceError(
                f"line {number} of the trace has {field} {value!r:.60},"
                f" expected a number from {lowest} to {beyond - 1}"
            )
    get = found.get
    return Event(
        get("time", 0),
        kind,
        detail,
        get("task", 0),
        get("other", 0),
        get("site", 0),
        get("value", 0),
    )
