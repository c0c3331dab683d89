"""A protocol that writes down what it is told of, and what leads it through a connection.

Its peer is a plain socket in the hands of the test, so that each byte and each end of the stream
comes when the test says.
"""

import asyncio
import contextlib
import socket

from recording import Recording


class Recorder(Recording, asyncio.Protocol):
    """A protocol that writes down its calls."""

    def data_received(self, data):
        assert type(data) is bytes
        self.note("data", data)

    def eof_received(self):
        return self.note("eof")


class BufferedRecorder(Recorder, asyncio.BufferedProtocol):
    """The same for a protocol that gives the buffer itself."""

    room = 8

    def get_buffer(self, hint):
        assert hint == -1
        self.buffer = bytearray(self.room)
        replacement = self.note("get_buffer")
        return self.buffer if replacement is None else replacement

    def buffer_updated(self, count):
        self.note("updated", bytes(self.buffer[:count]))


def raising(exception):
    def reaction(*_):
        raise exception

    return reaction


def run(loop, turns=6):
    """Make turns in which the loop sees what is ready."""
    for _ in range(turns):
        loop.call_later(0.001, loop.stop)
        loop.run_forever()


def run_until(loop, condition, seconds=20):
    deadline = loop.time() + seconds
    while not condition():
        assert loop.time() < deadline, "it did not happen"
        run(loop, 1)


@contextlib.contextmanager
def connected(family="unix"):
    """Two connected sockets that do not wait."""
    if family == "unix":
        near, far = socket.socketpair()
    else:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            far = socket.create_connection(listener.getsockname())
            near, _ = listener.accept()
    with near, far:
        near.setblocking(False)
        far.setblocking(False)
        yield near, far


def everything(far):
    """What the other end can read now."""
    data = bytearray()
    try:
        while part := far.recv(1 << 20):
            data += part
    except BlockingIOError:
        pass
    return bytes(data)
