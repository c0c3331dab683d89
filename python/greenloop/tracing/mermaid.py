"""A sequence diagram as Mermaid text, which documents and code hosts draw.

The syntax is that of https://mermaid.js.org/syntax/sequenceDiagram.html. A text of ours may hold
anything, since programs choose their names; a character that Mermaid would understand is written
as its code, like `#59;`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from greenloop.tracing.folding import Once
from greenloop.tracing.sequence import (
    Crowd,
    Diagram,
    Drawn,
    Shape,
    inside,
    is_framed,
    label,
    title,
)

_SPECIAL = re.compile(
    r"""[#;<>&%$@{}"`\\]      # entities, ends of statements, HTML, comments, formulas, directives
      | (?<=^wrap): | (?<=^nowrap):     # a prefix that a message may have
      | :(?![ ])            # text like a style, whose semicolons Mermaid takes away
      | \be(?=nd\b)             # the end of a block
      | [^\x20-\ud7ff\ue000-\U0010ffff] | [\x7f-\x9f]     # no text""",
    re.VERBOSE | re.IGNORECASE,
)


def mermaid(diagram: Diagram) -> str:
    """Return a diagram as the text of a Mermaid diagram, without a fence around it."""
    lines = ["sequenceDiagram"]
    for index, lifeline in enumerate(diagram.lifelines):
        lines.append(f"    participant L{index} as {_escaped(lifeline.name)}")
    lines += _lines(diagram.rows, 1, "    ")
    return "\n".join(lines) + "\n"


def _lines(rows: Iterable[Drawn], rounds: int, indent: str) -> Iterator[str]:
    for row in rows:
        if isinstance(row, Once):
            yield indent + _line(row, rounds)
        elif not is_framed(row):
            yield from _lines(inside(row), rounds, indent)
        else:
            block, around = ("opt", 1) if isinstance(row, Crowd) else ("loop", row.count)
            yield f"{indent}{block} {title(row)}"
            yield from _lines(inside(row), rounds * around, indent + "    ")
            yield f"{indent}end"


def _line(row: Once[Shape], rounds: int) -> str:
    shape, text = row.thing, _escaped(label(row, rounds))
    if shape.is_note:
        return f"Note over L{shape.source}: {text}"
    arrow = "-->>" if shape.is_answer else "->>"
    return f"L{shape.source}{arrow}L{shape.target}: {text}"


def _escaped(text: str) -> str:
    """Write a text on one line, with codes for all that Mermaid or HTML would not take as text."""
    return _SPECIAL.sub(lambda found: f"#{_code(found[0])};", " ".join(text.split()) or "?")


def _code(character: str) -> int:
    # Half of a surrogate pair and most control characters have no code in HTML.
    return ord(character) if character.isprintable() else 0xFFFD
