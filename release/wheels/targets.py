"""What wheels are built for: machines, versions of Python and the oldest C library."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from ..versions import read

POLICY = "manylinux2014"
NEWEST_GLIBC = (2, 17)
"""The C library that the policy names: no wheel asks for a symbol of a later one."""


class MissingError(Exception):
    """Something that building needs is not here; the text says what, and how to get it."""


@dataclass(frozen=True)
class Target:
    """A kind of machine that wheels are built for."""

    machine: str
    """The name that the platform tag of a wheel ends with."""
    elf_machine: int
    """The number that stands for it in the header of an ELF file."""
    debian: str
    """The name that Debian's packages have for it."""

    @property
    def triple(self) -> str:
        """The name that Rust has for it."""
        return f"{self.machine}-unknown-linux-gnu"


TARGETS = {
    target.machine: target
    for target in (Target("x86_64", 62, "amd64"), Target("aarch64", 183, "arm64"))
}


def pythons(root: Path) -> list[str]:
    """Return the supported versions of Python, oldest first, from the classifiers."""
    classifiers = "\n".join(read(root / "pyproject.toml")["project"]["classifiers"])
    return re.findall(r"Python :: (3\.\d+)$", classifiers, re.MULTILINE)
