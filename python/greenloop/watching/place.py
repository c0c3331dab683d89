"""Where the sockets of watched processes are."""

from __future__ import annotations

import os


def folder() -> str:
    """Return the folder of the user's sockets, whether it exists or not."""
    runtime = os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}"
    if os.path.isdir(runtime):
        return os.path.join(runtime, "greenloop")
    return f"/tmp/greenloop-{os.getuid()}"


def socket_path(pid: int) -> str:
    """Return the path of a process's socket, whether it exists or not."""
    return os.path.join(folder(), f"{pid}.sock")


def make_socket_path(pid: int) -> str:
    """Return the same, in a folder that only the user may enter.

    Raises:
        OSError: The folder cannot be made.
        PermissionError: It belongs to somebody else, or others may enter it.
    """
    path = folder()
    os.makedirs(path, mode=0o700, exist_ok=True)
    found = os.lstat(path)
    if found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise PermissionError(f"{path} has to belong to the user alone, with mode 0700")
    return socket_path(pid)
