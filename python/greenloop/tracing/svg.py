"""A sequence diagram as an SVG file that needs nothing else: for documents, light and dark.

Lifelines are columns of one width, rows have one height, and on the left are the times at which
rows begin. A loop is a frame around the lifelines that its round touches. Texts are measured by
their number of characters, since nothing here knows a font; one that does not fit is cut, and its
`<title>`, which browsers show under the pointer, has all of it.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterable, Iterator

from greenloop.tracing.folding import Once, Repeat
from greenloop.tracing.interactions import Sort
from greenloop.tracing.lifelines import Lifeline
from greenloop.tracing.sequence import (
    Diagram,
    Drawn,
    Shape,
    duration,
    inside,
    is_framed,
    label,
    title,
)

_ROW = 34
_HEAD = 56
"""The height of the boxes with the names of the lifelines, and the space around them."""
_TIMES = 76
"""The width of the column of times."""
_TAB = 26
"""The height of a frame's title."""
_MARGIN = 12
_NARROWEST, _WIDEST = 130, 280
"""Bounds of the width of a column."""
_PER_CHARACTER = 6.4
_BOLD = 1.15
"""How much wider a bold character is."""
_INSET, _DEEPEST = 5, 4
"""How much smaller on each side a frame is than the one around it, down to which depth."""
_BESIDE_NOTES = 2 * (4 + _INSET * _DEEPEST) + 4
"""How much narrower than its column a note is, at least: so it lies within all frames."""

_STYLE = """
.gl-sequence { --paper: #ffffff; --ink: #1d2733; --faint: #6c7a89; --line: #c3ccd6;
  --box: #eef2f7; --note: #fdf3d0; --edge: #d9b84a; --frame: #7a6ff0; --data: #1769c4;
  --wake: #14804a; --cancel: #c2410c; --alarm: #fde2dd;
  font: 12px system-ui, "Segoe UI", Roboto, Helvetica, Arial, sans-serif; }
@media (prefers-color-scheme: dark) { .gl-sequence { --paper: #14181d; --ink: #e4e9ef;
  --faint: #93a1b0; --line: #46515e; --box: #232b35; --note: #3a3420; --edge: #a3893a;
  --frame: #9d94ff; --data: #6db1ff; --wake: #5fd397; --cancel: #ff9466; --alarm: #4a2620; } }
.gl-sequence .paper { fill: var(--paper); }
.gl-sequence text { fill: var(--ink); text-anchor: middle; }
.gl-sequence .life { stroke: var(--line); stroke-dasharray: 4 4; }
.gl-sequence .box { fill: var(--box); stroke: var(--line); }
.gl-sequence .name { font-weight: 600; }
.gl-sequence .time { fill: var(--faint); text-anchor: end; font-size: 11px; }
.gl-sequence .note { fill: var(--note); stroke: var(--edge); }
.gl-sequence .alarm { fill: var(--alarm); stroke: var(--cancel); }
.gl-sequence .frame { fill: var(--frame); fill-opacity: .05; stroke: var(--frame); }
.gl-sequence .tab { fill: var(--frame); text-anchor: start; font-weight: 600; }
.gl-sequence .arrow { stroke: var(--ink); fill: none; stroke-width: 1.4; }
.gl-sequence .tip { fill: var(--ink); }
.gl-sequence .dashed { stroke-dasharray: 5 3; }
.gl-sequence .data .arrow { stroke: var(--data); }  .gl-sequence .data .tip { fill: var(--data); }
.gl-sequence .wake .arrow { stroke: var(--wake); }  .gl-sequence .wake .tip { fill: var(--wake); }
.gl-sequence .cancel .arrow { stroke: var(--cancel); }
.gl-sequence .cancel .tip { fill: var(--cancel); }
"""

_COLOURS = {
    Sort.PASS: "data",
    Sort.CARRY: "data",
    Sort.SEND: "data",
    Sort.RECEIVE: "data",
    Sort.WAKE: "wake",
    Sort.CANCEL: "cancel",
}


