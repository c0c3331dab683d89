"""Rows of cells as lines with columns, which are as wide as needed and as the screen allows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from greenloop.monitoring.screen import cells, cut, pad, shorten

_GAP: Final = "  "


@dataclass(frozen=True, slots=True)
class Column:
    """A column."""

    title: str
    right: bool = False
    """Whether its cells stand at its right edge, as numbers do."""
    narrowest: int | None = None
    """The columns below which it is not shortened; None if it is never shortened."""
    at_its_end: bool = False
    """Whether it is shortened there, not in its middle: the end of a place matters least."""
    share: int = 1
    """How much of the room it gets where there is too little, compared to other columns."""


def lay_out(
    columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int | None
) -> Iterator[str]:
    """Iterate over the lines: the titles, then the rows.

    What does not fit is shortened, where most is above a column's share. A column that may be
    shortened and is empty in all rows is left out.

    Args:
        columns: The columns.
        rows: For each row, a text for each column.
        width: The columns of the screen, or None if lines may be as long as they are.
    """
    shown = [
        index
        for index, column in enumerate(columns)
        if column.narrowest is None or not rows or any(row[index] for row in rows)
    ]
    columns = [columns[index] for index in shown]
    rows = [[row[index] for index in shown] for row in rows]
    widths = [
        max([cells(column.title), *(cells(row[index]) for row in rows)])
        for index, column in enumerate(columns)
    ]
    if width is not None:
        _narrow(columns, widths, width - len(_GAP) * (len(columns) - 1))
    for row in ([column.title for column in columns], *rows):
        line = _GAP.join(
            pad((cut if column.at_its_end else shorten)(cell, size), size, right=column.right)
            for cell, size, column in zip(row, widths, columns, strict=True)
        ).rstrip()
        yield line if width is None else cut(line, width)


def _narrow(columns: Sequence[Column], widths: list[int], room: int) -> None:
    """Limit the cells that may be shortened to their shares of the room."""
    shortest = [
        size if column.narrowest is None else min(size, column.narrowest)
        for column, size in zip(columns, widths, strict=True)
    ]

    def limited(limit: int) -> list[int]:
        return [
            max(min(size, limit * column.share), least)
            for column, size, least in zip(columns, widths, shortest, strict=True)
        ]

    if sum(widths) <= room:
        return
    fits, too_wide = 0, max(widths)
    while too_wide - fits > 1:
        middle = (fits + too_wide) // 2
        if sum(limited(middle)) <= room:
            fits = middle
        else:
            too_wide = middle
    left = room - sum(limited(fits))
    # What no whole share is left of goes to those that could use it, from the right.
    for index, size in reversed([*enumerate(limited(fits))]):
        more = min(max(left, 0), widths[index] - size)
        widths[index] = size + more
        left -= more
