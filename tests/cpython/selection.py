"""Decides which tests are run: the exclusions, the tests out of reach, and the user's pattern.

An exclusion is of one of two kinds, each a table of exclusions.toml: `private` (the test reads the
insides of the standard library's own loop) or `network` (the test needs the network API, which is
not built yet; that table is meant to shrink to nothing).
"""

import sys
from fnmatch import fnmatchcase
from pathlib import Path

from . import exclusions, implementation, record

FILE = Path(__file__).with_name("exclusions.toml")
CATEGORIES = ("private", "network")

# Run although they use nothing of ours: they call asyncio's registry of tasks, in which our
# tasks are entered as well.
SHARED_STATE = ("test_tasks.CIntrospectionTests.*", "test_tasks.PyIntrospectionTests.*")


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
        self._exclusions = exclusions.read(FILE, CATEGORIES) if excluding else []
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
        return exclusions.unused(self._exclusions, names, self._version)
