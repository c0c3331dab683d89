"""`StreamSocket`: a socket of TCP, or a Unix socket for streams.

```text
  new ─1► listening ─────────────────────┐
   │ ▲                                   5
   2 │                                   ▼
   ▼ 3                                closed
  connecting ─4► connected ─5────────────▲
                     └─6─► broken ─5─────┘
```
1. `listen`. 2. `connect`. 3. `connecting_failed`. 4. `connected_to`; a socket that is accepted
begins here. 5. `close`. 6. `reset_arrived` and `break_off`.
"""

from __future__ import annotations

import errno
import os
import socket
from collections import deque
from typing import TYPE_CHECKING, Any

from greenloop.testing.network.flow import Flow
from greenloop.testing.network.handshake import Handshake
from greenloop.testing.network.hosts import error
from greenloop.testing.network.links import Link
from greenloop.testing.network.sockets import Address, MemorySocket

if TYPE_CHECKING:
    from greenloop.testing.network.hosts import Host
    from greenloop.testing.network.loop_face import LoopFace


class StreamSocket(MemorySocket):
    """A socket for streams."""

    def __init__(self, face: LoopFace, host: Host, family: int, kind: int, proto: int) -> None:
        """Open a socket that is neither bound nor connected."""
        if family != socket.AF_UNIX and not proto:
            proto = socket.IPPROTO_TCP
        super().__init__(face, host, family, kind, proto)
        self.peer: StreamSocket | None = None
        self._peer_name: Any = None
        self._handshake: Handshake | None = None
        self._listener: StreamSocket | None = None
        self._backlog: deque[StreamSocket] = deque()
        self._outgoing: Flow | None = None
        self._received: deque[bytes] = deque()
        self._unread = 0
        self._has_end = False
        self._is_shut = False
        self._is_broken = False

    @property
    def local(self) -> Address:
        """The address and port it is bound to."""
        return self.local_address, self.local_port

    @property
    def outgoing(self) -> Flow:
        """The flow that carries its bytes to the peer.

        Raises:
            OSError: It is not connected (ENOTCONN).
        """
        if self._outgoing is None:
            raise error(errno.ENOTCONN)
        return self._outgoing

    def getpeername(self) -> Any:
        """Return the address it is connected to, or raise OSError (ENOTCONN)."""
        if self._peer_name is None or self._is_broken:
            raise error(errno.ENOTCONN)
        return self._peer_name

    # Listening.

    def listen(self, backlog: int = 128) -> None:  # noqa: ARG002  # None is ever refused.
        """Have connections come. Any number of them may wait to be accepted."""
        self.check_open()
        if not self._holds_binding and self.family != socket.AF_UNIX:
            self.bind(("", 0))
        self.is_listening = True

    def accept(self) -> tuple[StreamSocket, Any]:
        """Return the next connection and the address of its peer."""
        self.check_open()
        if not self.is_listening:
            raise error(errno.EINVAL)
        if not self._backlog:
            raise error(errno.EAGAIN)
        child = self._backlog.popleft()
        child.is_owned = True
        return child, child._peer_name

    def child_for(self, address: Address) -> StreamSocket:
        """Return a socket at this end, which is reached at an address and not connected yet."""
        child = StreamSocket(self.face, self.host, self.family, self.type, self.proto)
        child.is_owned = False
        child._listener = self
        child.path = self.path
        child.local_address, child.local_port = address
        return child

    # Connecting.

    def connect(self, address: Any) -> None:
        """Begin to connect.

        Raises:
            OSError: EINPROGRESS, and as of the system's if it fails at once.
        """
        self.check_open()
        if self.peer is not None:
            raise error(errno.EISCONN)
        if self._handshake is not None:
            raise error(errno.EALREADY)
        if self.family == socket.AF_UNIX:
            self._connect_to_path(os.fsdecode(address))
            return
        numeric = self.resolved(address)
        host, reached = self.target_of(numeric)
        self.bind_to_reach(host, reached)
        self._handshake = Handshake(self, host, (reached, numeric[1]))
        raise error(errno.EINPROGRESS)

    def _connect_to_path(self, path: str) -> None:
        _, listener = self.host.unix_sockets.get(path, (0, None))
        if listener is None:
            raise error(errno.ECONNREFUSED if path.startswith("\0") else errno.ENOENT)
        if not isinstance(listener, StreamSocket):
            raise error(errno.EPROTOTYPE)
        if listener.is_closed or not listener.is_listening:
            raise error(errno.ECONNREFUSED)
        child = listener.child_for(("", 0))
        self.connected_to(child, path, None)
        child.connected_to(self, self.path if self.path is not None else "", None)
        child.open_arrived()

    def connected_to(self, peer: StreamSocket, name: Any, link: Link | None) -> None:
        """Take a peer. Bytes to it go over the link, or over memory if it is None."""
        self._handshake = None
        self.peer = peer
        is_path = self.family == socket.AF_UNIX
        self._peer_name = name if is_path else self.name_of(*name)
        self._outgoing = Flow(self, peer, link, self.face.network.window)

    def connection_opened(self) -> None:
        """End the handshake of a client: tell the server, and the callbacks that wait."""
        self.outgoing.open()
        self.look()

    def connecting_failed(self, number: int) -> None:
        """End the attempt to connect with an `errno`."""
        self._handshake = None
        self.fail(number)

    def is_connected_between(self, hosts: tuple[str, str]) -> bool:
        """Tell whether it is an end of a connection between two machines, named in their order."""
        if self.peer is None or self._is_broken or self.family == socket.AF_UNIX:
            return False
        return tuple(sorted((self.host.name, self.peer.host.name))) == hosts

    # What arrives.

    def open_arrived(self) -> None:
        """Wait to be accepted, now that the client knows that it is connected."""
        listener = self._listener
        self._listener = None
        if listener is None or listener.is_closed:
            self._has_end = True
            self.outgoing.reset()
            self.is_closed = True
        else:
            listener._backlog.append(self)
            listener.look()

    def data_arrived(self, data: bytes) -> None:
        """Keep bytes until they are read. A closed socket answers with a reset."""
        if self.is_closed:
            self.outgoing.reset()
        elif not self._is_broken:
            self._received.append(data)
            self._unread += len(data)
            self.look()

    def end_arrived(self) -> None:
        """Take note that the peer sends no more."""
        self._has_end = True
        self.look()

    def reset_arrived(self) -> None:
        """Lose the connection by a reset."""
        # As on Linux, where it depends on whether the peer had ended its stream before.
        self.break_off(errno.EPIPE if self._has_end else errno.ECONNRESET)

    def break_off(self, number: int) -> None:
        """Lose the connection at this end with an `errno`."""
        if self._outgoing is not None:
            self._outgoing.stop()
        if not self._is_broken and not self.is_closed:
            self._is_broken = True
            self.fail(number)

    # Reading and writing.

    def is_readable(self) -> bool:
        """Tell whether there are bytes, an end, an error or a connection to accept."""
        is_over = self._has_end or self._is_broken or self.pending_error
        return bool(self._backlog or self._received or is_over)

    def is_writable(self) -> bool:
        """Tell whether there is room, or writing would fail."""
        if self.pending_error or self._is_broken or self._is_shut:
            return True
        return self._outgoing is not None and self._outgoing.has_room

    def send(self, data: Any, flags: int = 0) -> int:  # noqa: ARG002  # None has an effect.
        """Send bytes, and return how many were taken.

        Raises:
            OSError: EAGAIN without room; EPIPE or ECONNRESET without a connection.
        """
        self.check()
        if self._is_broken or self._is_shut or self._is_without_reader():
            raise error(errno.EPIPE)
        if self._handshake is not None:
            raise error(errno.EAGAIN)
        with memoryview(data) as view, view.cast("B") as octets:
            taken = self.outgoing.send(octets)
            if not taken and len(octets):
                raise error(errno.EAGAIN)
        return taken

    def recv(self, size: int, flags: int = 0) -> bytes:  # noqa: ARG002  # None has an effect.
        """Return up to `size` bytes; none at the end of the stream.

        Raises:
            OSError: EAGAIN if nothing has come; ECONNRESET and others without a connection.
        """
        self.check_open()
        if not self._received:
            self.check()
            if self._has_end or self._is_broken:
                return b""
            raise error(errno.ENOTCONN if self.peer is None else errno.EAGAIN)
        return self._taken(self.face.network.short_read(size))

    def _taken(self, size: int) -> bytes:
        parts = []
        while self._received and size:
            part = self._received.popleft()
            if len(part) > size:
                self._received.appendleft(part[size:])
                part = part[:size]
            parts.append(part)
            size -= len(part)
        data = b"".join(parts)
        self._unread -= len(data)
        if self.peer is not None:
            self.peer.outgoing.release(len(data))
        return data

    def _is_without_reader(self) -> bool:
        # Of two Unix sockets each knows at once what becomes of the other.
        return self.family == socket.AF_UNIX and self.peer is not None and self.peer.is_closed

    def shutdown(self, how: int) -> None:
        """End one or both directions."""
        self.check_open()
        outgoing = self.outgoing
        if self._is_broken:
            raise error(errno.ENOTCONN)
        if how != socket.SHUT_RD and not self._is_shut:
            self._is_shut = True
            outgoing.finish()
        if how != socket.SHUT_WR:
            self._has_end = True
            self.look()

    def closed(self) -> None:
        """Send the end of the stream, or a reset if bytes were not read, as Linux does."""
        if self._handshake is not None:
            self._handshake.cancel()
        for child in self._backlog:
            child.is_closed = True
            child.outgoing.reset()
        self._backlog.clear()
        if self._outgoing is None or self._is_broken:
            return
        if self._unread:
            self._outgoing.reset()
        elif not self._is_shut:
            self._outgoing.finish()
