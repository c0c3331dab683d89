"""A sequence diagram as plain text, for a terminal.

```text
  main                    consumer
  │ ────── spawn ───────► │
  │                       │ get(q)
┌ 3 times
│ │ sleep                 │
│ │ ─── q: put → get ───► │
```
The columns are as wide as their texts. A diagram that would be too wide is a list of its rows.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from greenloop.tracing.folding import Once
from greenloop.tracing.sequence import Crowd, Diagram, Drawn, inside, is_framed, label, title

WIDTH: Final = 100
"""How many characters a line has at most."""

_ARROW_ENDS: Final = 8
"""The characters of an arrow's row beside its text: lifeline, blanks, two dashes and the head."""

_OUTER: Final = re.compile(r"\S*<locals>\.")


class _Line(NamedTuple):
    gutter: str
    """The frames around the row."""
    source: int
    target: int
    text: str
    is_answer: bool

    @property
    def ends(self) -> tuple[int, int]:
        """The lifelines of an arrow from left to right."""
        return min(self.source, self.target), max(self.source, self.target)


class _Title(NamedTuple):
    gutter: str
    text: str


def text(diagram: Diagram, width: int = WIDTH, *, durations: bool = True) -> str:
    """Return a diagram as lines of text.

    Args:
        diagram: The diagram.
        width: How many characters a line may have before the diagram becomes a list.
        durations: Whether waits have theirs.
    """
    lines = list(_lines(diagram.rows, 1, "", durations))
    names = [_short(lifeline.name) for lifeline in diagram.lifelines]
    gaps = _gaps(names, lines)
    gutter = max((len(line.gutter) for line in lines), default=0)
    last = len(names) - 1
    notes = [
        len(line.text) + 2
        for line in lines
        if isinstance(line, _Line) and line.source == line.target == last
    ]
    tail = max([len(name) for name in names[last:]] + notes, default=0)
    if gutter + sum(gaps[:last]) + tail > width:
        drawn = [_listed(line, names) for line in lines]
    else:
        drawn = ["".join(name.ljust(gap) for name, gap in zip(names, gaps, strict=True))]
        drawn = [" " * gutter + line for line in drawn]
        drawn += [_drawn(line, gaps, gutter) for line in lines]
    return "\n".join(line.rstrip() for line in drawn)


def _lines(
    rows: Iterable[Drawn], rounds: int, gutter: str, durations: bool
) -> Iterator[_Line | _Title]:
    for row in rows:
        if isinstance(row, Once):
            shape = row.thing
            target = shape.source if shape.is_note else shape.target
            words = _short(label(row, rounds, durations=durations))
            yield _Line(gutter, shape.source, target, words, shape.is_answer)
        elif not is_framed(row):
            yield from _lines(inside(row), rounds, gutter, durations)
        else:
            around = 1 if isinstance(row, Crowd) else row.count
            yield _Title(gutter, title(row))
            yield from _lines(inside(row), rounds * around, gutter + "│ ", durations)


def _short(words: str) -> str:
    """Return words on one line; of a nested function or class without those that it is in."""
    return " ".join(_OUTER.sub("", words).split())


def _gaps(names: list[str], lines: list[_Line | _Title]) -> list[int]:
    """Return the distance from each lifeline to the next, which has room for all texts."""
    gaps = [len(name) + 2 for name in names]
    arrows = [line for line in lines if isinstance(line, _Line)]
    # Long arrows come last: what lies between their ends is as wide as it will be.
    for line in sorted(arrows, key=lambda line: line.ends[1] - line.ends[0]):
        left, right = line.ends
        if left == right:
            gaps[left] = max(gaps[left], len(line.text) + 3)
            continue
        missing = len(line.text) + _ARROW_ENDS - sum(gaps[left:right])
        gaps[right - 1] += max(missing, 0)
    return gaps


def _drawn(line: _Line | _Title, gaps: list[int], gutter: int) -> str:
    if isinstance(line, _Title):
        return f"{line.gutter}┌ {line.text}"
    cells = ["│".ljust(gap) for gap in gaps]
    left, right = line.ends
    if left == right:
        cells[left] = f"│ {line.text}".ljust(gaps[left])
    else:
        dash = "╌" if line.is_answer else "─"
        room = sum(gaps[left:right]) - 4
        shaft = f" {line.text} ".center(room, dash)
        arrow = f"{shaft}►" if line.source < line.target else f"◄{shaft}"
        cells[left:right] = [f"│ {arrow} "]
    return line.gutter.ljust(gutter) + "".join(cells)


def _listed(line: _Line | _Title, names: list[str]) -> str:
    if isinstance(line, _Title):
        return f"{line.gutter}┌ {line.text}"
    if line.source == line.target:
        return f"{line.gutter}{names[line.source]}: {line.text}"
    return f"{line.gutter}{names[line.source]} ─► {names[line.target]}: {line.text}"
