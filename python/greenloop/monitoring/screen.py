"""What a text is written for: how many columns it may have, and whether colours are welcome."""

from __future__ import annotations

import os
import re
import shutil
import textwrap
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TextIO

UNKNOWN_WIDTH: Final = 80
"""The columns of a text that goes into a file or another program."""

_NARROWEST: Final = 20
_ELLIPSIS: Final = "…"
_COLOURS: Final[Mapping[str, str]] = {
    "bold": "\x1b[1m",
    "dim": "\x1b[2m",
    "red": "\x1b[31m",
    "green": "\x1b[32m",
    "yellow": "\x1b[33m",
}
_PLAIN_AGAIN: Final = "\x1b[0m"
_ONE_COLUMN_EACH: Final = re.compile("[ -\u02ff\u2010-\u2060\u2190-\u22ff\u2500-\u257f]*").fullmatch
"""Whether no character is wide or combining: nearly all texts are of these, and of rails."""

_ASCII: Final = str.maketrans(
    {
        "\N{MULTIPLICATION SIGN}": "x",
        "…": "~",
        "─": "-",
        "│": "|",
        "├": "|",
        "└": "`",
        "↻": "@",
        "·": "-",
        "↳": ">",
    }
)


@dataclass(frozen=True, slots=True)
class Screen:
    """The columns and the colours that a text may use."""

    width: int | None = UNKNOWN_WIDTH
    """None if lines may be as long as they are."""
    colour: bool = False

    def paint(self, text: str, colour: str) -> str:
        """Return a text in a colour (`bold`, `dim`, `red`, …), if colours are welcome."""
        return f"{_COLOURS[colour]}{text}{_PLAIN_AGAIN}" if self.colour and text else text

    def fit(self, text: str) -> str:
        """Return a line that is not too long, cut at its end."""
        return text if self.width is None else cut(text, self.width)

    def shorten(self, text: str) -> str:
        """Return a line that is not too long, with its beginning and its end."""
        return text if self.width is None else shorten(text, self.width)

    def wrap(self, text: str) -> list[str]:
        """Return the lines of a text that is folded between words where it is too long."""
        if self.width is None or cells(text) <= self.width:
            return [text]
        indent = " " * (len(text) - len(text.lstrip(" ")))
        folded = textwrap.wrap(
            text,
            self.width,
            subsequent_indent=f"{indent}    ",
            break_on_hyphens=False,
            break_long_words=False,
        )
        # Words of wide characters, and those that are longer than the line.
        return [self.fit(line) for line in folded]


def screen_of(stream: TextIO | None, *, wide: bool = False) -> Screen:
    """Return what a stream may be written for.

    A terminal has its width, and colours unless `NO_COLOR` is set (no-color.org); `COLUMNS` is
    believed, too.

    Args:
        stream: Where the text goes; None if it is closed.
        wide: Whether lines may be as long as they are.
    """
    terminal = stream is not None and stream.isatty()
    colour = terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    if wide:
        return Screen(None, colour)
    asked = terminal or os.environ.get("COLUMNS", "").isdecimal()
    width = shutil.get_terminal_size((UNKNOWN_WIDTH, 24)).columns if asked else UNKNOWN_WIDTH
    return Screen(max(width, _NARROWEST), colour)


def in_encoding(text: str, encoding: str | None) -> str:
    """Return a text that an encoding has all characters of; lines and crosses become ASCII ones."""
    encoding = encoding or "ascii"
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return text.translate(_ASCII).encode(encoding, "backslashreplace").decode(encoding)
    return text


def cells(text: str) -> int:
    """Return how many columns a text takes: a wide character has two, a combining one none."""
    return len(text) if _ONE_COLUMN_EACH(text) else sum(map(_cells_of, text))


def cut(text: str, width: int) -> str:
    """Return a text that takes at most `width` columns: its beginning."""
    if cells(text) <= width:
        return text
    return _beginning(text, width - 1) + _ELLIPSIS if width > 0 else ""


def shorten(text: str, width: int) -> str:
    """Return a text that takes at most `width` columns: its beginning and its end."""
    if cells(text) <= width:
        return text
    if width <= 0:
        return ""
    end = _beginning(text[::-1], (width - 1) // 2)[::-1]
    return _beginning(text, width - 1 - cells(end)) + _ELLIPSIS + end


def pad(text: str, width: int, *, right: bool = False) -> str:
    """Return a text with spaces behind it, or before it if it stands `right`."""
    spaces = " " * (width - cells(text))
    return spaces + text if right else text + spaces


def _beginning(text: str, width: int) -> str:
    if _ONE_COLUMN_EACH(text):
        return text[: max(width, 0)]
    taken = 0
    for index, character in enumerate(text):
        taken += _cells_of(character)
        if taken > width:
            return text[:index]
    return text


def _cells_of(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
