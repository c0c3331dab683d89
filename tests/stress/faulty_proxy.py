"""A proxy that mistreats the connections that it passes on, as networks do.

It runs in threads of its own, one for each connection, and waits with `poll`: so it depends on none
of the loops under test. What it does, and at which byte, is told it in advance.
"""

import itertools
import select
import socket
import struct
import threading
import time
from dataclasses import dataclass

# With it, `close` resets the connection instead of ending it.
RESETS = struct.pack("ii", 1, 0)


@dataclass(frozen=True)
class Treatment:
    """What is done to the bytes of one direction."""

    # They are passed on in pieces of these sizes, one after another and over again.
    pieces: tuple[int, ...] = (1 << 16,)
    # How many seconds pass before each piece.
    delay: float = 0.0
    # After how many bytes the direction ends, and how; it never does without.
    limit: int | None = None
    # "close": both ends are told that nothing more comes, and what they send gets lost.
    # "half-close": the receiving end is told so, and the other direction goes on.
    # "reset": both connections are reset.
    # "stall": nothing more is passed on, and nobody is told.
    end: str = "close"


class _Direction:
    """One way through the proxy: what comes from `source` goes to `target`."""

    def __init__(self, source, target, treatment):
        self.source, self.target, self.treatment = source, target, treatment
        self.sizes = itertools.cycle(treatment.pieces)
        self.waiting = b""
        self.passed = 0
        # Whether something may still be passed on, and whether something may still come.
        self.open = True
        self.readable = True

    def receive(self):
        try:
            data = self.source.recv(1 << 16)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        self.readable = bool(data)
        if self.open:
            self.waiting += data

    def send_piece(self):
        size = next(self.sizes)
        if self.treatment.limit is not None:
            size = min(size, self.treatment.limit - self.passed)
        if self.treatment.delay:
            time.sleep(self.treatment.delay)
        try:
            sent = self.target.send(self.waiting[:size])
        except BlockingIOError:
            return
        except OSError:
            self.abandon()
            return
        self.passed += sent
        self.waiting = self.waiting[sent:]

    def finish(self):
        """Tell the receiving end that nothing more comes."""
        self.abandon()
        try:
            self.target.shutdown(socket.SHUT_WR)
        except OSError:
            # It is gone already.
            self.readable = False

    def abandon(self):
        self.open = False
        self.waiting = b""

    @property
    def is_at_limit(self):
        # Before the first byte there is nothing that can be cut off.
        return self.open and self.passed == self.treatment.limit and (self.passed or self.waiting)


class FaultyProxy:
    """Passes connections on to `address`; used as a context manager, which ends all of them."""

    def __init__(self, address, *, to_server=Treatment(), to_client=Treatment()):
        self._target = address
        self._treatments = to_server, to_client
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = self._listener.getsockname()
        # Closing the near end wakes every thread.
        self._alive, self._ending = socket.socketpair()
        self._threads = []
        self._start(self._accept)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._alive.close()
        for thread in self._threads:
            thread.join()
        self._listener.close()
        self._ending.close()

    @property
    def is_idle(self):
        """Whether all connections that there were are over, for both ends."""
        _, *connections = self._threads
        return bool(connections) and not any(thread.is_alive() for thread in connections)

    def _start(self, function, *arguments):
        thread = threading.Thread(target=function, args=arguments)
        self._threads.append(thread)
        thread.start()

    def _accept(self):
        while self._wait({self._listener: select.POLLIN}):
            client, _ = self._listener.accept()
            self._start(self._pass_on, client)

    def _pass_on(self, client):
        with client, socket.create_connection(self._target) as server:
            for one in (client, server):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                one.setblocking(False)
            to_server, to_client = self._treatments
            self._drive(
                [_Direction(client, server, to_server), _Direction(server, client, to_client)]
            )

    def _drive(self, directions):
        while True:
            for direction in directions:
                if direction.is_at_limit and self._end(direction, directions):
                    return
                if direction.open and not (direction.readable or direction.waiting):
                    direction.finish()
            wanted = {}
            for direction in directions:
                if direction.waiting:
                    wanted[direction.target] = wanted.get(direction.target, 0) | select.POLLOUT
                elif direction.readable:
                    wanted[direction.source] = wanted.get(direction.source, 0) | select.POLLIN
            ready = self._wait(wanted) if wanted else None
            if not ready:
                return
            for direction in directions:
                if direction.waiting:
                    if direction.target.fileno() in ready:
                        direction.send_piece()
                elif direction.readable and direction.source.fileno() in ready:
                    direction.receive()

    def _end(self, direction, directions):
        """Do what is to be done at the limit; return whether that was the end of everything."""
        match direction.treatment.end:
            case "half-close":
                direction.finish()
            case "close":
                for each in directions:
                    each.finish()
            case "stall":
                direction.abandon()
                direction.readable = False
            case "reset":
                for each in directions:
                    each.source.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESETS)
                return True
        return False

    def _wait(self, wanted):
        """Return which of the sockets are ready, by number; nothing once the proxy is to end."""
        poll = select.poll()
        poll.register(self._ending, select.POLLIN)
        for one, events in wanted.items():
            poll.register(one, events)
        ready = {number for number, _ in poll.poll()}
        return None if self._ending.fileno() in ready else ready
