"""Checks the spelling of the documents: every word is in a dictionary or in `words.txt`.

Code, links and front matter are left out, and so are words with a digit or an underscore. Run by
`make docs` and by the tests.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from pathlib import Path

from spellchecker import SpellChecker

DOCS = Path(__file__).resolve().parent
ROOT = DOCS.parent
WORDS = DOCS / "words.txt"

_NO_PROSE = (
    re.compile(r"\A---\n(?:description: (?P<kept>.*)\n|.*\n)*?---\n"),
    re.compile(r"^[ \t]*```.*?^[ \t]*```", re.MULTILINE | re.DOTALL),
    re.compile(r"^[ \t]*~~~.*?^[ \t]*~~~", re.MULTILINE | re.DOTALL),
    re.compile(r"<[^>]*>", re.DOTALL),
    re.compile(r"``.*?``|`[^`]*`", re.DOTALL),
    re.compile(r"\]\([^)]*\)"),
    re.compile(r"https?://\S+"),
)
_WORD = re.compile(r"(?<![\w./])[A-Za-z][A-Za-z']*(?![\w/]|\.\w)")


def documents() -> list[Path]:
    """Return the documents that are checked."""
    return [*sorted(ROOT.glob("*.md")), *sorted(DOCS.rglob("*.md"))]


def words_of(text: str) -> set[str]:
    """Return the words of a document, in small letters."""
    for pattern in _NO_PROSE:
        text = pattern.sub(lambda match: f" {match.groupdict().get('kept') or ''} ", text)
    found = {word.strip("'").lower() for word in _WORD.findall(text)}
    return {word.removesuffix("'s") for word in found if word}


def unknown(paths: Iterable[Path]) -> dict[str, list[str]]:
    """Return the words that neither the dictionary nor our list has, with their documents."""
    listed = set(WORDS.read_text(encoding="utf-8").split())
    dictionary = SpellChecker(language="en", distance=1)
    found: dict[str, list[str]] = {}
    for path in paths:
        for word in dictionary.unknown(words_of(path.read_text(encoding="utf-8")) - listed):
            found.setdefault(word, []).append(str(path.relative_to(ROOT)))
    return found


def main() -> int:
    """Print what is unknown; return 1 if there is any."""
    found = unknown(documents())
    for word, paths in sorted(found.items()):
        print(f"{word}: {', '.join(paths)}")
    if found:
        print("Mend the word, or add it to docs/words.txt.")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
