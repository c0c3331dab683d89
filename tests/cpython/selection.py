"""Decides which tests are run: the exclusions, the tests out of reach, and the user's pattern.

An exclusion must have a reason of one of two kinds, each a table of exclusions.toml: `private`
(the test reads the insides of the standard library's own loop) or `network` (the test needs the
network API, which is not built yet; that table is meant to shrink to nothing).
"""

import sys
import tomllib
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from . import implementation, record

FILE = Path(__file__).with_name("exclusions.toml")
CATEGORIES = ("private", "network")

# Run although they use nothing of ours: they call asyncio's registry of tasks, in which our
# tasks are entered as well.
SHARED_STATE = ("test_tasks.CIntrospectionTests.*", "test_tasks.PyIntrospectionTests.*")


@dataclass(frozen=True)
class Exclusion:
    category: str
    pattern: str
    reason: str
    # Minor versions such as "3.12"; empty means every version.
    versions: tuple[str, ...]

    def applies_to(self, name: str, version: str) -> bool:
        return (not self.versions or version in self.versions) and fnmatchcase(name, self.pattern)


def read_exclusions(path: Path = FILE) -> list[Exclusion]:
    """The exclusions of the file, refusing any without category or reason."""
    tables = tomllib.loads(path.read_text())
    unknown = set(tables) - set(CATEGORIES)
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


class Selection:
    """The verdict on a test before it is run."""

    def __init__(
        self,
        loop: str,
        *,
        pattern: str | None = None,
        only: frozenset[str] | None = None,
        ignore_exclusions: bool = False,
    ):
        self._pattern = pattern
        self._only = only
        self._version = f"{sys.version_info.major}.{sys.version_info.minor}"
        # asyncio and the census run everything: they are what the exclusions are judged by.
        reference = loop in (implementation.ASYNCIO, implementation.CENSUS)
        excluding = not (reference or ignore_exclusions)
        self._exclusions = read_exclusions() if excluding else []
        self._out_of_reach = frozenset() if reference else record.read_reach(self._version)

    def wanted(self, name: str) -> bool:
        """Whether the user asked for the test; a pattern without `*` may stand anywhere."""
        if self._only is not None:
            return name in self._only
        if self._pattern is None:
            return True
        pattern = self._pattern if "*" in self._pattern else f"*{self._pattern}*"
        return fnmatchcase(name, pattern)

    def verdict(self, name: str) -> tuple[str, str] | None:
        """An outcome with its reason for a test that is not to be run, else None."""
        shared = any(fnmatchcase(name, pattern) for pattern in SHARED_STATE)
        if name in self._out_of_reach and not shared:
            return "out_of_reach", "uses none of the replaced classes and functions"
        for exclusion in self._exclusions:
            if exclusion.applies_to(name, self._version):
                return exclusion.category, exclusion.reason
        return None

    def unused(self, names: set[str]) -> list[str]:
        """Patterns that match none of the names: leftovers that should be removed."""
        return sorted(
            exclusion.pattern
            for exclusion in self._exclusions
            if (not exclusion.versions or self._version in exclusion.versions)
            and not any(fnmatchcase(name, exclusion.pattern) for name in names)
        )
