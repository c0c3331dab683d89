"""The other end of a TLS connection, in the hands of a test: each byte comes when the test says."""

import socket
import ssl

import pytest

from connections import run, run_until
from tls_contexts import CLIENT, SERVER

# The side that the loop under test takes.
SIDES = pytest.mark.parametrize("side", ["client", "server"])


class Peer:
    """A plain `ssl.SSLObject` and the socket that it talks through by hand."""

    def __init__(self, loop, server_side, context):
        self.loop = loop
        self.near, self.socket = socket.socketpair()
        self.near.setblocking(False)
        self.socket.setblocking(False)
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.object = context.wrap_bio(
            self.incoming,
            self.outgoing,
            server_side=server_side,
            server_hostname=None if server_side else "localhost",
        )
        # What was read, and how the stream ended: by TLS's own word, or by the socket's end.
        self.data = bytearray()
        self.took_leave = False
        self.ended = False

    def receive(self):
        """Take what the socket has; return whether there was something."""
        try:
            part = self.socket.recv(1 << 20)
        except BlockingIOError:
            return False
        except OSError:
            part = b""
        self.ended = not part
        self.incoming.write(part)
        return bool(part)

    def send(self, *, keep=0):
        """Send what TLS has made, but for the last bytes; return these."""
        made = self.outgoing.read()
        first = made[: len(made) - keep]
        rest = made[len(first) :]
        while first:
            try:
                first = first[self.socket.send(first) :]
            except BlockingIOError:
                run(self.loop, 1)
        return rest

    def write(self, data):
        while data:
            data = data[self.object.write(data) :]

    def handshake(self):
        """Go on with the handshake; return whether it is over for this end."""
        self.receive()
        try:
            self.object.do_handshake()
        except ssl.SSLWantReadError:
            return False
        finally:
            if not self.ended:
                self.send()
        return True

    def read(self):
        """Read all that has come."""
        while self.receive():
            pass
        try:
            while part := self.object.read(1 << 16):
                self.data += part
            self.took_leave = True
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self.took_leave = True
        return bytes(self.data)

    def close(self):
        """Say that nothing more comes, and go on with the leave-taking."""
        self.receive()
        try:
            self.object.unwrap()
        except ssl.SSLWantReadError:
            pass
        self.send()


def begin(loop, protocol, side, *, context=None, peer_context=None, **options):
    """Connect a protocol with TLS; return its peer and the task that waits for the handshake."""
    if side == "client":
        peer = Peer(loop, True, peer_context or SERVER)
        options.setdefault("server_hostname", "localhost")
        connecting = loop.create_connection(
            lambda: protocol, sock=peer.near, ssl=context or CLIENT, **options
        )
    else:
        peer = Peer(loop, False, peer_context or CLIENT)
        connecting = loop.connect_accepted_socket(
            lambda: protocol, sock=peer.near, ssl=context or SERVER, **options
        )
    return peer, loop.create_task(connecting)


def finish(loop, peer, task):
    """Let the peers agree."""
    ready = False

    def both_ready():
        nonlocal ready
        ready = ready or peer.handshake()
        return ready and task.done()

    run_until(loop, both_ready)
    return task.result()


def connect(loop, protocol, side="client", **options):
    """Connect a protocol with TLS, handshake and all; return its peer."""
    peer, task = begin(loop, protocol, side, **options)
    transport, _ = finish(loop, peer, task)
    assert transport is protocol.transport
    # A client has got its session by now.
    run(loop, 1)
    return peer


def end(loop, protocol, peer):
    """End a connection, whatever state it is in."""
    peer.socket.close()
    if protocol.transport is not None:
        protocol.transport.abort()
    run(loop, 3)
