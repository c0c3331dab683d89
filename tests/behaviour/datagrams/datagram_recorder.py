"""A protocol that writes down which datagrams it gets, and what fills and empties sockets."""

import asyncio
import contextlib

from recording import Recording


class Recorder(Recording, asyncio.DatagramProtocol):
    """A protocol that writes down its calls."""

    def datagram_received(self, data, address):
        assert type(data) is bytes
        self.note("datagram", data, address)

    def error_received(self, exception):
        self.note("error", exception)

    @property
    def datagrams(self):
        return [call[1] for call in self.calls if call[0] == "datagram"]


def address(protocol):
    return protocol.transport.get_extra_info("sockname")


def all_of(far):
    got = []
    with contextlib.suppress(BlockingIOError):
        while True:
            got.append(far.recv(1 << 17))
    return got


def fill(transport, *target):
    """Send until something is kept; return how many went out."""
    count = 0
    while not transport.get_write_buffer_size():
        transport.sendto(b"x", *target)
        count += 1
        assert count < 10_000, "there is room without end"
    return count - 1
