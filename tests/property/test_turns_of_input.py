"""Random programs that register, send, pause and close on a loop that is never idle, turn by turn.

What each of them sees, and in which turn, is the same on both loops: input is not late, and nothing
that hangs on its order is otherwise.
"""

import asyncio
import socket

from hypothesis import given, settings
from hypothesis import strategies as st

import greenloop

CONNECTIONS = 2

OPERATIONS = (
    "write",
    "pause",
    "resume",
    "send while paused",
    "watch",
    "unwatch",
    "watch for room",
    "write to the pipe",
    "soon",
    "from a thread",
    "close",
)

operations = st.tuples(st.sampled_from(OPERATIONS), st.integers(0, CONNECTIONS - 1))
turns = st.lists(st.lists(operations, max_size=3), min_size=1, max_size=15)


class Connection(asyncio.Protocol):
    """One end is a transport's, the other is in the hands of the program."""

    def __init__(self, program, name):
        self.program, self.name = program, name
        self.near, self.far = socket.socketpair()
        self.near.setblocking(False)
        self.far.setblocking(False)

    def data_received(self, data):
        self.program.note(self.name, "data", data)

    def eof_received(self):
        self.program.note(self.name, "eof")

    def connection_lost(self, exception):
        self.program.note(self.name, "lost", type(exception))

    def far_is_readable(self):
        try:
            data = self.far.recv(3)
        except ConnectionResetError:
            data = None
        self.program.note(self.name, "far", data)
        if not data:
            self.program.loop.remove_reader(self.far)

    def far_is_writable(self):
        self.program.note(self.name, "room")
        self.program.loop.remove_writer(self.far)


class Program:
    """Runs the operations of each turn, and notes in which turn something is seen."""

    def __init__(self, loop, script):
        self.loop, self.script = loop, script
        self.turn = 0
        self.seen = []

    def note(self, *what):
        self.seen.append((self.turn, *what))

    async def run(self, busy):
        connections = [Connection(self, name) for name in range(CONNECTIONS)]
        transports, pipes = [], []
        for connection in connections:
            transport, _ = await self.loop.create_connection(
                lambda connection=connection: connection, sock=connection.near
            )
            transports.append(transport)
        reading, writing = socket.socketpair()
        pipe = Connection(self, "pipe")
        pipes.append(
            (await self.loop.connect_read_pipe(lambda: pipe, reading.makefile("rb", 0)))[0]
        )
        writer = writing.makefile("wb", 0)
        pipes.append((await self.loop.connect_write_pipe(asyncio.Protocol, writer))[0])
        for _ in range(busy):
            await asyncio.sleep(0)
        # Some turns more, in which all that is on its way arrives.
        for operations in self.script + [[]] * 6:
            self.turn += 1
            for operation, number in operations:
                self.do(operation, connections[number], transports[number], pipes[1])
            await asyncio.sleep(0)
        self.turn = 0
        for connection, transport in zip(connections, transports, strict=True):
            self.loop.remove_reader(connection.far)
            self.loop.remove_writer(connection.far)
            transport.abort()
        for transport in pipes:
            transport.close()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        for sock in (pipe.near, pipe.far, reading, writing, *(one.far for one in connections)):
            sock.close()

    def do(self, operation, connection, transport, pipe):
        closing = transport.is_closing()
        match operation:
            case "write":
                transport.write(b"12345")
            case "pause":
                transport.pause_reading()
            case "resume":
                transport.resume_reading()
            case "send while paused" if not closing and not transport.is_reading():
                connection.far.send(b"abc")
            case "watch":
                self.loop.add_reader(connection.far, connection.far_is_readable)
            case "unwatch":
                self.loop.remove_reader(connection.far)
            case "watch for room":
                self.loop.add_writer(connection.far, connection.far_is_writable)
            case "write to the pipe":
                pipe.write(b"pipe")
            case "soon":
                self.loop.call_soon(self.note, "soon")
            case "from a thread":
                self.loop.call_soon_threadsafe(self.note, "threadsafe")
            case "close":
                transport.close()


def seen_on(loop_factory, script, busy):
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        program = Program(runner.get_loop(), script)
        runner.run(program.run(busy))
    return program.seen


# Each makes connections on two loops, so there are fewer of them.
@settings(max_examples=settings().max_examples // 4)
@given(turns, st.sampled_from([0, 20, 300]))
def test_a_busy_program_sees_its_input_in_the_same_turns(script, busy):
    expected = seen_on(asyncio.SelectorEventLoop, script, busy)
    assert seen_on(greenloop.new_event_loop, script, busy) == expected
