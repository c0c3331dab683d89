"""Draws the bar charts of the benchmarks, from the JSON that `make bench` writes.

The figures and the pictures are a part of the repository, so that the README can show one. `make
charts` draws the pictures anew; building the site only checks that they are what the figures say.
"""

from __future__ import annotations

import html
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.util import logging

_BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"

_LABEL, _PLOT, _VALUE = 288, 340, 60
_BAR, _GAP, _HEAD = 15, 12, 52
_STYLE = """
  .c { --ink: #1d2733; --faint: #5c6a79; --grid: #d5dce4; --paper: #ffffff;
    font: 13px system-ui, "Segoe UI", Roboto, Helvetica, Arial, sans-serif; }
  @media (prefers-color-scheme: dark) { .c { --ink: #e4e9ef; --faint: #9fadbc; --grid: #3a4450;
    --paper: #14181d; } }
  .c text { fill: var(--ink); } .c .faint { fill: var(--faint); font-size: 12px; }
  .c .title { font-weight: 600; font-size: 14px; } .c line { stroke: var(--grid); }
  .c .paper { fill: var(--paper); }
  .c .b0 { fill: #8796a5; } .c .b1 { fill: #b98a2f; } .c .b2 { fill: #5aa980; }
  .c .b3 { fill: #14804a; }
"""


@dataclass(frozen=True)
class Chart:
    """One picture: how many times cheaper each contestant is than the first, row by row."""

    name: str
    source: str
    title: str
    contestants: Mapping[str, str]
    rows: Sequence[str]


_WHOLE = {
    "uvloop": "uvloop",
    "greenloop": "Greenloop as the loop",
    "greenloop-native": "Greenloop whole",
}
CHARTS = (
    Chart(
        "first-screen",
        "scheduler-cpython-313.json",
        "How many times cheaper than asyncio (CPU time, CPython 3.13)",
        {"uvloop": "uvloop", "greenloop-native": "Greenloop"},
        (
            "sleep0-1",
            "create-task",
            "gather-100",
            "queue-1-join",
            "queue-unbounded",
            "timers-fired",
        ),
    ),
    Chart(
        "scheduler-cpython-313",
        "scheduler-cpython-313.json",
        "How many times cheaper than asyncio (CPU time, CPython 3.13)",
        _WHOLE,
        (),
    ),
)


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect with Sphinx."""
    app.connect("builder-inited", _check)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _check(_app: Sphinx) -> None:
    for chart in CHARTS:
        path = _BENCHMARKS / f"{chart.name}.svg"
        if not path.exists() or path.read_text(encoding="utf-8") != draw(chart):
            logging.getLogger(__name__).warning(
                "%s is not what its figures say: `make charts` draws it", path.name
            )


def cheaper(results: Mapping[str, Any], contestant: str) -> float | None:
    """How many times cheaper than asyncio a contestant is in a row, from its ratio to uvloop."""
    found = results.get(contestant, {}).get("cpu_ns")
    base = results.get("asyncio", {}).get("cpu_ns")
    return None if found is None or base is None else found["ratio"] / base["ratio"]


def draw(chart: Chart) -> str:
    """Return the picture as a text of SVG."""
    document = json.loads((_BENCHMARKS / chart.source).read_text(encoding="utf-8"))
    names = chart.rows or document["workloads"]
    rows = [document["workloads"][name] for name in names]
    values = [
        [cheaper(row["results"], contestant) for contestant in chart.contestants] for row in rows
    ]
    most = max(value for row in values for value in row if value is not None)
    return "\n".join(_lines(chart, [row["title"] for row in rows], values, most)) + "\n"


def _lines(
    chart: Chart, titles: Sequence[str], values: Sequence[Sequence[float | None]], most: float
) -> Iterator[str]:
    of_row = len(chart.contestants) * _BAR + _GAP
    width, height = _LABEL + _PLOT + _VALUE, _HEAD + len(titles) * of_row + 8
    scale = _PLOT / most
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="c" viewBox="0 0 {width} {height}"'
        f' width="{width}" height="{height}" role="img">'
    )
    yield f"<title>{html.escape(chart.title)}</title>"
    yield f"<style>{_STYLE}</style>"
    yield f'<rect class="paper" width="{width}" height="{height}" rx="8"/>'
    yield f'<text class="title" x="12" y="20">{html.escape(chart.title)}</text>'
    x = 12.0
    for number, label in enumerate(chart.contestants.values()):
        shade = _shade(number, len(chart.contestants))
        yield f'<rect class="{shade}" x="{x:.0f}" y="31" width="11" height="11"/>'
        yield f'<text class="faint" x="{x + 16:.0f}" y="41">{html.escape(label)}</text>'
        x += 34 + 6.6 * len(label)
    top = _HEAD
    one = _LABEL + scale
    yield f'<line x1="{one:.1f}" x2="{one:.1f}" y1="{top - 4}" y2="{height - 8}"/>'
    for title, row in zip(titles, values, strict=True):
        middle = top + (of_row - _GAP) / 2 + 4
        yield (
            f'<text x="{_LABEL - 10}" y="{middle:.0f}" text-anchor="end">'
            f"{html.escape(title)}</text>"
        )
        for number, value in enumerate(row):
            if value is not None:
                y = top + number * _BAR
                length = max(value * scale, 1)
                shade = _shade(number, len(row))
                yield (
                    f'<rect class="{shade}" x="{_LABEL}" y="{y}" width="{length:.1f}"'
                    f' height="{_BAR - 3}"/>'
                )
                yield (
                    f'<text class="faint" x="{_LABEL + length + 6:.1f}" y="{y + _BAR - 5}">'
                    f"{value:.1f}×</text>"
                )
        top += of_row
    yield "</svg>"


def _shade(number: int, of: int) -> str:
    # The last one is Greenloop's green, whatever the number of contestants.
    return f"b{3 - (of - 1 - number)}" if of > 2 else ("b1", "b3")[number]


if __name__ == "__main__":
    for each in CHARTS:
        (_BENCHMARKS / f"{each.name}.svg").write_text(draw(each), encoding="utf-8")
        print(f"{each.name}.svg")
