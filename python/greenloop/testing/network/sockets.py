"""`MemorySocket`: what is common to the sockets of a network in memory.

They have the methods of `socket.socket` that asyncio's own code calls, and never block. That code
runs on them unchanged: what a transport does, and in what words it fails, is asyncio's.
"""

from __future__ import annotations

import errno
import os
import socket
import warnings
from collections.abc import Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final

from greenloop.testing.network.hosts import LOOPBACK, WILDCARD, Host, error, is_in_network
from greenloop.testing.network.names import address_of

if TYPE_CHECKING:
    from greenloop.testing.network.loop_face import LoopFace
    from greenloop.testing.network.readiness import Watch

Address = tuple[str, int]

_FIRST_PORT, _LAST_PORT = 0, 65535
_BUFFER_SIZE: Final = 212992
"""The size of the buffers, as sockets tell it (`net.core.rmem_default`)."""


class MemorySocket:
    """An endpoint of a network in memory."""

    def __init__(self, face: LoopFace, host: Host, family: int, kind: int, proto: int) -> None:
        """Open a socket on a host."""
        self.face = face
        self.host = host
        self.family = socket.AddressFamily(family)
        self.type = socket.SocketKind(kind & ~(socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC))
        self.proto = proto
        self.local_address = ""
        """The numeric address it is bound to; empty if it is bound to none."""
        self.local_port = 0
        self.path: str | None = None
        """The path that a Unix socket is bound to."""
        self.is_listening = False
        self.is_closed = False
        self.reader: Watch | None = None
        self.writer: Watch | None = None
        self.pending_error = 0
        """The `errno` that the next call fails with."""
        self.is_owned = True
        """Whether a program has it, which then has to close it."""
        self._holds_binding = False
        self._options: dict[tuple[int, int], Any] = {}
        self._number = face.register(self)

    def __repr__(self) -> str:
        if self.is_closed:
            return f"<{type(self).__name__} closed>"
        name = f"{self.family.name}, {self.type.name}, laddr={self.getsockname()!r}"
        return f"<{type(self).__name__} {self.host.name}: {name}>"

    def __enter__(self) -> MemorySocket:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __del__(self, _warn: Any = warnings.warn) -> None:
        if not getattr(self, "is_closed", True) and self.is_owned:
            _warn(f"unclosed {self!r}", ResourceWarning, source=self)

    # What it is.

    def fileno(self) -> int:
        """Return a number that no descriptor of the system has, or -1 when it is closed."""
        return -1 if self.is_closed else self._number

    def getsockname(self) -> Any:
        """Return the address it is bound to."""
        if self.family == socket.AF_UNIX:
            return self.path if self.path is not None else ""
        return self.name_of(self.local_address or WILDCARD[self.family], self.local_port)

    def getpeername(self) -> Any:
        """Return the address it is connected to, or raise OSError (ENOTCONN)."""
        raise error(errno.ENOTCONN)

    def name_of(self, address: str, port: int) -> Any:
        """Return an address in the form of the socket's family."""
        return (address, port) if self.family == socket.AF_INET else (address, port, 0, 0)

    # Options.

    def setblocking(self, flag: bool) -> None:
        """Do nothing: it never blocks."""

    def settimeout(self, timeout: float | None) -> None:
        """Do nothing: it never blocks."""

    def gettimeout(self) -> float:
        """Return 0.0: it never blocks."""
        return 0.0

    def setsockopt(self, level: int, option: int, value: Any, *_length: int) -> None:
        """Keep the value. Only `SO_REUSEPORT` has an effect."""
        self._options[level, option] = value

    def getsockopt(self, level: int, option: int, length: int = 0) -> Any:
        """Return the value that was set, or what the system would say."""
        if level == socket.SOL_SOCKET:
            if option == socket.SO_ERROR:
                return self.take_error()
            known = {
                socket.SO_TYPE: int(self.type),
                socket.SO_DOMAIN: int(self.family),
                socket.SO_PROTOCOL: self.proto,
                socket.SO_ACCEPTCONN: int(self.is_listening),
                socket.SO_SNDBUF: _BUFFER_SIZE,
                socket.SO_RCVBUF: _BUFFER_SIZE,
            }
            if option in known:
                return self._options.get((level, option), known[option])
        return self._options.get((level, option), bytes(length) if length else 0)

    @property
    def shares_port(self) -> bool:
        """Whether `SO_REUSEPORT` is set."""
        return bool(self._options.get((socket.SOL_SOCKET, socket.SO_REUSEPORT)))

    # Addresses.

    def bind(self, address: Any) -> None:
        """Bind the socket.

        Raises:
            OSError: As of the system's: EADDRINUSE, EADDRNOTAVAIL, EINVAL.
        """
        self.check_open()
        if self._holds_binding:
            raise error(errno.EINVAL)
        if self.family == socket.AF_UNIX:
            path = os.fsdecode(address)
            self.host.bind_path(self, path)
            self.path = path
        else:
            found, port = self.resolved(address)
            self.local_port = self.host.bind(self, found, port)
            self.local_address = found
        self._holds_binding = True

    def resolved(self, address: Any) -> Address:
        """Return the numeric address and the port of an address of the socket's family.

        Raises:
            TypeError: It has another form.
            OverflowError: The port is no port.
            socket.gaierror: There is no such host.
        """
        if not isinstance(address, tuple):
            name = self.family.name
            raise TypeError(f"{name} address must be tuple, not {type(address).__name__}")
        host, port = address[:2]
        if not _FIRST_PORT <= port <= _LAST_PORT:
            raise OverflowError("port must be 0-65535.")
        if not host:
            return WILDCARD[self.family], port
        return address_of(self.face.network, host, self.family), port

    def target_of(self, address: Address) -> tuple[Host | None, str]:
        """Return which host an address means to this socket, and the address it has for that host.

        The host is None if no host has the address, but one might.

        Raises:
            OSError: No host could have the address (ENETUNREACH).
        """
        name = address[0]
        if name == WILDCARD[self.family]:
            name = LOOPBACK[self.family]
        if self.host.has_address(self.family, name):
            return self.host, name
        host = self.face.network.host_at(name)
        if host is None and not is_in_network(self.family, name):
            raise error(errno.ENETUNREACH)
        return host, name

    def bind_to_reach(self, host: Host | None, address: str) -> None:
        """Bind to the address by which the socket reaches another one, if it is bound to none."""
        local = address if host is self.host else self.host.own_address(self.family)
        if not self._holds_binding:
            self.local_port = self.host.bind(self, local, 0)
            self._holds_binding = True
        if self.local_address in ("", WILDCARD[self.family]):
            self.local_address = local

    # Readiness.

    def is_readable(self) -> bool:
        """Tell whether reading would not block."""
        return False

    def is_writable(self) -> bool:
        """Tell whether writing would not block."""
        return True

    def look(self) -> None:
        """Call the callbacks that wait for the socket, if it is ready now."""
        for watch in (self.reader, self.writer):
            if watch is not None:
                watch.look()

    def fail(self, number: int) -> None:
        """Have the next call fail with this `errno`."""
        self.pending_error = number
        self.look()

    def take_error(self) -> int:
        """Return the `errno` that was to be reported, or 0; it is not reported again."""
        number, self.pending_error = self.pending_error, 0
        return number

    def check(self) -> None:
        """Raise what is to be reported."""
        self.check_open()
        if number := self.take_error():
            raise error(number)

    def check_open(self) -> None:
        """Raise OSError (EBADF) if the socket is closed."""
        if self.is_closed:
            raise error(errno.EBADF)

    # Sending and receiving, in terms of what a kind of socket has.

    def send(self, data: Any, flags: int = 0) -> int:
        """Send bytes, and return how many were taken."""
        raise NotImplementedError

    def recv(self, size: int, flags: int = 0) -> bytes:
        """Return bytes that were received."""
        raise NotImplementedError

    def sendmsg(self, buffers: Iterable[Any], *_others: Any) -> int:
        """Send the bytes of several buffers, and return how many were taken."""
        return self.send(b"".join(buffers))

    def recv_into(self, buffer: Any, size: int = 0, flags: int = 0) -> int:
        """Receive into a buffer, and return how many bytes there were."""
        with memoryview(buffer) as view, view.cast("B") as room:
            data = self.recv(size or len(room), flags)
            room[: len(data)] = data
        return len(data)

    # Closing.

    def close(self) -> None:
        """Close the socket. Bytes that were sent still arrive."""
        if self.is_closed:
            return
        self.is_closed = True
        for watch in (self.reader, self.writer):
            if watch is not None:
                watch.cancel()
        self.reader = self.writer = None
        self.face.forget(self._number)
        self.release_port()
        self.closed()

    def closed(self) -> None:
        """End what a kind of socket has begun."""

    def release_port(self) -> None:
        """Release the port. A path stays in the namespace until it is removed, as a file does."""
        if self._holds_binding and self.path is None:
            self._holds_binding = False
            self.host.unbind(self, self.local_port)
