"""Reads files of exclusions: tests that are not run, by name, each with its kind and its reason."""

import tomllib
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path


@dataclass(frozen=True)
class Exclusion:
    category: str
    pattern: str
    reason: str
    # Minor versions such as "3.12"; empty means every version.
    versions: tuple[str, ...]

    def applies_to(self, name: str, version: str) -> bool:
        return (not self.versions or version in self.versions) and fnmatchcase(name, self.pattern)


def read(path: Path, categories: Collection[str]) -> list[Exclusion]:
    """The exclusions of the file, refusing any without a reason or of a kind that is not known."""
    tables = tomllib.loads(path.read_text())
    unknown = set(tables) - set(categories)
    if unknown:
        raise ValueError(f"{path.name}: unknown tables {sorted(unknown)}")
    found = []
    for category, entries in tables.items():
        for entry in entries:
            if not entry.get("reason", "").strip():
                raise ValueError(f"{path.name}: an entry of {category} has no reason: {entry}")
            found += [
                Exclusion(category, pattern, entry["reason"], tuple(entry.get("versions", ())))
                for pattern in entry["tests"]
            ]
    return found


def unused(exclusions: Iterable[Exclusion], names: Collection[str], version: str) -> list[str]:
    """Patterns that match none of the names: leftovers that should be removed."""
    return sorted(
        exclusion.pattern
        for exclusion in exclusions
        if (not exclusion.versions or version in exclusion.versions)
        and not any(fnmatchcase(name, exclusion.pattern) for name in names)
    )
