"""`Handshake`: how two sockets of TCP become a connection, or fail to.

```text
  client                    server
    │ ──1─ SYN ──────────────► │ listens, or not
    │ ◄─2─ SYN-ACK or RST ──── │
    │ ──3─ ACK ──────────────► │ may be accepted
```
1. `_send_request`, again after 1, 2, 4 and up to 32 seconds while it or its answer is lost. 64
seconds after the last one the attempt has timed out, 127 seconds after the first one.
2. `_request_arrived`. 3. `_answered`: the client is connected. The ACK is the first in the flow.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Final

from greenloop.testing.network.hosts import Host

if TYPE_CHECKING:
    from greenloop.testing.network.sockets import Address
    from greenloop.testing.network.stream_sockets import StreamSocket

REPETITIONS: Final = 6
"""How often a request is sent again (`net.ipv4.tcp_syn_retries`)."""

FIRST_PAUSE: Final = 1.0
"""Seconds until the request is sent again for the first time."""

UNREACHABLE_AFTER: Final = 3.0
"""After how many seconds it is known that no machine of the local network has an address (ARP)."""


class Handshake:
    """An attempt of a client to connect."""

    def __init__(self, client: StreamSocket, host: Host | None, address: Address) -> None:
        """Begin the attempt.

        Args:
            client: The socket, which is bound.
            host: The host that has the address, if one has.
            address: The address and the port.
        """
        self._client = client
        self._address = address
        self._pause = FIRST_PAUSE
        self._sent = 0
        self._sent_at = 0.0
        self._is_cancelled = False
        if host is None:
            client.face.later(UNREACHABLE_AFTER, self._fail, errno.EHOSTUNREACH)
            return
        self._host = host
        network = client.face.network
        self._there = network.link_between(client.host, host)
        self._back = network.link_between(host, client.host, is_answer=True)
        self._send_request()

    def cancel(self) -> None:
        """End the attempt: the client has been closed."""
        self._is_cancelled = True

    def _send_request(self) -> None:
        if self._is_cancelled:
            return
        face = self._client.face
        self._sent += 1
        self._sent_at = face.time()
        if self._there.is_cut or self._there.is_lost():
            self._lose()
        else:
            face.later(self._there.delay(), self._request_arrived)

    def _lose(self) -> None:
        face = self._client.face
        at = self._sent_at + self._pause
        self._pause *= 2
        if self._sent <= REPETITIONS:
            face.at(at, self._send_request)
        else:
            face.at(at, self._fail, errno.ETIMEDOUT)

    def _request_arrived(self) -> None:
        if self._is_cancelled:
            return
        if self._there.is_cut or self._back.is_cut or self._back.is_lost():
            self._lose()
            return
        listener = self._client.face.network.listener(self._host, self._client, self._address)
        face = self._client.face
        if listener is None:
            face.later(self._back.delay(), self._fail, errno.ECONNREFUSED)
        else:
            child = listener.child_for(self._address)
            face.later(self._back.delay(), self._answered, child)

    def _answered(self, child: StreamSocket) -> None:
        if self._is_cancelled:
            child.close()
            return
        self._client.connected_to(child, self._address, self._there)
        child.connected_to(self._client, self._client.local, self._back)
        self._client.connection_opened()

    def _fail(self, number: int) -> None:
        if not self._is_cancelled:
            self._client.connecting_failed(number)
