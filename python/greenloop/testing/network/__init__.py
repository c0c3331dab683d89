"""A network in memory: machines, links and faults for programs that use asyncio's functions.

```text
  network ─► loop_face ─► stream_sockets, datagram_sockets ─► sockets ─► hosts, names, readiness
                │               │
                ▼               └► handshake, flow ─► links ─► chance
        asyncio_functions
```
`loop_face` has asyncio's own functions run on sockets in memory. What they send travels in flows
over links, and arrives by timers of the loop, whose order schedules vary.
"""

from greenloop.testing.network.hosts import Host
from greenloop.testing.network.network import Network

__all__ = ["Host", "Network"]
