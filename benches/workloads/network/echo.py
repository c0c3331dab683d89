"""Echo over TCP, TLS and Unix sockets: by every interface, with few and many connections, small
and large requests.

At 10 connections each interface meets every size, at 1 KiB every number of connections.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ..definition import Workload
from . import servers
from .rows import served
from .servers import BufferedEchoProtocol, EchoProtocol, Server

KIB = 1024
SIZES = {"64b": 64, "1k": KIB, "16k": 16 * KIB, "64k": 64 * KIB}
CONNECTIONS = (1, 10, 100, 1000)
OPERATIONS = {"64b": 10_000, "1k": 10_000, "16k": 5_000, "64k": 2_000}

INTERFACES: dict[str, tuple[str, Callable[[int], Server]]] = {
    "protocol": ("Protocol", lambda size: servers.by_protocol(EchoProtocol)),
    "buffered": ("BufferedProtocol", lambda size: servers.by_protocol(BufferedEchoProtocol)),
    "readexactly": ("streams readexactly", servers.by_streams),
    "readline": ("streams readline", lambda size: servers.by_streams(None)),
    "sock": ("sock_recv/sock_sendall", lambda size: servers.by_sockets),
}


def _shapes() -> Iterator[tuple[str, int]]:
    for label in SIZES:
        if label == "1k":
            yield from (("1k", connections) for connections in CONNECTIONS)
        else:
            yield label, 10


def _title(label: str, connections: int) -> str:
    size = label.replace("b", " B").replace("k", " KiB")
    return f"{size}, {connections} connection{'s' if connections > 1 else ''}"


def _tcp() -> Iterator[Workload]:
    for interface, (described, server_for) in INTERFACES.items():
        for label, connections in _shapes():
            size = SIZES[label]
            yield served(
                f"tcp-{interface}-{label}-{connections}",
                f"TCP {described}, {_title(label, connections)}",
                operations=OPERATIONS[label],
                server=server_for(size),
                command="echo",
                limit="echo",
                connections=connections,
                size=size,
                line=interface == "readline",
            )


def _others() -> Iterator[Workload]:
    for streams in (False, True):
        interface = "readexactly" if streams else "protocol"
        described = "streams readexactly" if streams else "Protocol"
        yield served(
            f"tls-{interface}-1k-10",
            f"TLS {described}, 1 KiB, 10 connections",
            operations=OPERATIONS["1k"],
            server=servers.over_tls(streams=streams, size=KIB),
            command="echo",
            connections=10,
            size=KIB,
            tls=True,
        )
    for streams in (False, True):
        interface = "readexactly" if streams else "protocol"
        described = "streams readexactly" if streams else "Protocol"
        yield served(
            f"unix-{interface}-1k-10",
            f"Unix {described}, 1 KiB, 10 connections",
            operations=OPERATIONS["1k"],
            server=servers.over_unix(streams=streams, size=KIB),
            command="echo",
            limit="echo",
            family="unix",
            connections=10,
            size=KIB,
        )


WORKLOADS = [*_tcp(), *_others()]
