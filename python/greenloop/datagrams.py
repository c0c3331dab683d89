"""`DatagramTransport`: asyncio's transport of datagrams, whose receiving and sending are native.

Everything else is inherited: asyncio's own class, of which this is a subclass, opens and closes the
transport, keeps datagrams that wait for room, and pauses protocols. The attributes that native code
uses for each datagram are slots here, so that it finds them.
"""

from asyncio import selector_events
from collections.abc import Callable
from typing import Any

from greenloop import _native

# Known to the running Python only.
_Transport: Any = selector_events._SelectorDatagramTransport  # type: ignore[attr-defined]


class DatagramTransport(_Transport):  # type: ignore[misc]
    """Datagrams over a plain socket on one of our loops; see asyncio.DatagramTransport."""

    __slots__ = (
        "_address",
        "_buffer",
        "_conn_lost",
        "_protocol",
        "_receiving",
        "_sock",
        "max_size",
    )

    def __init__(self, loop: Any, *arguments: Any, **keywords: Any) -> None:
        # For the finaliser, if the constructor has failed.
        self._sock = None
        self.max_size = _Transport.max_size
        self._receiving = loop._datagram_state()
        super().__init__(loop, *arguments, **keywords)

    def _add_reader(self, fd: int, *_callback: Any) -> None:
        if self.is_reading():
            self._listen(fd)

    # Native.
    sendto: Callable[..., None]
    _listen: Callable[[int], None]
    _read_ready: Callable[[], None]


_native.finish_datagram_transport(DatagramTransport)
