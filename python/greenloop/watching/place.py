"""Where a process that watches itself listens: the path of its socket, and all there are.

Both sides ask here, so they cannot differ. A process and its reader may have been started with
different environments, though, one by a service manager and one in a terminal: a reader looks into
every folder that the process could have chosen.
"""

from __future__ import annotations

import os
import re
import socket
import stat
from typing import Final

from greenloop.watching.processes import LARGEST_PID, owner_of

LONGEST_PATH: Final = 107
"""The bytes that the path of a socket may have, without the zero behind it (`unix(7)`)."""

_SOCKET: Final = re.compile(r"([1-9][0-9]{0,9})\.sock")
_LONGEST_NAME: Final = len(f"/{LARGEST_PID}.sock")


def socket_path(pid: int) -> str:
    """Return the path of the socket at which a process of this user listens if it watches itself.

    It is in a folder of that user's alone, which need not be there yet: one in `$XDG_RUNTIME_DIR`,
    else one in `/run/user`, else one in `/tmp`.

    Args:
        pid: The number of the process.
    """
    return os.path.join(folders_of(os.geteuid())[0], f"{pid}.sock")


def folders_of(user: int) -> list[str]:
    """Return the folders in which the processes of a user may listen, the first choice first.

    A runtime folder that belongs to somebody else is left out: `su` and `sudo` may hand on the
    variable of the user before. So is one whose path is too long for a socket.

    Args:
        user: The number of the user.
    """
    parents = [f"/run/user/{user}"]
    if user == os.geteuid():
        parents.insert(0, os.environ.get("XDG_RUNTIME_DIR", ""))
    found = [os.path.join(parent, "greenloop") for parent in parents if _belongs_to(parent, user)]
    found = [path for path in found if len(os.fsencode(path)) + _LONGEST_NAME <= LONGEST_PATH]
    return list(dict.fromkeys([*found, f"/tmp/greenloop-{user}"]))


def sockets_of(pid: int, user: int) -> list[str]:
    """Return the paths of the sockets that a process of a user has left in the user's folders.

    A folder in which others could have put the socket is not looked into.

    Args:
        pid: The number of the process.
        user: The number of the user.
    """
    paths = [os.path.join(folder, f"{pid}.sock") for folder in _private_folders_of(user)]
    return [path for path in paths if os.path.lexists(path)]


def watched_processes() -> list[int]:
    """Return the numbers of this user's processes that listen.

    A process that was killed leaves its socket behind, and another one may have its number by now.
    """
    found = set()
    for folder in _private_folders_of(os.geteuid()):
        try:
            names = os.listdir(folder)
        except OSError:
            continue
        for name in names:
            match = _SOCKET.fullmatch(name)
            if match is None or int(match[1]) > LARGEST_PID:
                continue
            pid = int(match[1])
            if owner_of(pid) == os.geteuid() and _has_listener(os.path.join(folder, name)):
                found.add(pid)
    return sorted(found)


def _has_listener(path: str) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(path)
        except BlockingIOError:
            # So many ask that it has not come to them.
            return True
        except OSError:
            return False
    return True


def _private_folders_of(user: int) -> list[str]:
    return [folder for folder in folders_of(user) if _belongs_to(folder, user, alone=True)]


def _belongs_to(path: str, user: int, *, alone: bool = False) -> bool:
    """Whether a folder is the user's; `alone`: and no link, and nobody else may write."""
    if not os.path.isabs(path):
        return False
    try:
        found = os.lstat(path) if alone else os.stat(path)
    except OSError:
        return False
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != user:
        return False
    return not (alone and found.st_mode & (stat.S_IWGRP | stat.S_IWOTH))
