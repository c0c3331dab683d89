"""Names and addresses: `getaddrinfo` and `getnameinfo` of a network.

Numbers are translated by the C library without a resolver, as `socket` does it. A name is that of a
host, or localhost. Names have IPv4 addresses unless IPv6 is asked for, so that a program that
listens on a name, or on nothing in particular, has one socket on any machine.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any, Final

from greenloop.testing.network.hosts import LOOPBACK

if TYPE_CHECKING:
    from greenloop.testing.network.network import Network

# Both make the answer depend on the machine's own interfaces.
_OF_THE_MACHINE: Final = socket.AI_ADDRCONFIG | socket.AI_V4MAPPED


def getaddrinfo(
    network: Network,
    host: Any,
    port: Any,
    family: int = 0,
    kind: int = 0,
    proto: int = 0,
    flags: int = 0,
) -> list[Any]:
    """Return what `socket.getaddrinfo` returns.

    Raises:
        socket.gaierror: There is no such host, or the arguments contradict each other.
    """
    if isinstance(host, bytes):
        host = host.decode("idna")
    name = None
    if isinstance(host, str) and not _is_numeric(host) and host:
        name = host
        if not flags & socket.AI_NUMERICHOST:
            host = address_of(network, host, family)
    elif host is None and not family:
        family = socket.AF_INET
    is_named = bool(flags & socket.AI_CANONNAME) and name is not None
    flags = flags & ~_OF_THE_MACHINE & ~socket.AI_CANONNAME | socket.AI_NUMERICHOST
    answer = socket.getaddrinfo(host, port, family, kind, proto, flags)
    if is_named:
        answer[0] = (*answer[0][:3], str(name), answer[0][4])
    return answer


def getnameinfo(network: Network, sockaddr: Any, flags: int = 0) -> tuple[str, str]:
    """Return what `socket.getnameinfo` returns: the names of a host and of a service.

    Raises:
        socket.gaierror: The host has no name, and `NI_NAMEREQD` is among the flags.
    """
    asked = flags & ~socket.NI_NAMEREQD | socket.NI_NUMERICHOST
    address, service = socket.getnameinfo(sockaddr, asked)
    if flags & socket.NI_NUMERICHOST:
        return address, service
    if address in LOOPBACK.values():
        return "localhost", service
    host = network.host_at(address)
    if host is not None:
        return host.name, service
    if flags & socket.NI_NAMEREQD:
        raise _unknown()
    return address, service


def address_of(network: Network, name: str, family: int = 0) -> str:
    """Return the address of a name or of a numeric address.

    Raises:
        socket.gaierror: There is no such host.
    """
    if _is_numeric(name):
        return name
    name = name.lower().rstrip(".")
    if name == "localhost":
        return LOOPBACK[socket.AddressFamily(family or socket.AF_INET)]
    host = network.hosts.get(name)
    if host is None:
        raise _unknown()
    return host.own_address(family or socket.AF_INET)


def _unknown() -> socket.gaierror:
    return socket.gaierror(socket.EAI_NONAME, "Name or service not known")


def _is_numeric(host: str) -> bool:
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, host.partition("%")[0])
        except (OSError, ValueError):
            continue
        return True
    return False
