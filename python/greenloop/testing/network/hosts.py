"""`Host`: a machine of the network, with its addresses and what is bound to them.

Each host has 10.0.0.n and fd00::n, and for itself 127.0.0.1 and ::1. Paths of Unix sockets are in a
namespace of the host, which is not that of the file system.
"""

from __future__ import annotations

import errno
import ipaddress
import itertools
import os
import socket
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from greenloop.testing.network.sockets import MemorySocket

LOOPBACK: Final = {socket.AF_INET: "127.0.0.1", socket.AF_INET6: "::1"}
WILDCARD: Final = {socket.AF_INET: "0.0.0.0", socket.AF_INET6: "::"}
NETWORK: Final = {socket.AF_INET: "10.0.0.0/16", socket.AF_INET6: "fd00::/64"}
EPHEMERAL_PORTS: Final = range(32768, 61000)
"""The ports that are given to sockets that ask for none (`net.ipv4.ip_local_port_range`)."""


def error(number: int) -> OSError:
    """Return the exception that a system call raises with that `errno`."""
    return OSError(number, os.strerror(number))


def is_in_network(family: int, address: str) -> bool:
    """Return whether an address is one of those that hosts have, whether or not one has it."""
    network = ipaddress.ip_network(NETWORK[socket.AddressFamily(family)])
    return ipaddress.ip_address(address) in network


class Host:
    """A machine of the network."""

    def __init__(self, name: str, number: int) -> None:
        """Give the machine its addresses."""
        self.name = name
        """The name that other hosts find it by."""
        self.address = f"10.0.{number >> 8}.{number & 255}"
        """Its IPv4 address."""
        self.address6 = f"fd00::{number:x}"
        """Its IPv6 address."""
        self.unix_sockets: dict[str, tuple[int, MemorySocket]] = {}
        """The socket at each path, behind the inode of the path."""
        self._bound: dict[tuple[int, int, int], list[MemorySocket]] = {}
        self._ports: dict[tuple[int, int, str], Iterator[int]] = {}
        self._inodes = itertools.count(1)

    def __repr__(self) -> str:
        return f"<Host {self.name} {self.address}>"

    def own_address(self, family: int) -> str:
        """Return the address that other hosts have for it."""
        return self.address if family == socket.AF_INET else self.address6

    def has_address(self, family: int, address: str) -> bool:
        """Return whether the address means this host to the host itself."""
        if family == socket.AF_INET and ipaddress.ip_address(address).is_loopback:
            return True
        return address in (LOOPBACK.get(socket.AddressFamily(family)), self.own_address(family))

    def bind(self, bound: MemorySocket, address: str, port: int) -> int:
        """Bind a socket to an address and a port, and return the port.

        Raises:
            OSError: The address is another host's (EADDRNOTAVAIL) or in use (EADDRINUSE).
        """
        family, kind = bound.family, bound.type
        wildcard = WILDCARD[family]
        if address != wildcard and not self.has_address(family, address):
            raise error(errno.EADDRNOTAVAIL)
        if not port:
            port = self._ephemeral_port(family, kind, address)
        elif self._is_in_use(bound, address, port):
            raise error(errno.EADDRINUSE)
        self._bound.setdefault((family, kind, port), []).append(bound)
        return port

    def unbind(self, bound: MemorySocket, port: int) -> None:
        """Release the port of a socket."""
        key = bound.family, bound.type, port
        remaining = [each for each in self._bound.get(key, ()) if each is not bound]
        if remaining:
            self._bound[key] = remaining
        else:
            self._bound.pop(key, None)

    def bound(self, family: int, kind: int, address: str, port: int) -> list[MemorySocket]:
        """Return the sockets that get what comes to an address, those of all addresses last."""
        found = self._bound.get((family, kind, port), ())
        exact = [each for each in found if each.local_address == address]
        wildcard = WILDCARD[socket.AddressFamily(family)]
        return exact + [each for each in found if each.local_address == wildcard]

    def bind_path(self, bound: MemorySocket, path: str) -> None:
        """Bind a Unix socket to a path.

        Raises:
            OSError: The path is in use (EADDRINUSE).
        """
        if path in self.unix_sockets:
            raise error(errno.EADDRINUSE)
        self.unix_sockets[path] = next(self._inodes), bound

    def path_entry(self, path: Any) -> tuple[int, MemorySocket]:
        """Return the inode of a path and what is bound to it.

        Raises:
            FileNotFoundError: Nothing is bound to it.
        """
        found = self.unix_sockets.get(os.fsdecode(path))
        if found is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        return found

    def remove_path(self, path: Any) -> None:
        """Remove a path, as `os.remove` does. The socket stays open.

        Raises:
            FileNotFoundError: Nothing is bound to it.
        """
        self.path_entry(path)
        del self.unix_sockets[os.fsdecode(path)]

    def sockets(self) -> list[MemorySocket]:
        """Return all sockets that are bound on the host."""
        by_port = itertools.chain.from_iterable(self._bound.values())
        return [*by_port, *(each for _, each in self.unix_sockets.values())]

    def _is_in_use(self, bound: MemorySocket, address: str, port: int) -> bool:
        wildcard = WILDCARD[bound.family]
        for other in self._bound.get((bound.family, bound.type, port), ()):
            is_shared = bound.shares_port and other.shares_port
            overlaps = wildcard in (address, other.local_address) or address == other.local_address
            if overlaps and not is_shared:
                return True
        return False

    def _ephemeral_port(self, family: int, kind: int, address: str) -> int:
        # Each address has a sequence of its own, so that the order in which a program binds several
        # makes no difference.
        key = family, kind, address
        ports = self._ports.setdefault(key, itertools.cycle(EPHEMERAL_PORTS))
        for port in itertools.islice(ports, len(EPHEMERAL_PORTS)):
            if (family, kind, port) not in self._bound:
                return port
        raise error(errno.EADDRINUSE)
