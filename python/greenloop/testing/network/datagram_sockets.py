"""`DatagramSocket`: a socket of UDP, or a Unix socket for datagrams.

Each datagram takes its own time, so that jitter changes their order. A connected socket hears that
no socket has the port it sends to; another one hears nothing.
"""

from __future__ import annotations

import errno
import os
import socket
from collections import deque
from typing import TYPE_CHECKING, Any, Final

from greenloop.testing.network.hosts import LOOPBACK, WILDCARD, error
from greenloop.testing.network.sockets import Address, MemorySocket

if TYPE_CHECKING:
    from greenloop.testing.network.hosts import Host
    from greenloop.testing.network.loop_face import LoopFace

LONGEST: Final = 65507
"""The most bytes in a datagram: 65,535 without the headers of IPv4 and UDP."""

BUFFER: Final = 212992
"""How many bytes wait to be read, at most (`net.core.rmem_default`). More are lost."""


class DatagramSocket(MemorySocket):
    """A socket for datagrams."""

    def __init__(self, face: LoopFace, host: Host, family: int, kind: int, proto: int) -> None:
        """Open a socket that is neither bound nor connected."""
        if family != socket.AF_UNIX and not proto:
            proto = socket.IPPROTO_UDP
        super().__init__(face, host, family, kind, proto)
        self._peer: Any = None
        self._received: deque[tuple[bytes, Any]] = deque()
        self._unread = 0

    def getpeername(self) -> Any:
        """Return the address it is connected to, or raise OSError (ENOTCONN)."""
        if self._peer is None:
            raise error(errno.ENOTCONN)
        return self._peer if self.family == socket.AF_UNIX else self.name_of(*self._peer)

    def connect(self, address: Any) -> None:
        """Have all datagrams go to an address, and take only those that come from there."""
        self.check_open()
        if self.family == socket.AF_UNIX:
            path = os.fsdecode(address)
            self._receiver_at(path)
            self._peer = path
            return
        numeric = self.resolved(address)
        host, reached = self.target_of(numeric)
        self.bind_to_reach(host, reached)
        self._peer = reached, numeric[1]

    # Sending.

    def send(self, data: Any, flags: int = 0) -> int:  # noqa: ARG002  # None has an effect.
        """Send a datagram to the address that the socket is connected to."""
        if self._peer is None:
            raise error(errno.EDESTADDRREQ)
        return self._send(data, self._peer)

    def sendto(self, data: Any, *flags_and_address: Any) -> int:
        """Send a datagram to an address, behind flags if there are any."""
        address = flags_and_address[-1]
        if self.family == socket.AF_UNIX:
            return self._send(data, os.fsdecode(address))
        return self._send(data, self.resolved(address))

    def _send(self, data: Any, address: Any) -> int:
        self.check()
        with memoryview(data) as view:
            datagram = view.tobytes()
        if len(datagram) > LONGEST:
            raise error(errno.EMSGSIZE)
        if self.family == socket.AF_UNIX:
            receiver = self._receiver_at(address)
            name = self.path if self.path is not None else None
            self.face.later(0, receiver.arrived, datagram, name)
        else:
            self._send_over_link(datagram, address)
        return len(datagram)

    def _send_over_link(self, datagram: bytes, address: Address) -> None:
        host, reached = self.target_of(address)
        if not self._holds_binding:
            self.bind((WILDCARD[self.family], 0))
        if host is None:
            return
        link = self.face.network.link_between(self.host, host)
        source = self.local_address
        if source == WILDCARD[self.family]:
            is_inside = reached == LOOPBACK[self.family] or host is self.host
            source = reached if is_inside else self.host.own_address(self.family)
        sender = source, self.local_port
        now = self.face.time()
        copies = 2 if link.is_duplicated() else 1
        for _ in range(copies):
            # A lost one takes its share of the bandwidth, too.
            arrival = link.arrival(now, len(datagram))
            if not link.is_lost():
                target = reached, address[1]
                self.face.at(arrival, self._arrive, host, target, datagram, sender)

    def _arrive(self, host: Host, target: Address, datagram: bytes, sender: Address) -> None:
        network = self.face.network
        if network.link_between(self.host, host).is_cut:
            return
        for receiver in host.bound(self.family, self.type, *target):
            if isinstance(receiver, DatagramSocket) and receiver._peer in (None, sender):
                receiver.arrived(datagram, receiver.name_of(*sender))
                return
        back = network.link_between(host, self.host)
        if self._peer is not None and not back.is_cut:
            self.face.later(back.delay(), self._refused)

    def _refused(self) -> None:
        if not self.is_closed:
            self.fail(errno.ECONNREFUSED)

    def _receiver_at(self, path: str) -> DatagramSocket:
        _, receiver = self.host.unix_sockets.get(path, (0, None))
        if receiver is None:
            raise error(errno.ENOENT)
        if receiver.is_closed or not isinstance(receiver, DatagramSocket):
            raise error(errno.ECONNREFUSED)
        return receiver

    # Receiving.

    def arrived(self, datagram: bytes, sender: Any) -> None:
        """Keep a datagram until it is read, if there is room."""
        if not self.is_closed and self._unread + len(datagram) <= BUFFER:
            self._received.append((datagram, sender))
            self._unread += len(datagram)
            self.look()

    def is_readable(self) -> bool:
        """Tell whether there is a datagram or an error."""
        return bool(self._received or self.pending_error)

    def recvfrom(self, size: int, flags: int = 0) -> tuple[bytes, Any]:  # noqa: ARG002
        """Return the next datagram, of which no more than `size` bytes, and its sender.

        Raises:
            OSError: EAGAIN if none has come; ECONNREFUSED if no socket has got the last one.
        """
        self.check()
        if not self._received:
            raise error(errno.EAGAIN)
        datagram, sender = self._received.popleft()
        self._unread -= len(datagram)
        return datagram[:size], sender

    def recvfrom_into(self, buffer: Any, size: int = 0, flags: int = 0) -> tuple[int, Any]:
        """Receive a datagram into a buffer, and return its length and its sender."""
        with memoryview(buffer) as view, view.cast("B") as room:
            data, sender = self.recvfrom(size or len(room), flags)
            room[: len(data)] = data
        return len(data), sender

    def recv(self, size: int, flags: int = 0) -> bytes:
        """Return the next datagram, of which no more than `size` bytes."""
        return self.recvfrom(size, flags)[0]
