"""Facts that the house rules bound: where danger is in the extension, and the shape of files."""

from __future__ import annotations

import re
from collections import Counter

from .arrows import EXTENSION
from .rust import ROOT, code_of, sources
from .words import tracked

EDGE = "greenloop-cpython"
"""The crate that talks to CPython."""

_HEADERS = {".js": "// ", ".css": r"/\* "}
"""How the headers of a browser's files begin; those of all others have marks of their own."""

_OBLIGATION = re.compile(r"// (SAFETY: .*(?:\n\s*// (?!SAFETY).*)*)")
_DOWNCAST = re.compile(
    r"(?P<unsafe>unsafe\s+)?(?:extern \"C\" )?fn (?P<name>\w+)(?:<[^>]*>)?"
    r"\(\s*\w+: &Object,?\s*\) -> &[\w<>]+"
)
_PACKAGE = re.compile(r'c"greenloop(?:\.(?!_native)[a-z_]+)?"')


def files_with_ffi() -> set[str]:
    """Files of the extension that call the C API, which is for `greenloop-cpython` to do."""
    return {
        str(file)
        for file, text in sources(EXTENSION).items()
        if re.search(r"(?<!std::)\bffi::|\bpyo3_ffi::|\buse pyo3::ffi\b", code_of(text))
    }


def unsafe_blocks() -> int:
    """Unsafe blocks of the extension."""
    texts = sources(EXTENSION).values()
    return sum(len(re.findall(r"\bunsafe\s*\{", code_of(text))) for text in texts)


def repeated_obligations() -> int:
    """`SAFETY` comments of the extension that say what another one says."""
    said = Counter(
        " ".join(match[1].replace("//", " ").split())
        for text in sources(EXTENSION).values()
        for match in _OBLIGATION.finditer(text)
    )
    return said.total() - len(said)


def unchecked_downcasts() -> set[str]:
    """Safe functions that take an untyped object for what a struct of ours, as `file: function`."""
    return {
        f"{file}: {match['name']}"
        for crate in (EDGE, EXTENSION)
        for file, text in sources(crate).items()
        for match in _DOWNCAST.finditer(code_of(text))
        if match["unsafe"] is None
    }


def imports_of_the_package() -> set[str]:
    """Files of the extension that look something up in the package above it."""
    return {
        str(file)
        for file, text in sources(EXTENSION).items()
        if re.search(r'import(?:ed)?\([^)]*c"greenloop', text)
    }


def long_files(most: int) -> set[str]:
    """Sources of more than `most` lines.

    A stub is exempt: it is a list that mirrors its module, and type checkers read one file for each
    module, so that it cannot be divided.
    """
    return {
        str(path)
        for path in tracked("*.rs", "*.py", "*.js", "*.css")
        if (ROOT / path).read_text(encoding="utf-8").count("\n") > most
    }


def wide_lines(most: int) -> set[str]:
    """Lines of Rust with more than `most` characters, as `file:line`."""
    return {
        f"{path}:{number}"
        for path in tracked("*.rs")
        for number, line in enumerate((ROOT / path).read_text(encoding="utf-8").splitlines(), 1)
        if len(line) > most
    }


def files_without_header() -> set[str]:
    """Sources that do not begin with what they are."""
    return {
        str(path)
        for path in tracked("*.rs", "*.py", "*.pyi", "*.js", "*.css")
        if not re.match(
            _HEADERS.get(path.suffix, r'//!|r?"""|#!'), (ROOT / path).read_text(encoding="utf-8")
        )
    }
