"""Connections that live for one request: accepted, answered, closed by the client."""

from __future__ import annotations

from . import servers
from .rows import served

SIZE = 1024

WORKLOADS = [
    served(
        f"churn-{interface}",
        f"connection churn, {described}",
        operations=2_000,
        server=server,
        command="churn",
        limit="echo",
        operation="one connection accepted, one request of 1 KiB answered, and closed",
        connections=10,
        size=SIZE,
    )
    for interface, described, server in (
        ("protocol", "Protocol", servers.by_protocol(servers.EchoProtocol)),
        ("streams", "streams readexactly", servers.by_streams(SIZE)),
    )
]