def svg(diagram: Diagram, name: str = "Sequence diagram") -> str:
    """Return a diagram as the text of an SVG file.

    Args:
        diagram: The diagram that `sequence` made of a trace.
        name: The name of the picture, for readers who do not see it.
    """
    drawing = _Drawing(diagram)
    body = [*drawing.frames(diagram.rows), *drawing.rows(diagram.rows)]
    bottom = _HEAD + _height(diagram.rows) + _MARGIN
    heads = [line for each in enumerate(diagram.lifelines) for line in drawing.head(*each, bottom)]
    height, width = bottom + _MARGIN, drawing.width
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="gl-sequence" role="img"'
        f' width="{width}" height="{height}" viewBox="0 0 {width} {height}">',
        f"<title>{_escaped(name)}</title>",
        f"<style>{_STYLE}</style>",
        f'<rect class="paper" width="{width}" height="{height}"/>',
        *heads,
        *body,
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


class _Drawing:
    """Where things are: columns from left to right, and how far down the rows have come."""

    def __init__(self, diagram: Diagram) -> None:
        self.column = _column_width(diagram)
        self.width = _TIMES + self.column * max(1, len(diagram.lifelines)) + _MARGIN
        self.y = float(_HEAD)
        self.time = ""

    def x(self, lifeline: int) -> float:
        """Return where the line of a lifeline is."""
        return _TIMES + self.column * (lifeline + 0.5)

    def head(self, index: int, lifeline: Lifeline, bottom: float) -> Iterator[str]:
        """Draw a lifeline down to `bottom`, and its name above; a class is a pile of boxes."""
        x, width = self.x(index), self.column - 14
        yield f'<line class="life" x1="{x:g}" y1="40" x2="{x:g}" y2="{bottom:g}"/>'
        for shift in (3, 0) if len(lifeline.tasks) > 1 else (0,):
            yield (
                f'<rect class="box" rx="5" x="{x - width / 2 + shift:g}" y="{12 - shift}"'
                f' width="{width:g}" height="28"/>'
            )
        yield _text(lifeline.name, x, 30, (width - 12) / _BOLD, "name")

    def frames(self, rows: Iterable[Drawn]) -> Iterator[str]:
        """Draw the frames around loops, outer ones first, so that rows stand on them."""
        yield from self._frames(rows, _HEAD, 0)

    def _frames(self, rows: Iterable[Drawn], y: float, depth: int) -> Iterator[str]:
        for row in rows:
            if is_framed(row):
                touched = [*_touched([row])]
                inset = 4 + _INSET * min(depth, _DEEPEST)
                left = self.x(min(touched)) - self.column / 2 + inset
                right = self.x(max(touched)) + self.column / 2 - inset
                height = _height([row]) - 6
                yield (
                    f'<rect class="frame" rx="6" x="{left:g}" y="{y + 2:g}"'
                    f' width="{right - left:g}" height="{height:g}"/>'
                )
                yield _text(title(row), left + 8, y + 17, right - left - 16, "tab")
                yield from self._frames(inside(row), y + _TAB, depth + 1)
            y += _height([row])

    def rows(self, rows: Iterable[Drawn], rounds: int = 1) -> Iterator[str]:
        """Draw the rows in the frames: arrows, notes and times."""
        for row in rows:
            if isinstance(row, Once):
                yield from self._row(row, rounds)
            elif not is_framed(row):
                yield from self.rows(inside(row), rounds)
            else:
                self.y += _TAB
                yield from self.rows(
                    inside(row), rounds * row.count if isinstance(row, Repeat) else rounds
                )
                self.y += _height([row]) - _TAB - _height(inside(row))

    def _row(self, row: Once[Shape], rounds: int) -> Iterator[str]:
        middle = self.y + _ROW / 2
        shape, text = row.thing, label(row, rounds)
        # An arrow stands where it arrives: an item may have been in its queue for long.
        time = duration(row.start if shape.is_note else row.end)
        if time != self.time:
            self.time = time
            yield f'<text class="time" x="{_TIMES - 10}" y="{middle + 4:g}">{time}</text>'
        if shape.is_note:
            yield from self._note(shape, text, middle)
        else:
            yield from self._arrow(shape, text, middle)
        self.y += _ROW

    def _note(self, shape: Shape, text: str, y: float) -> Iterator[str]:
        x, widest = self.x(shape.source), self.column - _BESIDE_NOTES
        width = min(_width(text) + 16, widest)
        style = "note" if shape.sort is Sort.WAIT else "alarm"
        yield (
            f'<rect class="{style}" rx="4" x="{x - width / 2:g}" y="{y - 11:g}"'
            f' width="{width:g}" height="22"/>'
        )
        yield _text(text, x, y + 4, width - 8)

    def _arrow(self, shape: Shape, text: str, y: float) -> Iterator[str]:
        start, end = self.x(shape.source), self.x(shape.target)
        dashed = " dashed" if shape.is_answer else ""
        yield f'<g class="{_COLOURS.get(shape.sort, "plain")}">'
        if start == end:
            path = f"M{start:g} {y - 4:g}h22v12h-18"
            yield f'<path class="arrow{dashed}" d="{path}"/>' + _tip(start, y + 8, -1)
            yield _text(text, start, y - 9, self.column - 16)
        else:
            direction = 1 if end > start else -1
            yield (
                f'<line class="arrow{dashed}" x1="{start:g}" y1="{y + 4:g}"'
                f' x2="{end - 6 * direction:g}" y2="{y + 4:g}"/>' + _tip(end, y + 4, direction)
            )
            yield _text(text, (start + end) / 2, y - 2, abs(end - start) - 16)
        yield "</g>"


