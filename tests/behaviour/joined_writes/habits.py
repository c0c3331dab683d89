"""Transports to which jobs write in several pieces, and what the kernel keeps of it."""

import asyncio
import fcntl
import select
import socket
import struct
import time

from connections import everything, run

WELL_ESTABLISHED = 6
"""Of how many jobs a habit is made, and some more."""

SIOCOUTQNSD = 0x894B
"""Asks Linux how many bytes of a TCP connection it has taken and not sent yet."""


def unsent(transport):
    """How many bytes the kernel waits with."""
    number = transport.get_extra_info("socket").fileno()
    return waits_with(number)


def waits_with(number):
    return struct.unpack("i", fcntl.ioctl(number, SIOCOUTQNSD, bytes(4)))[0]


def tcp_pair():
    """Two ends of a TCP connection that do not wait."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        near = socket.create_connection(listener.getsockname())
        far, _ = listener.accept()
    near.setblocking(False)
    far.setblocking(False)
    return near, far


def received(far, size):
    """What the other end gets, once that many bytes have come."""
    data = bytearray()
    deadline = time.monotonic() + 10
    while len(data) < size and time.monotonic() < deadline:
        select.select([far], [], [], 0.1)
        data += everything(far)
    return bytes(data)


async def write_in_pieces(transport, times=WELL_ESTABLISHED):
    for _ in range(times):
        transport.write(b"<")
        transport.write(b">")
        await asyncio.sleep(0)


def in_a_job(loop, function, *arguments):
    """What a callback of the loop's returns."""
    outcome = []
    loop.call_soon(lambda: outcome.append(function(*arguments)))
    run(loop)
    return outcome[0]
