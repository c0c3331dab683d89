"""asyncio's own functions and classes, as they use sockets in memory.

A function is called with a copy of its global names, in which `socket.socket` opens our sockets.
Functions that a release of Python does not have are left out.
"""

from __future__ import annotations

import asyncio
import functools
import os
import socket
import stat
import types
from asyncio import base_events, constants, selector_events, unix_events
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from greenloop.testing.network.loop_face import LoopFace

# As bags of functions: their private names are known to the running Python only.
_Base: Any = base_events
_Selector: Any = selector_events
_Unix: Any = unix_events

WITH_SOCK: Final = (
    "create_connection",
    "create_server",
    "create_unix_connection",
    "create_unix_server",
    "create_datagram_endpoint",
)
"""The functions that make sockets, or take one as `sock=`."""

OF_SOCKETS: Final = (
    "connect_accepted_socket",
    "sock_accept",
    "sock_connect",
    "sock_recv",
    "sock_recv_into",
    "sock_recvfrom",
    "sock_recvfrom_into",
    "sock_sendall",
    "sock_sendto",
)
"""The functions that take a socket."""

_PRIVATE: Final = (
    "_accept_connection",
    "_accept_connection2",
    "_connect_sock",
    "_create_connection_transport",
    "_create_server_getaddrinfo",
    "_ensure_fd_no_transport",
    "_ensure_resolved",
    "_sock_accept",
    "_sock_connect",
    "_sock_connect_cb",
    "_sock_read_done",
    "_sock_recv",
    "_sock_recv_into",
    "_sock_recvfrom",
    "_sock_recvfrom_into",
    "_sock_sendall",
    "_sock_sendto",
    "_sock_write_done",
    "_start_serving",
)


class StreamTransport(_Selector._SelectorSocketTransport):  # type: ignore[misc]
    """asyncio's transport, which does not ask the system to send files."""

    _sendfile_compatible: Any = constants._SendfileMode.FALLBACK

    def write(self, data: Any) -> None:
        """Write bytes, of which a copy is kept: sending a file by hand uses one buffer again."""
        super().write(bytes(data) if isinstance(data, (bytearray, memoryview)) else data)


class MemoryServer(_Base.Server):  # type: ignore[misc]
    """asyncio's server."""

    def get_loop(self) -> asyncio.AbstractEventLoop:
        """Return the loop, not what stands in its place."""
        loop: asyncio.AbstractEventLoop = self._loop.loop
        return loop


def functions_on(face: LoopFace) -> dict[str, Any]:
    """Return asyncio's functions, as they call our sockets and not the system's."""
    replaced = {
        "socket": _Module(socket, socket=face.open_socket),
        # Its files are the paths of the running machine's Unix sockets.
        "os": _Module(
            os, stat=functools.partial(_stat, face), remove=functools.partial(_remove, face)
        ),
        "base_events": _Module(base_events, Server=MemoryServer),
        "Server": MemoryServer,
        # The order of a set of addresses is another one in each process.
        "set": _in_order,
    }
    found = {}
    for name in (*WITH_SOCK, *OF_SOCKETS, *_PRIVATE):
        original: Any = getattr(_Unix._UnixSelectorEventLoop, name, None)
        if original is not None:
            found[name] = _with_globals(original, replaced)
    return found


def _with_globals(original: types.FunctionType, replaced: dict[str, Any]) -> types.FunctionType:
    """Return the same function with other objects for some of its global names."""
    function = types.FunctionType(
        original.__code__,
        original.__globals__ | replaced,
        original.__name__,
        original.__defaults__,
        original.__closure__,
    )
    function.__kwdefaults__ = original.__kwdefaults__
    return function


def _in_order(items: Any = ()) -> list[Any]:
    return list(dict.fromkeys(items))


class _Module(types.ModuleType):
    """A module in the place of another one, from which it has what is not its own."""

    def __init__(self, original: types.ModuleType, **own: Any) -> None:
        super().__init__(original.__name__)
        self._original = original
        vars(self).update(own)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._original, name)


def _stat(face: LoopFace, path: Any) -> types.SimpleNamespace:
    """Do for the path of a Unix socket in memory what `os.stat` does."""
    inode, _ = face.network.present_host.path_entry(path)
    return types.SimpleNamespace(st_mode=stat.S_IFSOCK | 0o755, st_ino=inode)


def _remove(face: LoopFace, path: Any) -> None:
    """Do for the path of a Unix socket in memory what `os.remove` does."""
    face.network.present_host.remove_path(path)
