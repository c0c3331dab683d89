"""`Report`: what a program runs on, as text to paste into a report of a bug, and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any


class Report:
    """Sections of named facts. `str(report)` is text for people, `json()` is for programs.

    A fact is a string, a number, a truth value, None, or a list of strings.
    """

    def __init__(self, sections: Mapping[str, Mapping[str, Any]]) -> None:
        self.sections = sections

    def json(self) -> str:
        """Return the sections as a JSON object of objects, indented."""
        return json.dumps(self.sections, indent=2)

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def __repr__(self) -> str:
        # At an interactive prompt the text is what one wants to see.
        return str(self)

    def _lines(self) -> Iterator[str]:
        for title, facts in self.sections.items():
            yield title
            width = max(map(len, facts), default=0)
            for name, fact in facts.items():
                yield f"  {name:{width}}  {_words(fact)}"
            if not facts:
                yield "  none"


def _words(fact: Any) -> str:
    if fact is None:
        return "unknown"
    if isinstance(fact, bool):
        return "yes" if fact else "no"
    if isinstance(fact, (list, tuple)):
        return ", ".join(map(str, fact)) or "none"
    return str(fact)
