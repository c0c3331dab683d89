"""`Network`: the network half of the event loop class.

Connections, servers, datagrams, pipes, subprocesses and the `sock_*` methods, in asyncio's own
implementation, inherited by the loop's class, on our scheduler and our readiness: they behave
exactly as in the running Python. All of it rests on `_add_reader`, `_add_writer`, `call_soon` and
futures, which are native. So are the transports of connections
(`greenloop._native.SocketTransport`) and their TLS (`greenloop._native.SSLProtocol`), the work for
each datagram (`greenloop.datagrams`) and the public `sock_*` methods. asyncio's own are used for
sockets and loops whose behaviour may have been changed.
"""

import selectors
import socket
import sys
import weakref
from asyncio import constants, selector_events, sslproto, streams, unix_events
from collections.abc import Callable, MutableMapping
from typing import Any

from greenloop import _native
from greenloop.datagrams import DatagramTransport
from greenloop.pipes import ReadPipeTransport, WritePipeTransport

# As a bag of functions: its private names are known to the running Python only.
_Selector: Any = selector_events.BaseSelectorEventLoop


class Transports(_native.TransportTable, MutableMapping[int, Any]):
    """The transport of each descriptor; a transport without references leaves by itself."""

    get = _native.TransportTable.get


class Watched:
    """The selector, as far as asyncio's code asks one: the poller itself is native."""

    def __init__(self, network: "Network") -> None:
        self._network: Any = weakref.proxy(network)

    def get_key(self, fileobj: Any) -> selectors.SelectorKey:
        """Return the key of a watched descriptor or of an object with one; raise KeyError else."""
        fd = fileobj if isinstance(fileobj, int) else fileobj.fileno()
        events: int = self._network._watched_events(fd)
        if not events:
            raise KeyError(f"{fileobj!r} is not registered")
        return selectors.SelectorKey(fileobj, fd, events, None)

    def select(self, timeout: float | None = None) -> list[Any]:
        """Poll, waiting no longer than `timeout` seconds; the events are queued already."""
        self._network._select(timeout)
        return []

    def close(self) -> None:
        """Do nothing: the poller is closed with the loop."""


# asyncio's TLS as it was when we were imported, in whose place ours works.
_SSL_PROTOCOL = sslproto.SSLProtocol


def _ssl_protocol_class() -> Any:
    """Return the class of TLS connections: ours, unless a program has replaced asyncio's."""
    replaced = sslproto.SSLProtocol is not _SSL_PROTOCOL
    return sslproto.SSLProtocol if replaced else _native.SSLProtocol


# Our types are those of asyncio's, which do not declare private names.
_streams: Any = _native
_STREAM_PROTOCOLS: Any = (_streams.StreamReaderProtocol, streams.StreamReaderProtocol)


def _unread_bytes(reader: Any) -> bytes:
    """Take the unread bytes out of a stream's reader, if there is still one."""
    if reader is None:
        return b""
    if isinstance(reader, _streams.StreamReader):
        unread: bytes = reader._take_all()
    else:
        unread = bytes(reader._buffer)
        reader._buffer.clear()
    return unread


def child_watcher() -> Any:
    """Return the watcher of child processes; None up to 3.13, where the policy has it."""
    if sys.version_info < (3, 14):
        return None
    watchers: Any = unix_events
    by_descriptor = watchers.can_use_pidfd()
    return watchers._PidfdChildWatcher() if by_descriptor else watchers._ThreadedChildWatcher()


