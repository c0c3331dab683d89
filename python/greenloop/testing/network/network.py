"""`Network`: the machines of a test and what is between them, in memory.

While it is attached to a loop, connections, servers and datagrams of asyncio are of this network,
and no byte goes through the operating system.
"""

from __future__ import annotations

import asyncio
import contextvars
import errno
import itertools
import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from greenloop.testing.network.chance import Chance
from greenloop.testing.network.flow import Flow
from greenloop.testing.network.hosts import Host
from greenloop.testing.network.links import Link, LinkSettings
from greenloop.testing.network.loop_face import LoopFace
from greenloop.testing.network.stream_sockets import StreamSocket

if TYPE_CHECKING:
    from greenloop.event_loop import EventLoop
    from greenloop.testing.network.sockets import Address, MemorySocket

DEFAULT_WINDOW: Final = 65536
"""How many bytes are on their way or unread in each direction of a connection, at most."""

_DEFAULT_HOST: Final = "localhost"
_present_host: contextvars.ContextVar[str] = contextvars.ContextVar(
    "greenloop_host", default=_DEFAULT_HOST
)


class Network:
    """Machines and the links between them, for programs that use asyncio's network functions.

    `run`, `explore` and `simulate` take it. Each run begins with what was configured before, and
    leaves that as it was. Within a run, all may be changed at any time.
    """

    def __init__(
        self,
        *,
        latency: float = 0.0,
        jitter: float = 0.0,
        loss: float = 0.0,
        bandwidth: float | None = None,
        duplicates: float = 0.0,
        segments: int | tuple[int, int] | None = None,
        window: int = DEFAULT_WINDOW,
        seed: int = 0,
    ) -> None:
        """Make a network whose links all do the same, until `link` says something else.

        Args:
            latency: Seconds that each packet takes. It takes them within a machine, too; only Unix
                sockets have none.
            jitter: Up to how many seconds a packet may take in addition, by chance. Bytes of a
                connection keep their order, datagrams do not.
            loss: The probability that a packet is lost. Bytes of a connection come later then, by
                0.2 s and twice as much each further time; datagrams do not come.
            bandwidth: Bytes a second in each direction of a link. None stands for any number.
            duplicates: The probability that a datagram comes twice.
            segments: The most bytes that a read of a connection returns, or the least and the most,
                chosen by chance for each read. None stands for all that there are.
            window: How many bytes of a connection are on their way or unread, in each direction.
            seed: Another one has other chances.

        Raises:
            ValueError: An argument is none of these.
        """
        self._default = LinkSettings(latency, jitter, loss, bandwidth, duplicates)
        if isinstance(segments, int):
            segments = (1, segments)
        if segments is not None and not 1 <= segments[0] <= segments[1]:
            raise ValueError(f"segments are numbers of bytes from 1, not {segments!r}")
        if window < 1:
            raise ValueError(f"window is a number of bytes, not {window!r}")
        self.window: Final = window
        """How many bytes of a connection are on their way or unread, in each direction."""
        self.seed: Final = seed
        """The seed of chance."""
        self.hosts: dict[str, Host] = {}
        """The machines by their names."""
        self._host(_DEFAULT_HOST)
        self._segments = segments
        self._chance = Chance(seed)
        self._settings: dict[tuple[str, str], LinkSettings] = {}
        self._cuts: set[tuple[str, str]] = set()
        self._links: dict[tuple[str, str, bool], Link] = {}
        self._held: list[Flow] = []
        self._faces: dict[EventLoop, LoopFace] = {}
        self._configured: tuple[Any, ...] = ()

    @staticmethod
    def current() -> Network:
        """Return the network that the running loop is attached to.

        Raises:
            RuntimeError: It is attached to none, or no loop runs.
        """
        network = Network.of(asyncio.get_running_loop())
        if network is None:
            raise RuntimeError("the running loop is attached to no network")
        return network

    @staticmethod
    def of(loop: asyncio.AbstractEventLoop) -> Network | None:
        """Return the network that a loop is attached to, if it is attached to one."""
        face: LoopFace | None = vars(loop).get("_greenloop_network")
        return None if face is None else face.network

    # Machines.

    @contextmanager
    def host(self, name: str) -> Iterator[Host]:
        """Have tasks and sockets that are made meanwhile be those of a machine.

        The machine is made when it is named first. Without this, all is of the machine localhost.

        Args:
            name: The name, by which other machines find it.
        """
        host = self._host(name)
        token = _present_host.set(host.name)
        try:
            yield host
        finally:
            _present_host.reset(token)

    @property
    def present_host(self) -> Host:
        """The machine of the running code."""
        return self._host(_present_host.get())

    def host_at(self, address: str) -> Host | None:
        """Return the machine with a numeric address, if there is one."""
        for host in self.hosts.values():
            if address in (host.address, host.address6):
                return host
        return None

    def _host(self, name: str) -> Host:
        name = name.lower()
        if name not in self.hosts:
            if not name or not name.isascii() or set(name) & set(" :/%\0"):
                raise ValueError(f"{name!r} is no name of a host")
            self.hosts[name] = Host(name, len(self.hosts) + 1)
        return self.hosts[name]

    # Links and faults.

    def link(
        self,
        first: str | None = None,
        second: str | None = None,
        *,
        latency: float | None = None,
        jitter: float | None = None,
        loss: float | None = None,
        bandwidth: float | None = None,
        duplicates: float | None = None,
    ) -> None:
        """Change the links between two machines, or without names all that were not changed so.

        A setting that is not given stays as it is. An infinite `bandwidth` takes its limit away.

        Args:
            first: A machine.
            second: Another one, or the same for connections within it.
            latency: As for the class, and so are all others.
            jitter: See there.
            loss: See there.
            bandwidth: See there.
            duplicates: See there.

        Raises:
            ValueError: An argument is none, or one name was given without the other.
        """
        if (first is None) != (second is None):
            raise ValueError("a link is between two hosts; name both or none")
        given = {
            "latency": latency,
            "jitter": jitter,
            "loss": loss,
            "bandwidth": bandwidth,
            "duplicates": duplicates,
        }
        changes: dict[str, Any] = {
            name: value for name, value in given.items() if value is not None
        }
        if first is None or second is None:
            self._default = replace(self._default, **changes)
        else:
            pair = self._pair(first, second)
            self._settings[pair] = replace(self._settings_of(*pair), **changes)
        for (one, other, _), link in self._links.items():
            link.settings = self._settings_of(one, other)

    def partition(self, *groups: Iterable[str]) -> None:
        """Separate groups of machines: nothing comes from one group to another until `heal`.

        Machines of no group reach all others. Bytes of connections wait, for 15 minutes at most as
        with Linux; datagrams are lost; an attempt to connect fails after 127 seconds.
        """
        named = [[self._host(name).name for name in group] for group in groups]
        for here, there in itertools.combinations(named, 2):
            for one, other in itertools.product(here, there):
                self._cuts.add(self._pair(one, other))
        self._cut_links()

    def heal(self) -> None:
        """End all partitions. Bytes that have waited arrive after the latency of their link."""
        self._cuts.clear()
        self._cut_links()
        held, self._held = self._held, []
        for flow in held:
            flow.go_on()

    def reset(self, first: str, second: str) -> None:
        """Reset all connections between two machines: both ends get `ConnectionResetError`."""
        wanted = self._pair(first, second)
        for face in self._faces.values():
            for each in face.sockets():
                if isinstance(each, StreamSocket) and each.is_connected_between(wanted):
                    each.break_off(errno.ECONNRESET)

    def _pair(self, first: str, second: str) -> tuple[str, str]:
        one, other = sorted((self._host(first).name, self._host(second).name))
        return one, other

    def _settings_of(self, one: str, other: str) -> LinkSettings:
        pair = min(one, other), max(one, other)
        return self._settings.get(pair, self._default)

    def _cut_links(self) -> None:
        for (one, other, _), link in self._links.items():
            link.is_cut = (min(one, other), max(one, other)) in self._cuts

    # What sockets ask for.

    def socket(
        self,
        family: int = socket.AF_INET,
        type: int = socket.SOCK_STREAM,  # noqa: A002 - the name is that of `socket.socket`
        proto: int = 0,
    ) -> MemorySocket:
        """Return a socket of the running machine, for the loop's `sock_*` methods and for `sock=`.

        Libraries that make sockets by themselves, and can be told by which function, take this one.

        Raises:
            OSError: The family or the type is not supported.
            RuntimeError: No loop that is attached to this network runs.
        """
        loop: Any = asyncio.get_running_loop()
        face = self._faces.get(loop)
        if face is None:
            raise RuntimeError("the running loop is not attached to this network")
        return face.open_socket(family, type, proto)

    def link_between(self, source: Host, target: Host, *, is_answer: bool = False) -> Link:
        """Return the link from one machine to another.

        Args:
            source: The machine that sends.
            target: The machine that receives.
            is_answer: Within one machine: whether it is the direction from server to client.
        """
        key = source.name, target.name, is_answer and source is target
        if key not in self._links:
            link = self._links[key] = Link(self._settings_of(*key[:2]), self._chance)
            link.is_cut = (min(key[:2]), max(key[:2])) in self._cuts
        return self._links[key]

    def listener(self, host: Host, client: MemorySocket, address: Address) -> StreamSocket | None:
        """Return the socket that listens at an address of a host, or None."""
        for found in host.bound(client.family, client.type, *address):
            if isinstance(found, StreamSocket) and found.is_listening:
                return found
        return None

    def short_read(self, size: int) -> int:
        """Return how many of `size` bytes a read returns at most."""
        if self._segments is None:
            return size
        least, most = self._segments
        return min(size, least + int(self._chance.draw() * (most - least + 1)))

    def hold(self, flow: Flow) -> None:
        """Have a flow go on when partitions are healed."""
        self._held.append(flow)

    # Loops.

    def attach(self, loop: EventLoop) -> None:
        """Have the network functions of a loop use this network.

        Raises:
            RuntimeError: The loop is attached to a network already.
        """
        if Network.of(loop) is not None:
            raise RuntimeError(f"{loop!r} is attached to a network already")
        if not self._faces:
            self._configured = (
                dict(self.hosts),
                self._default,
                dict(self._settings),
                set(self._cuts),
            )
            self._begin()
        self._faces[loop] = LoopFace(self, loop)

    def detach(self, loop: EventLoop) -> None:
        """Have the network functions of a loop use the operating system again.

        With the last loop the network becomes again what was configured before the first one.
        """
        face = self._faces.pop(loop, None)
        if face is None:
            return
        face.detach()
        if not self._faces:
            _, self._default, self._settings, self._cuts = self._configured
            self.hosts = self._configured[0]
            self._begin()

    def _begin(self) -> None:
        """Begin anew: no sockets, no bytes, and the first of all chances."""
        self.hosts = {name: Host(name, number + 1) for number, name in enumerate(self.hosts)}
        self._links = {}
        self._held = []
        self._chance = Chance(self.seed)
