"""`LoopFace`: what asyncio's own network functions take for the loop, and how a loop gets them.

`create_connection` and its like, servers and transports are those of the running Python, on sockets
in memory (`asyncio_functions`). This object has what they ask of a loop's poller, and hands on
everything else to the loop. So errors, arguments and the life of a transport need not be written
again, and are those of each release of Python.
"""

from __future__ import annotations

import asyncio
import contextvars
import errno
import functools
import itertools
import selectors
import socket
import types
import weakref
from asyncio import selector_events
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import greenloop.network
from greenloop.testing.network import names
from greenloop.testing.network.asyncio_functions import (
    OF_SOCKETS,
    WITH_SOCK,
    StreamTransport,
    functions_on,
)
from greenloop.testing.network.datagram_sockets import DatagramSocket
from greenloop.testing.network.hosts import error
from greenloop.testing.network.readiness import Watch
from greenloop.testing.network.sockets import MemorySocket
from greenloop.testing.network.stream_sockets import StreamSocket

if TYPE_CHECKING:
    from greenloop.event_loop import EventLoop
    from greenloop.testing.network.network import Network

# As a bag of classes: its private names are known to the running Python only.
_Selector: Any = selector_events

FIRST_NUMBER: Final = 1 << 24
"""Numbers of sockets begin here, which no descriptor of the system reaches."""


