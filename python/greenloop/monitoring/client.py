"""Asking a process that watches itself: one request, one document, or one clear reason why not.

The process is not trusted: its answer has a limit in time and in length, and whatever it sends is
either a JSON object or an error. A reader never waits longer than it was told to.
"""

from __future__ import annotations

import enum
import errno
import json
import os
import socket
import struct
import time
from collections.abc import Mapping
from typing import Any, Final

from greenloop.monitoring.untrusted import text
from greenloop.watching.place import sockets_of
from greenloop.watching.processes import LARGEST_PID, name_of_user, owner_of

DEFAULT_TIMEOUT: Final = 5.0
"""Seconds that a process has for an answer, beyond those that the request itself asks for."""

LONGEST_ANSWER: Final = 1 << 28
"""The bytes that an answer may have: a trace of a million events has less than half of it."""

_PIECE: Final = 1 << 18
_PAUSE: Final = 0.01
"""Seconds until what did not work, or is about to happen, is looked at again."""

_LOOKS_AT_AN_END: Final = 10

_LONGEST_PROBLEM: Final = 500
"""The characters of a process's own words that are passed on."""


class Reason(enum.Enum):
    """Why there is no answer."""

    NO_PROCESS = "no process"
    OTHER_USER = "other user"
    NOT_WATCHING = "not watching"
    UNREADABLE = "unreadable"
    """There is a socket, and the system does not let it be used."""
    LATE = "late"
    CUT_OFF = "cut off"
    """The process closed the connection, or ended, before its answer was complete."""
    GARBAGE = "garbage"
    """The answer is no document that this version reads."""
    REFUSED = "refused"
    """The process understood, and says why it does not do it."""


class WatchError(Exception):
    """A process gave no answer.

    Args:
        reason: Which sort of problem it is.
        message: One line for people, which names the process.
    """

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def ask(pid: int, request: Mapping[str, Any], timeout: float = DEFAULT_TIMEOUT) -> dict[str, Any]:
    """Send a request to a process that watches itself, and return its answer.

    `docs/report-format.md` defines both.

    Args:
        pid: The number of the process.
        request: What is wanted, such as `{"want": "report"}`.
        timeout: Seconds until the last byte of the answer has to be there.

    Raises:
        WatchError: There is no such process, it is another user's, it does not watch itself, its
            socket cannot be used, it does not answer in time or not with a document, or it says
            that it cannot do this.
    """
    deadline = time.monotonic() + timeout
    try:
        with _connect(pid, deadline) as connection:
            _send(connection, json.dumps(request).encode() + b"\n")
            answer = _receive(pid, connection, deadline)
    except TimeoutError:
        raise WatchError(
            Reason.LATE, f"process {pid} did not answer within {timeout:g} s"
        ) from None
    return _document_of(pid, answer)


def listens(pid: int, timeout: float = DEFAULT_TIMEOUT) -> bool:
    """Return whether a process would take a question.

    Args:
        pid: The number of the process.
        timeout: Seconds in which it has to let the reader in.

    Raises:
        WatchError: There is no such process, it is another user's, or its socket cannot be used.
    """
    try:
        _connect(pid, time.monotonic() + timeout).close()
    except TimeoutError:
        return False
    except WatchError as error:
        if error.reason is not Reason.NOT_WATCHING:
            raise
        return False
    return True


def find_user(pid: int) -> int:
    """Return the user of a process that this user may ask: itself, for root anybody.

    Raises:
        WatchError: There is no such process, or it is another user's.
    """
    user = owner_of(pid) if 1 <= pid <= LARGEST_PID else None
    if user is None:
        raise WatchError(Reason.NO_PROCESS, f"there is no process {pid}")
    if user != os.geteuid() and os.geteuid() != 0:
        raise WatchError(
            Reason.OTHER_USER, f"process {pid} belongs to another user ({name_of_user(user)})"
        )
    return user


def _connect(pid: int, deadline: float) -> socket.socket:
    user = find_user(pid)
    for path in sockets_of(pid, user):
        connection = _connect_to(pid, path, deadline)
        if connection is None:
            continue
        if _user_behind(connection) == user:
            return connection
        connection.close()
    raise WatchError(
        Reason.NOT_WATCHING,
        f"process {pid} does not watch itself: start it with GREENLOOP_WATCH=1 in its environment,"
        " or as `python -m greenloop watch`",
    )


def _connect_to(pid: int, path: str, deadline: float) -> socket.socket | None:
    """Return a connection, or None if nobody listens: a process that has ended left the socket."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        while True:
            connection.settimeout(_left(deadline))
            try:
                connection.connect(path)
            except BlockingIOError:
                # A full line is told at once, whatever the time limit of the socket.
                time.sleep(min(_PAUSE, _left(deadline)))
                continue
            return connection
    except TimeoutError:
        connection.close()
        raise
    except OSError as error:
        connection.close()
        if error.errno in (errno.ECONNREFUSED, errno.ENOENT):
            return None
        problem = error.strerror or str(error)
        raise WatchError(
            Reason.UNREADABLE,
            f"the socket of process {pid} cannot be used: {text(path)}: {problem}",
        ) from None


def _user_behind(connection: socket.socket) -> int:
    """Return the user who listens at the other end, as the system knows it."""
    layout = struct.Struct("iII")
    found = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, layout.size)
    _, user, _ = layout.unpack(found)
    return int(user)


def _send(connection: socket.socket, line: bytes) -> None:
    try:
        connection.sendall(line)
    except (BrokenPipeError, ConnectionResetError):
        pass  # What it said before it closed the connection may still be read.


def _receive(pid: int, connection: socket.socket, deadline: float) -> bytearray:
    answer = bytearray()
    while True:
        connection.settimeout(_left(deadline))
        try:
            piece = connection.recv(_PIECE)
        except ConnectionResetError:
            piece = b""
        if not piece:
            return answer
        answer += piece
        if len(answer) > LONGEST_ANSWER:
            raise WatchError(
                Reason.GARBAGE, f"process {pid} answered more than {LONGEST_ANSWER >> 20} MiB"
            )


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _document_of(pid: int, answer: bytearray) -> dict[str, Any]:
    if not answer.strip():
        how = (
            "ended before it answered" if _ends(pid) else "closed the connection without an answer"
        )
        raise WatchError(Reason.CUT_OFF, f"process {pid} {how}")
    try:
        found = json.loads(answer, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        if _ends(pid):
            raise WatchError(
                Reason.CUT_OFF, f"process {pid} ended in the middle of its answer"
            ) from None
        found = None
    if not isinstance(found, dict):
        beginning = text(bytes(answer[:40]).decode("utf-8", "backslashreplace"))
        raise WatchError(
            Reason.GARBAGE, f"process {pid} answered no JSON object, it begins {beginning!r}"
        )
    if "error" in found:
        problem = text(found["error"])[:_LONGEST_PROBLEM]
        raise WatchError(Reason.REFUSED, f"process {pid} says: {problem}")
    return found


def _ends(pid: int) -> bool:
    """Whether a process is gone, or is so in a moment: its end closes its sockets first."""
    for _ in range(_LOOKS_AT_AN_END):
        if owner_of(pid) is None:
            return True
        time.sleep(_PAUSE)
    return False


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")
