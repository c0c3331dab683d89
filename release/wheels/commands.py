"""Runs a program, and says what it printed if it failed."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

_MOST = 6000
"""How many characters of a failed program's output are shown; the end matters most."""


class CommandError(Exception):
    """A program that building uses ended with an error; the text has the end of its output."""


def run(
    command: Sequence[str],
    *,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
    seconds: float = 3600,
) -> str:
    """Run a program to its end and return what it printed on standard output."""
    try:
        result = subprocess.run(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CommandError(f"{command[0]}: {error}") from error
    if result.returncode != 0:
        said = (result.stdout + result.stderr)[-_MOST:]
        raise CommandError(f"{' '.join(command)} ended with {result.returncode}:\n{said}")
    return result.stdout