class LoopFace:
    """A loop, as far as asyncio's network functions know one."""

    def __init__(self, network: Network, loop: EventLoop) -> None:
        """Have the network functions of a loop use the network."""
        self.network = network
        self.loop = loop
        self._sockets: weakref.WeakValueDictionary[int, MemorySocket] = (
            weakref.WeakValueDictionary()
        )
        self._numbers = itertools.count(FIRST_NUMBER)
        # What asyncio's functions look at.
        self._transports: weakref.WeakValueDictionary[int, Any] = weakref.WeakValueDictionary()
        self._unix_server_sockets: dict[MemorySocket, int] = {}
        self._selector = self
        self._functions = functions_on(self)
        self._install()

    def __getattr__(self, name: str) -> Any:
        functions = self.__dict__.get("_functions", {})
        if name in functions:
            return types.MethodType(functions[name], self)
        return getattr(self.loop, name)

    # Installing.

    def _install(self) -> None:
        attributes = vars(self.loop)
        attributes["_greenloop_network"] = self
        for name in WITH_SOCK:
            attributes[name] = _unless_with_sock(self, name)
        for name in OF_SOCKETS:
            attributes[name] = _if_ours(self, name)
        attributes["getaddrinfo"] = self.getaddrinfo
        attributes["getnameinfo"] = self.getnameinfo

    def detach(self) -> None:
        """Give the loop its own functions back. Sockets that are open stay as they are."""
        for name in ("_greenloop_network", *WITH_SOCK, *OF_SOCKETS, "getaddrinfo", "getnameinfo"):
            vars(self.loop).pop(name, None)

    # Names.

    async def getaddrinfo(
        self,
        host: Any,
        port: Any,
        *,
        family: int = 0,
        type: int = 0,  # noqa: A002 - the name is asyncio's
        proto: int = 0,
        flags: int = 0,
    ) -> list[Any]:
        """Look an address up in the network, as `loop.getaddrinfo` does."""
        return names.getaddrinfo(self.network, host, port, family, type, proto, flags)

    async def getnameinfo(self, sockaddr: Any, flags: int = 0) -> tuple[str, str]:
        """Look the name of an address up in the network, as `loop.getnameinfo` does."""
        return names.getnameinfo(self.network, sockaddr, flags)

    # Sockets.

    def open_socket(
        self,
        family: int = socket.AF_INET,
        type: int = socket.SOCK_STREAM,  # noqa: A002 - the name is that of `socket.socket`
        proto: int = 0,
    ) -> MemorySocket:
        """Return a new socket of the running machine.

        Raises:
            OSError: The family or the type is not supported.
        """
        if family not in (socket.AF_INET, socket.AF_INET6, socket.AF_UNIX):
            raise error(errno.EAFNOSUPPORT)
        kind = type & ~(socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        host = self.network.present_host
        if kind == socket.SOCK_STREAM:
            return StreamSocket(self, host, family, kind, proto)
        if kind == socket.SOCK_DGRAM:
            return DatagramSocket(self, host, family, kind, proto)
        raise error(errno.ESOCKTNOSUPPORT)

    def register(self, new: MemorySocket) -> int:
        """Return the number of a new socket."""
        number = next(self._numbers)
        self._sockets[number] = new
        return number

    def forget(self, number: int) -> None:
        """Take note that a socket is closed."""
        self._sockets.pop(number, None)

    def sockets(self) -> list[MemorySocket]:
        """Return the sockets that are open, in the order in which they were made."""
        return list(self._sockets.values())

    # Time.

    def time(self) -> float:
        """Return the time of the loop."""
        return self.loop.time()

    def soon(
        self, callback: Callable[..., object], *arguments: Any, context: Any = None
    ) -> asyncio.Handle | None:
        """Call in the next turn, unless there is none any more."""
        if self.loop.is_closed():
            return None
        return self.loop.call_soon(callback, *arguments, context=context)

    def at(
        self, when: float, callback: Callable[..., object], *arguments: Any
    ) -> asyncio.Handle | None:
        """Call at a time of the loop; in the next turn if that has come.

        It is a timer in either case: what arrives at the same time comes in any order, and
        schedules vary the order of timers.
        """
        if self.loop.is_closed():
            return None
        return self.loop.call_at(max(when, self.time()), callback, *arguments)

    def later(
        self, delay: float, callback: Callable[..., object], *arguments: Any
    ) -> asyncio.Handle | None:
        """Call in so many seconds; in the next turn if these are none."""
        return self.at(self.time() + delay, callback, *arguments)

    # What asyncio's functions ask of a poller.

    def _add_reader(
        self,
        number: int,
        callback: Callable[..., object],
        *arguments: Any,
        context: contextvars.Context | None = None,
    ) -> Watch:
        each = self._sockets[number]
        self._remove_reader(number)
        each.reader = Watch(self, each.is_readable, callback, arguments, context)
        return each.reader

    def _add_writer(
        self,
        number: int,
        callback: Callable[..., object],
        *arguments: Any,
        context: contextvars.Context | None = None,
    ) -> Watch:
        each = self._sockets[number]
        self._remove_writer(number)
        each.writer = Watch(self, each.is_writable, callback, arguments, context)
        return each.writer

    def _remove_reader(self, number: int) -> bool:
        each = self._sockets.get(number)
        if each is None or each.reader is None:
            return False
        each.reader.cancel()
        each.reader = None
        return True

    def _remove_writer(self, number: int) -> bool:
        each = self._sockets.get(number)
        if each is None or each.writer is None:
            return False
        each.writer.cancel()
        each.writer = None
        return True

    def remove_reader(self, fd: int) -> bool:
        """Watch no more for input: `_remove_reader` for asyncio's functions on sockets."""
        return self._remove_reader(fd)

    def remove_writer(self, fd: int) -> bool:
        """Watch no more for room: `_remove_writer` for asyncio's functions on sockets."""
        return self._remove_writer(fd)

    def get_key(self, number: int) -> selectors.SelectorKey:
        """Return what is watched for, as a selector does; raise KeyError if it is nothing."""
        each = self._sockets[number]
        events = selectors.EVENT_READ * (each.reader is not None)
        events |= selectors.EVENT_WRITE * (each.writer is not None)
        if not events:
            raise KeyError(f"{number!r} is not registered")
        return selectors.SelectorKey(number, number, events, None)

    # What asyncio's functions ask of a loop.

    def _stop_serving(self, listening: MemorySocket) -> None:
        self._remove_reader(listening.fileno())
        inode = self._unix_server_sockets.pop(listening, None)
        unix_sockets = listening.host.unix_sockets
        path = listening.path
        if inode is not None and path is not None and unix_sockets.get(path, (0,))[0] == inode:
            del unix_sockets[path]
        listening.close()

    def _make_socket_transport(
        self,
        sock: MemorySocket,
        protocol: Any,
        waiter: Any = None,
        *,
        extra: Any = None,
        server: Any = None,
        **context: Any,
    ) -> Any:
        return StreamTransport(self, sock, protocol, waiter, extra, server, **context)

    def _make_ssl_transport(
        self,
        rawsock: MemorySocket,
        protocol: Any,
        sslcontext: Any,
        waiter: Any = None,
        *,
        server_side: bool = False,
        server_hostname: Any = None,
        extra: Any = None,
        server: Any = None,
        ssl_handshake_timeout: float | None = None,
        ssl_shutdown_timeout: float | None = None,
        **context: Any,
    ) -> Any:
        ssl_protocol = greenloop.network._ssl_protocol_class()(
            self.loop,
            protocol,
            sslcontext,
            waiter,
            server_side,
            server_hostname,
            ssl_handshake_timeout=ssl_handshake_timeout,
            ssl_shutdown_timeout=ssl_shutdown_timeout,
        )
        StreamTransport(self, rawsock, ssl_protocol, None, extra, server, **context)
        return ssl_protocol._app_transport

    def _make_datagram_transport(self, *arguments: Any, **keywords: Any) -> Any:
        return _Selector._SelectorDatagramTransport(self, *arguments, **keywords)


def _unless_with_sock(face: LoopFace, name: str) -> Callable[..., Any]:
    """Return a method of the loop that uses the network, unless a system's socket is given."""

    async def method(*arguments: Any, **keywords: Any) -> Any:
        sock = keywords.get("sock")
        if sock is None or isinstance(sock, MemorySocket):
            return await getattr(face, name)(*arguments, **keywords)
        return await getattr(type(face.loop), name)(face.loop, *arguments, **keywords)

    return functools.update_wrapper(method, getattr(type(face.loop), name))


def _if_ours(face: LoopFace, name: str) -> Callable[..., Any]:
    """Return a method of the loop that uses the network for one of its sockets."""

    async def method(*arguments: Any, **keywords: Any) -> Any:
        sock = keywords.get("sock", arguments[-1 if name == "connect_accepted_socket" else 0])
        if isinstance(sock, MemorySocket):
            return await getattr(face, name)(*arguments, **keywords)
        return await getattr(type(face.loop), name)(face.loop, *arguments, **keywords)

    return functools.update_wrapper(method, getattr(type(face.loop), name))
