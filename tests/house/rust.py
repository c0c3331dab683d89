"""Rust sources as far as the house rules read them: code without comments, and what imports what.

This is no parser. It knows how this repository writes: one item of a `use` tree ends at a comma,
and the text of a literal may look like anything.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CRATES = ROOT / "crates"

_NOT_CODE = re.compile(
    r"""(?P<comment>//[^\n]*|/\*.*?\*/)
      | (?P<text>[bc]?r(?P<fence>\#*)".*?"(?P=fence) | [bc]?"(?:\\.|[^"\\])*")
      | (?P<character>b?'(?:\\[^\n]*?|[^'\\\n])')""",
    re.DOTALL | re.VERBOSE,
)
_USE = re.compile(r"^[ \t]*(pub(?:\([^)]*\))?[ \t]+)?use\s+([^;]+);", re.MULTILINE)
_INNER_MODULE = re.compile(r"\bmod (\w+) \{")
_PATH = re.compile(r"\b\w+(?:::\w+)+")


@dataclass(frozen=True)
class Import:
    """One path that a file takes from the same crate, from the crate's root: `a::b::Name`."""

    file: Path
    path: tuple[str, ...]
    public: bool
    """Whether the file offers it to others again."""
    name: str = ""
    """What the file calls it: the path's last word, unless it was renamed."""


def code_of(rust: str) -> str:
    """The source without comments, and with the insides of literals taken out."""

    def replacement(match: re.Match[str]) -> str:
        if match["comment"] is not None:
            return "\n" * match[0].count("\n")
        return '""' + "\n" * match[0].count("\n") if match["text"] is not None else "' '"

    return _NOT_CODE.sub(replacement, rust)


def sources(crate: str) -> dict[Path, str]:
    """The files of a crate's `src`, by their paths from there."""
    folder = CRATES / crate / "src"
    return {
        path.relative_to(folder): path.read_text(encoding="utf-8")
        for path in sorted(folder.rglob("*.rs"))
    }


def module_of(file: Path) -> tuple[str, ...]:
    """The module that a file is: `()` for `lib.rs`, `("a", "b")` for `a/b.rs` and `a/b/mod.rs`."""
    parts = file.with_suffix("").parts
    return () if parts == ("lib",) else parts[:-1] if parts[-1] == "mod" else parts


def imports(files: dict[Path, str]) -> Iterator[Import]:
    """What the files of a crate import from each other, by `use` and by paths in the code."""
    modules = {module_of(file) for file in files}
    for file, text in files.items():
        code, module = code_of(text), module_of(file)
        # The modules that a path may begin with: those below this one, and those that it imports.
        known = {each[-1]: each for each in modules if each and each[:-1] == module}
        within = [*_inner_modules(code)]

        def at(place: int, module: tuple[str, ...] = module) -> tuple[str, ...]:
            return (*module, *(name for name, body in within if place in body))

        for match in _USE.finditer(code):
            for words, name in _branches(match[2]):
                if (path := _from_the_root(words, at(match.start()), known)) is not None:
                    if path in modules:
                        known[name] = path
                    yield Import(file, path, match[1] is not None, name)
        blanked = _USE.sub(lambda match: re.sub(r"\S", " ", match[0]), code)
        for match in _PATH.finditer(blanked):
            words = match[0].split("::")
            if (path := _from_the_root(words, at(match.start()), known)) is not None:
                yield Import(file, path, public=False, name=words[-1])


def _inner_modules(code: str) -> Iterator[tuple[str, range]]:
    """The modules that are written out inside of a file, and where each stands in the code."""
    for match in _INNER_MODULE.finditer(code):
        depth, place = 1, match.end()
        while depth and place < len(code):
            depth += (code[place] == "{") - (code[place] == "}")
            place += 1
        yield match[1], range(match.end(), place)


def _branches(tree: str) -> Iterator[tuple[list[str], str]]:
    """The paths of a `use` tree and the names that they get."""
    tree = tree.strip()
    head, brace, rest = tree.partition("{")
    if not brace:
        path, _, renamed = tree.partition(" as ")
        words = [word.strip() for word in path.split("::")]
        yield words, renamed.strip() or words[-1]
        return
    before = [word.strip() for word in head.split("::") if word.strip()]
    for branch in _split(rest.rstrip()[:-1]):
        for words, name in _branches(branch):
            # `a::{self}` is `a`.
            yield ([*before, *words], name) if words != ["self"] else (before, before[-1])


def _split(text: str) -> Iterator[str]:
    """The parts between the commas that no brace encloses."""
    depth, part = 0, ""
    for character in text:
        depth += (character == "{") - (character == "}")
        if character == "," and depth == 0:
            yield part
            part = ""
        else:
            part += character
    if part.strip():
        yield part


def _from_the_root(
    words: list[str], module: tuple[str, ...], known: dict[str, tuple[str, ...]]
) -> tuple[str, ...] | None:
    """The path from the crate's root, or None for another crate's."""
    first, *rest = words
    if first == "crate":
        return tuple(rest)
    if first == "self":
        return (*module, *rest)
    if first == "super":
        above = module[:-1]
        return _from_the_root(rest, above, {}) if rest[:1] == ["super"] else (*above, *rest)
    return (*known[first], *rest) if first in known else None
