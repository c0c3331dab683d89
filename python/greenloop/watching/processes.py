"""Questions to the system about processes by their numbers: whether one lives, and whose it is."""

from __future__ import annotations

import os
import pwd
from typing import Final

LARGEST_PID: Final = (1 << 31) - 1
"""The largest number that the system's calls take for a process."""

UNKNOWN_USER: Final = -1
"""The owner of a process that is there, but of which the system tells this user nothing."""


def owner_of(pid: int) -> int | None:
    """Return the user as whom a process acts, or None if there is no such process any more.

    A process that has ended and whose parent has not asked for its end yet counts as gone.

    Args:
        pid: A number from 1 to `LARGEST_PID`.
    """
    try:
        with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as file:
            status = dict(line.rstrip("\n").partition(":\t")[::2] for line in file)
    except (FileNotFoundError, ProcessLookupError):
        return _owner_of_the_hidden(pid)
    except OSError:
        return UNKNOWN_USER
    if status.get("State", "").startswith(("Z", "X")):
        return None
    users = status.get("Uid", "").split()
    return int(users[1]) if len(users) > 1 else UNKNOWN_USER


def name_of_user(user: int) -> str:
    """Return the name of a user for people, the number if the system knows no name."""
    if user == UNKNOWN_USER:
        return "unknown"
    try:
        return pwd.getpwuid(user).pw_name
    except (KeyError, OverflowError):
        return str(user)


def has_loaded_greenloop(pid: int) -> bool:
    """Return whether a process has loaded the extension; False if it does not let itself be read.

    Args:
        pid: A number from 1 to `LARGEST_PID`.
    """
    try:
        with open(f"/proc/{pid}/maps", encoding="utf-8", errors="replace") as file:
            return any("/greenloop/_native" in line for line in file)
    except OSError:
        return False


def _owner_of_the_hidden(pid: int) -> int | None:
    """Ask by a signal that is never sent: the system may hide the folders of other users."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        return UNKNOWN_USER
    return os.geteuid()
