"""The test for calls of `getaddrinfo` that need no resolver.

A numeric address is translated by the C library alone, without a file or a server being asked, in a
few microseconds. A thread to wait in would cost ten times that, and two turns of the loop.
"""

import socket
from typing import Any

# The flags that need no resolver: `AI_CANONNAME` and all others may need one.
_HARMLESS = (
    socket.AI_PASSIVE
    | socket.AI_NUMERICHOST
    | socket.AI_NUMERICSERV
    | socket.AI_ADDRCONFIG
    | socket.AI_V4MAPPED
    | socket.AI_ALL
)


def is_numeric(host: Any, port: Any, family: Any, kind: Any, proto: Any, flags: Any) -> bool:
    """Return whether `socket.getaddrinfo` answers at once to these arguments."""
    numbers = (family, kind, proto, flags)
    if not all(isinstance(number, int) for number in numbers) or flags & ~_HARMLESS:
        return False
    return _is_address(host, family) and _is_port(port)


def _is_address(host: Any, family: int) -> bool:
    if isinstance(host, bytes) and host.isascii():
        host = host.decode("ascii")
    # With a zone, the interfaces would have to be asked.
    if not isinstance(host, str) or "%" in host:
        return False
    for one in (socket.AF_INET, socket.AF_INET6):
        if family in (socket.AF_UNSPEC, one):
            try:
                socket.inet_pton(one, host)
            except (OSError, ValueError):
                continue
            return True
    return False


def _is_port(port: Any) -> bool:
    if isinstance(port, str | bytes):
        # The name of a service is looked for in a file.
        return port.isascii() and port.isdigit()
    return port is None or isinstance(port, int)
