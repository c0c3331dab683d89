"""Documents, metadata and code name the same versions of Python."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from .versions import read

_SPAN = re.compile(r"(?:CPython|Python) (3\.\d+) to (3\.\d+)")


def refusals(root: Path) -> Iterator[str]:
    """Yield what names other versions of Python than the classifiers do."""
    project = read(root / "pyproject.toml")["project"]
    classifiers = " ".join(project["classifiers"])
    supported = re.findall(r"Python :: (3\.\d+)", classifiers)
    oldest, newest = supported[0], supported[-1]
    if project["requires-python"] != f">={oldest}":
        yield f"pyproject.toml: requires-python is {project['requires-python']}, not >={oldest}"
    makefile = (root / "Makefile").read_text(encoding="utf-8")
    if f"SUPPORTED := {' '.join(supported)}\n" not in makefile:
        yield f"Makefile: SUPPORTED is not {' '.join(supported)}"
    interpreter = (root / "python/greenloop/interpreter.py").read_text(encoding="utf-8")
    if f"OLDEST_PYTHON = ({oldest.replace('.', ', ')})" not in interpreter:
        yield f"python/greenloop/interpreter.py: OLDEST_PYTHON is not {oldest}"
    for path in (root / "README.md", *sorted((root / "docs").rglob("*.md"))):
        for span in _SPAN.findall(path.read_text(encoding="utf-8")):
            if span != (oldest, newest):
                yield f"{path.relative_to(root)}: {' to '.join(span)}, not {oldest} to {newest}"
