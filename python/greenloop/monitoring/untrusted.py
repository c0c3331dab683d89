"""Values of a document that somebody else wrote: each is made what it should be, or left out.

No value is refused, so that a document of another version can still be read. Texts lose what could
steer a terminal: control characters, also those of C1, marks of the direction of writing, and
surrogates are shown as Python writes them in a literal.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, Final

_LARGEST: Final = 1 << 63
"""No count and no number of a task is as large."""


def text(found: Any) -> str:
    """Return a text of one line; what is no text becomes an empty one."""
    if not isinstance(found, str):
        return ""
    if found.isprintable():
        return found
    return "".join(each if each.isprintable() else _escaped(each) for each in found)


def text_or_none(found: Any) -> str | None:
    """Return a text of one line, or None if it is no text."""
    return text(found) if isinstance(found, str) else None


def lines(found: Any) -> tuple[str, ...]:
    """Return the lines of a text; what is no text has none."""
    return tuple(map(text, found.split("\n"))) if isinstance(found, str) and found else ()


def number(found: Any) -> float | None:
    """Return a finite number, or None."""
    if isinstance(found, bool) or not isinstance(found, int | float):
        return None
    if isinstance(found, int) and abs(found) >= _LARGEST:
        return None
    return float(found) if math.isfinite(found) else None


def integer(found: Any) -> int | None:
    """Return a whole number, or None."""
    if type(found) is int:
        return found if -_LARGEST < found < _LARGEST else None
    value = number(found)
    return int(value) if value is not None and value.is_integer() else None


def count(found: Any) -> int:
    """Return a whole number from 0; what is none becomes 0."""
    return max(integer(found) or 0, 0)


def integers(found: Any) -> tuple[int, ...]:
    """Return the whole numbers of a list; what is no list has none."""
    if not isinstance(found, list) or not found:
        return ()
    return tuple(each for each in map(integer, found) if each is not None)


def texts(found: Any) -> tuple[str, ...]:
    """Return the texts of a list, each of one line; what is no list has none."""
    return tuple(text(each) for each in found if isinstance(each, str)) if _is_list(found) else ()


def objects(found: Any) -> Iterator[Mapping[str, Any]]:
    """Iterate over the objects of a list; what is no list has none."""
    return (each for each in found if isinstance(each, dict)) if _is_list(found) else iter(())


def fields(found: Any) -> Mapping[str, Any]:
    """Return an object; what is none becomes an empty one."""
    return found if isinstance(found, dict) else {}


def _is_list(found: Any) -> bool:
    return isinstance(found, list)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape", "backslashreplace").decode("ascii")
