"""The changelog has a section for the version, with a date and lines, and none that waits."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from .versions import version_of

_SECTION = re.compile(r"^## \[(?P<version>[^\]]+)\](?P<rest>.*)$", re.MULTILINE)


def sections(text: str) -> dict[str, tuple[str, list[str]]]:
    """Return the sections of a changelog by version: what follows it, and the lines with a dash."""
    found = {}
    matches = list(_SECTION.finditer(text))
    for match, following in zip(matches, [*matches[1:], None], strict=True):
        body = text[match.end() : following.start() if following else None]
        lines = [line for line in body.splitlines() if line.startswith("- ")]
        found[match["version"]] = match["rest"], lines
    return found


def refusals(root: Path) -> Iterator[str]:
    """Yield what the changelog lacks for this version."""
    version = version_of(root)
    found = sections((root / "CHANGELOG.md").read_text(encoding="utf-8"))
    if version not in found:
        yield f"CHANGELOG.md has no section for {version}"
        return
    date, lines = found[version]
    if not re.fullmatch(r" - \d{4}-\d{2}-\d{2}", date):
        yield f"CHANGELOG.md: the section of {version} has no date, as in ' - 2026-12-01'"
    if not lines:
        yield f"CHANGELOG.md: the section of {version} has no line"
    if found.get("Unreleased", ("", []))[1]:
        yield f"CHANGELOG.md: what stands under Unreleased belongs to {version}"