def _tip(x: float, y: float, direction: int) -> str:
    back = x - 8 * direction
    return f'<path class="tip" d="M{x:g} {y:g}L{back:g} {y - 4:g}V{y + 4:g}z"/>'


def _height(rows: Iterable[Drawn]) -> float:
    return sum(
        _ROW if isinstance(row, Once) else _height(inside(row)) + (is_framed(row) and _TAB + 8)
        for row in rows
    )


def _touched(rows: Iterable[Drawn]) -> Iterator[int]:
    for row in rows:
        if isinstance(row, Once):
            yield row.thing.source
            yield row.thing.target
        else:
            yield from _touched(inside(row))


def _column_width(diagram: Diagram) -> float:
    """Return the width at which texts fit into their columns, if one below the bound does."""
    needed = [_width(each.name) * _BOLD + 26 for each in diagram.lifelines]

    def measure(rows: Iterable[Drawn]) -> None:
        for row in rows:
            if isinstance(row, Once):
                columns = max(1, abs(row.thing.source - row.thing.target))
                beside = _BESIDE_NOTES + 16 if row.thing.is_note else 24
                needed.append((_width(label(row)) + beside) / columns)
            else:
                measure(inside(row))

    measure(diagram.rows)
    return round(min(max([_NARROWEST, *needed]), _WIDEST))


def _width(text: str) -> float:
    wide = sum(unicodedata.east_asian_width(character) in "WF" for character in text)
    return _PER_CHARACTER * (len(text) + wide)


def _text(text: str, x: float, y: float, space: float, style: str = "") -> str:
    """Return a text, cut to the space that there is, with all of it as the title."""
    shown = text
    if _width(text) > space:
        while shown and _width(shown + "…") > space:
            shown = shown[:-1]
        shown += "…"
    attribute = f' class="{style}"' if style else ""
    title = f"<title>{_escaped(text)}</title>" if shown != text else ""
    return f'<text{attribute} x="{x:g}" y="{y:g}">{title}{_escaped(shown)}</text>'


# XML 1.0 has no way to write most control characters and halves of surrogate pairs.
_NOT_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def _escaped(text: str) -> str:
    return html.escape(_NOT_XML.sub("\ufffd", text))
