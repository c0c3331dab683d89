"""Asking a process that was not prepared: from CPython 3.14 on it can be told to watch itself.

`sys.remote_exec` has the other process run a file as soon as its main thread runs Python. That
thread may be in a poll for hours, and the system or the interpreter may forbid it: each is an error
that says so, and nothing is changed.
"""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
import time
from collections.abc import Mapping
from typing import Any, Final

from greenloop.monitoring.client import DEFAULT_TIMEOUT, Reason, WatchError, ask, find_user, listens
from greenloop.watching.processes import has_loaded_greenloop

PATIENCE: Final = 3.0
"""Seconds that the process has to begin to watch itself."""

_PAUSE: Final = 0.02

# Expressions only: the file is run in the program's `__main__`, in which no name may be left. It
# removes itself first, since nobody knows when the process will have read it.
_SCRIPT: Final = """\
__import__("os").unlink({path!r})
getattr(__import__("sys").modules.get("greenloop"), "watch", int)()
"""


def ask_any(
    pid: int, request: Mapping[str, Any], timeout: float = DEFAULT_TIMEOUT
) -> dict[str, Any]:
    """Ask a process as `client.ask` does, also one that does not watch itself yet, if possible.

    Args:
        pid: The number of the process.
        request: What is wanted, such as `{"want": "report"}`.
        timeout: Seconds until the last byte of the answer has to be there.

    Raises:
        WatchError: It gives no answer, or cannot be told to watch itself.
    """
    try:
        return ask(pid, request, timeout)
    except WatchError as error:
        if error.reason is not Reason.NOT_WATCHING or not can_be_told(pid):
            raise
    tell_to_watch(pid)
    return ask(pid, request, timeout)


def can_be_told(pid: int) -> bool:
    """Return whether a process may be told to watch itself: it has loaded Greenloop, and we can.

    Args:
        pid: The number of the process.
    """
    return hasattr(sys, "remote_exec") and has_loaded_greenloop(pid)


def tell_to_watch(pid: int, patience: float = PATIENCE) -> None:
    """Have a process call `greenloop.watch()`, and return when it listens.

    Args:
        pid: The number of the process, for which `can_be_told` holds.
        patience: Seconds until this is given up.

    Raises:
        WatchError: There is no such process, the system or one of the interpreters does not allow
            it, or the process has run no Python in time.
    """
    user = find_user(pid)
    script = _write_script(pid, user)
    try:
        _execute(pid, script)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(script)
        raise
    deadline = time.monotonic() + patience
    # The file of a socket is there before anybody listens, or since an earlier process.
    while not listens(pid):
        if time.monotonic() > deadline:
            raise WatchError(Reason.LATE, _why_late(pid, script, patience))
        time.sleep(_PAUSE)


def _write_script(pid: int, user: int) -> str:
    path = None
    try:
        handle, path = tempfile.mkstemp(prefix="greenloop-watch-", suffix=".py")
        with open(handle, "w", encoding="utf-8") as file:
            file.write(_SCRIPT.format(path=path))
        if user != os.geteuid():
            os.chown(path, user, -1)
    except OSError as error:
        # The disk is full, or nobody may write into its folder for such files.
        if path is not None:
            os.unlink(path)
        problem = f"the file that it would run was not written: {error.strerror or error}"
        raise _cannot_be_told(pid, problem) from None
    return path


def _execute(pid: int, script: str) -> None:
    remote_exec = getattr(sys, "remote_exec", None)
    if remote_exec is None:
        problem = "this needs CPython 3.14"
    else:
        try:
            remote_exec(pid, script)
            return
        except PermissionError:
            problem = "the system does not allow it (see ptrace_scope in proc(5))"
        except (OSError, RuntimeError) as error:
            problem = " ".join(str(error).split())
    raise _cannot_be_told(pid, problem)


def _cannot_be_told(pid: int, problem: str) -> WatchError:
    return WatchError(
        Reason.NOT_WATCHING,
        f"process {pid} does not watch itself and cannot be told to: {problem}",
    )


def _why_late(pid: int, script: str, patience: float) -> str:
    if os.path.exists(script):
        return (
            f"process {pid} has run no Python for {patience:g} s; it will watch itself as soon as"
            " it does"
        )
    return f"process {pid} was told to watch itself, but does not: its Greenloop may be too old"
