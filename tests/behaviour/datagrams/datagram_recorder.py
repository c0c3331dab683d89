"""A protocol that writes down which datagrams it gets, and what fills and empties sockets."""

import asyncio
import contextlib


class Recorder(asyncio.DatagramProtocol):
    """A protocol that writes down its calls, and does what the test has put into `reactions`."""

    def __init__(self, **reactions):
        self.calls = []
        self.reactions = reactions
        self.transport = None

    def note(self, name, *arguments):
        self.calls.append((name, *arguments))
        reaction = self.reactions.get(name)
        return reaction(self, *arguments) if reaction else None

    def connection_made(self, transport):
        self.transport = transport
        self.note("made")

    def datagram_received(self, data, address):
        assert type(data) is bytes
        self.note("datagram", data, address)

    def error_received(self, exception):
        self.note("error", exception)

    def connection_lost(self, exception):
        self.note("lost", exception)

    def pause_writing(self):
        self.note("pause")

    def resume_writing(self):
        self.note("resume")

    @property
    def names(self):
        return [name for name, *_ in self.calls]

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