class Network:
    """The methods of `greenloop.EventLoop` that talk to the operating system's endpoints."""

    # The loop class names the attributes: of two bases only one may have a layout of its own.
    __slots__ = ()
    # The loop class has these from its native base.
    _open_socket_transport: Callable[..., Any]
    _carries_datagrams: Callable[[Any], bool]
    _accept_natively: Callable[[tuple[Any, ...], Any], bool]

    _selector: Watched | None
    # The transport of each descriptor, so that nothing else watches it.
    _transports: Transports
    # The inode of each Unix socket that is listened on, removed when its server closes.
    _unix_server_sockets: dict[Any, Any]
    # From 3.14 on a loop has its own watcher for the end of child processes.
    _watcher: Any

    # asyncio's other attributes of the class.
    _ensure_fd_no_transport: Callable[[Any], None]

    # Connections.

    async def start_tls(
        self,
        transport: Any,
        protocol: Any,
        sslcontext: Any,
        *,
        server_side: bool = False,
        server_hostname: str | None = None,
        ssl_handshake_timeout: float | None = None,
        ssl_shutdown_timeout: float | None = None,
    ) -> Any:
        """Go on with TLS on a connection; return the transport that `protocol` has from then on."""
        ssl: Any = sslproto.ssl  # type: ignore[attr-defined]
        if ssl is None:
            raise RuntimeError("Python ssl module is not available")
        if not isinstance(sslcontext, ssl.SSLContext):
            raise TypeError(
                f"sslcontext is expected to be an instance of ssl.SSLContext, got {sslcontext!r}"
            )
        if not getattr(transport, "_start_tls_compatible", False):
            raise TypeError(f"transport {transport!r} is not supported by start_tls()")
        event_loop: Any = self
        waiter = event_loop.create_future()
        ssl_protocol = _ssl_protocol_class()(
            self,
            protocol,
            sslcontext,
            waiter,
            server_side,
            server_hostname,
            call_connection_made=False,
            ssl_handshake_timeout=ssl_handshake_timeout,
            ssl_shutdown_timeout=ssl_shutdown_timeout,
        )
        # Nothing may reach the new protocol before its `connection_made` is called.
        transport.pause_reading()
        transport.set_protocol(ssl_protocol)
        if server_side and isinstance(protocol, _STREAM_PROTOCOLS):
            # A client need not wait before it begins with TLS: its first bytes may be here already.
            reader: Any = getattr(protocol, "_stream_reader", None)
            ssl_protocol._incoming.write(_unread_bytes(reader))
        begin = event_loop.call_soon(ssl_protocol.connection_made, transport)
        go_on = event_loop.call_soon(transport.resume_reading)
        try:
            await waiter
        except BaseException:
            transport.close()
            begin.cancel()
            go_on.cancel()
            raise
        return ssl_protocol._app_transport

    def _make_socket_transport(
        self,
        sock: socket.socket,
        protocol: Any,
        waiter: Any = None,
        *,
        extra: Any = None,
        server: Any = None,
        **context: Any,
    ) -> Any:
        if sys.version_info >= (3, 12):
            self._ensure_fd_no_transport(sock)
        return self._carry(sock, protocol, waiter, extra, server, **context)

    def _make_ssl_transport(
        self,
        rawsock: socket.socket,
        protocol: Any,
        sslcontext: Any,
        waiter: Any = None,
        *,
        server_side: bool = False,
        server_hostname: Any = None,
        extra: Any = None,
        server: Any = None,
        ssl_handshake_timeout: float | None = constants.SSL_HANDSHAKE_TIMEOUT,
        ssl_shutdown_timeout: float | None = constants.SSL_SHUTDOWN_TIMEOUT,
        **context: Any,
    ) -> Any:
        if sys.version_info >= (3, 12):
            self._ensure_fd_no_transport(rawsock)
        ssl_protocol = _ssl_protocol_class()(
            self,
            protocol,
            sslcontext,
            waiter,
            server_side,
            server_hostname,
            ssl_handshake_timeout=ssl_handshake_timeout,
            ssl_shutdown_timeout=ssl_shutdown_timeout,
        )
        self._carry(rawsock, ssl_protocol, None, extra, server, **context)
        return ssl_protocol._app_transport

    def _carry(self, sock: Any, *arguments: Any, **context: Any) -> Any:
        """Return a transport for `sock`: ours if possible. A context is given from 3.15 on."""
        transport = self._open_socket_transport(sock, *arguments, **context)
        if transport is not None:
            return transport
        transport_class: Any = selector_events._SelectorSocketTransport  # type: ignore[attr-defined]
        return transport_class(self, sock, *arguments, **context)

    # Servers.

    def _start_serving(
        self,
        protocol_factory: Callable[[], Any],
        sock: socket.socket,
        sslcontext: Any = None,
        server: Any = None,
        backlog: int = 100,
        *others: Any,
        context: Any = None,
    ) -> None:
        # Connections are taken natively if possible: without TLS, by a socket of the usual kind.
        # From 3.15 on each has a copy of the server's context.
        arguments = protocol_factory, sock, sslcontext, server, backlog, *others
        if context is not None:
            arguments = *arguments, context
        if sslcontext or not self._accept_natively(arguments, context):
            _Selector._start_serving(self, *arguments)

    # Datagrams.

    def _make_datagram_transport(
        self, sock: socket.socket, *arguments: Any, **keywords: Any
    ) -> Any:
        if sys.version_info >= (3, 12):
            self._ensure_fd_no_transport(sock)
        if self._carries_datagrams(sock):
            return DatagramTransport(self, sock, *arguments, **keywords)
        asyncios: Any = selector_events
        return asyncios._SelectorDatagramTransport(self, sock, *arguments, **keywords)

    # Pipes.

    def _make_read_pipe_transport(self, *arguments: Any, **keywords: Any) -> Any:
        return ReadPipeTransport(self, *arguments, **keywords)

    def _make_write_pipe_transport(self, *arguments: Any, **keywords: Any) -> Any:
        return WritePipeTransport(self, *arguments, **keywords)
