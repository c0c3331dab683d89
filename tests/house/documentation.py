"""How much is documented: lines of documentation for each line of code.

A crate has two kinds of it: what rustdoc shows (`///` and `//!`), and what Python shows, the
docstrings that the extension's tables of methods and classes hold as literals. A docstring is
documentation and no code.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from .rust import ROOT, code_of, module_of, sources

_COMMENT = re.compile(r"\s*//[/!]")
_LITERAL = r'c"(?:\\.|[^"\\])*"'
_DOCSTRING = re.compile(
    rf"""\.doc(?:umented)?\(\s*(?P<of_class>{_LITERAL})
      | \b(?:leaf_)?(?:noargs|one|fast|of_class)\(\s*c"\w+",[^"]*?(?P<of_method>{_LITERAL})
      | (?P<signed>c"(?:\\.|[^"\\])*?\\n--\\n\\n(?:\\.|[^"\\])*")
      | (?P<unsigned>c"(?:\\.|[^"\\])*?\\n\\\n\s*--\\n\\n(?:\\.|[^"\\])*")""",
    re.DOTALL | re.VERBOSE,
)
_ITEM = re.compile(r"(?P<indent>\s*)pub (?:(?:const|async) )*(?:fn|struct|enum|trait|type) (\w+)")
_INHERENT = re.compile(r"impl(?:<.*?>)? (?!.*\bfor )(\w+)")
_EXPORT = re.compile(r"pub (?:(?:const|async) )*(\w+) ([\w:]+)")


def documentation_per_code(crate: str) -> float:
    """Lines of documentation for each line of code, in all of a crate."""
    documentation = code = 0
    for text in sources(crate).values():
        documentation += sum(1 for line in text.splitlines() if _COMMENT.match(line))
        for docstring in reversed([*_docstrings(text)]):
            lines = text.count("\n", docstring.start, docstring.stop)
            documentation += lines + 1
            text = text[: docstring.start] + "\n" * lines + text[docstring.stop :]
        code += sum(1 for line in code_of(text).splitlines() if line.strip(" ,"))
    return documentation / code


def documentation_per_exported_code(crate: str) -> float:
    """The same of the items that a crate exports, as `tests/public_api` lists them.

    Of an exported module it counts the header, of a type its definition and its own methods, of a
    trait and of an enum all that is inside. Implementations of traits are documented by the trait.
    """
    modules, items = _exports(crate)
    documentation = code = 0
    for file, text in sources(crate).items():
        if "::".join(("greenloop", *module_of(file))) in modules:
            documentation += sum(1 for line in text.splitlines() if line.startswith("//!"))
        for above, body in _exported(text, items):
            documentation += above
            code += body
    return documentation / code


def _docstrings(rust: str) -> Iterator[range]:
    for match in _DOCSTRING.finditer(rust):
        yield range(*match.span(match.lastgroup or 0))


def _exports(crate: str) -> tuple[set[str], set[str]]:
    """The paths of the modules that a crate exports, and the names of its items.

    A method's name is that of its type and its own, with `::` between them.
    """
    modules, items = set(), set()
    for line in (ROOT / "tests/public_api" / f"{crate}.txt").read_text().splitlines():
        match = _EXPORT.match(re.sub(r"<[^(]*?>(?=::|$| |\(|\{)", "", line))
        if match is None:
            continue
        if match[1] == "mod":
            modules.add(match[2])
        words = match[2].split("::")
        items.update((words[-1], "::".join(words[-2:])))
    return modules, items


def _exported(rust: str, items: set[str]) -> Iterator[tuple[int, int]]:
    """Lines of documentation and of code of each exported item of a file."""
    lines, code = rust.splitlines(), code_of(rust).splitlines()
    owner = None
    for number, line in enumerate(code):
        if line[:1].strip():
            match = _INHERENT.match(line)
            owner = match[1] if match else None
        match = _ITEM.match(line)
        if match is None or bool(match["indent"]) != (owner is not None):
            continue
        if (match[2] if owner is None else f"{owner}::{match[2]}") not in items:
            continue
        start = number
        while start and re.match(r"\s*(//|#\[)", lines[start - 1]):
            start -= 1
        end = _end_of_item(code, number)
        documentation = sum(1 for line in lines[start:end] if _COMMENT.match(line))
        yield documentation, sum(1 for line in code[number:end] if line.strip())


def _end_of_item(code: list[str], start: int) -> int:
    """The line behind an item: behind its last brace, or behind its semicolon."""
    depth, opened = 0, False
    for number, line in enumerate(code[start:], start):
        depth += sum(map(line.count, "{([")) - sum(map(line.count, "})]"))
        opened = opened or "{" in line
        if depth == 0 and (opened or line.rstrip().endswith(";")):
            return number + 1
    return len(code)
