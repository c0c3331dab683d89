"""What is under way outside of a simulated loop, so that its virtual clock must not jump.

The loop asks when nothing can run and it watches descriptors, waits for an executor, or is not
alone in its process. What certainly comes is waited for. What may come, as an answer of another
process, is waited for a moment.
"""

from __future__ import annotations

import asyncio
import os
import socket
import stat
import struct
import threading
from collections.abc import Iterable
from typing import Final

from greenloop.testing import threads

PATIENCE: Final = 0.1
"""How long to wait, in seconds, for what may come, and may not."""

_TCP_INFO_LENGTH: Final = 256
# The fields of `struct tcp_info` in Linux's `include/uapi/linux/tcp.h`, by their offsets.
_BYTES_RECEIVED: Final = 128
_BYTES_SENT: Final = 200
_BYTES_RETRANSMITTED: Final = 208


def patience(jobs: int, descriptors: Iterable[int]) -> float | None:
    """Return how many seconds to wait for what is outside, or None for as long as it takes.

    Args:
        jobs: How many jobs of executors are under way.
        descriptors: The numbers that the loop watches.
    """
    others = [
        each
        for each in threading.enumerate()
        if each is not threading.current_thread() and each not in threads.unrelated_threads
    ]
    if any(each.name.startswith("asyncio-waitpid-") for each in others):
        return None
    longest = 0.0
    if jobs or others:
        # A thread that waits for the loop goes on when the loop does.
        is_settled = threads.all_wait_for(asyncio.get_running_loop())
        if jobs and not is_settled:
            return None
        longest = 0.0 if is_settled else PATIENCE
    sockets: list[socket.socket] = []
    try:
        for number in descriptors:
            if _is_socket(number):
                sockets.append(socket.socket(fileno=os.dup(number)))
            elif _is_process(number):
                return None
            else:
                longest = PATIENCE
        return PATIENCE if _is_anything_under_way(sockets) else longest
    finally:
        for each in sockets:
            each.close()


def _is_socket(number: int) -> bool:
    try:
        return stat.S_ISSOCK(os.fstat(number).st_mode)
    except OSError:
        return False


def _is_process(number: int) -> bool:
    try:
        return "[pidfd]" in os.readlink(f"/proc/self/fd/{number}")
    except OSError:
        return False


def _is_anything_under_way(sockets: list[socket.socket]) -> bool:
    """Tell whether bytes may come that were sent already, or from another process."""
    by_name = {_name(each): each for each in sockets}
    for each in sockets:
        if _is_listening(each) or each.type & socket.SOCK_DGRAM:
            continue
        if each.family == socket.AF_UNIX:
            if not _is_of_this_process(each):
                return True
            continue
        try:
            peer = by_name.get(each.getpeername()) or _own_socket(each.getpeername())
        except OSError:
            # It connects, or has lost its connection: the system will tell.
            return True
        if peer is None or _is_sending(each, peer) or _is_sending(peer, each):
            return True
    return False


def _name(each: socket.socket) -> object:
    try:
        return each.getsockname()
    except OSError:
        return None


def _is_listening(each: socket.socket) -> bool:
    return bool(each.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))


def _is_of_this_process(each: socket.socket) -> bool:
    try:
        credentials = each.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
    except OSError:
        return False
    process: int = struct.unpack("3i", credentials)[0]
    return process == os.getpid()


def _own_socket(name: object) -> socket.socket | None:
    """Return the socket of this process with a name, if it has one that the loop does not watch."""
    for entry in os.listdir("/proc/self/fd"):
        number = int(entry)
        if not _is_socket(number):
            continue
        found = socket.socket(fileno=os.dup(number))
        if _name(found) == name and not _is_listening(found):
            return found
        found.close()
    return None


def _is_sending(sender: socket.socket, receiver: socket.socket) -> bool:
    """Tell whether bytes are on their way over a TCP connection, both of whose ends are here."""
    sent, received = _tcp_info(sender), _tcp_info(receiver)
    if sent is None or received is None:
        return False
    on_the_way = _field(sent, _BYTES_SENT) - _field(sent, _BYTES_RETRANSMITTED)
    return on_the_way > _field(received, _BYTES_RECEIVED)


def _tcp_info(each: socket.socket) -> bytes | None:
    try:
        info = each.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO_LENGTH)
    except OSError:
        return None
    return info if len(info) >= _BYTES_RETRANSMITTED + 8 else None


def _field(info: bytes, offset: int) -> int:
    number: int = struct.unpack_from("=Q", info, offset)[0]
    return number
