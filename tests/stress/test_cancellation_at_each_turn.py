"""An operation cancelled at any turn of its way leaves no descriptor, no task and no byte behind.

Each operation is begun and cancelled after no turn, after one, after two and so on, until it is
over before it can be cancelled: so at each of its awaits, and in each state of the object that it
waits for.
"""

import asyncio
import contextlib
import gc
import os
import socket

import pytest

from descriptors import open_descriptors
from tls_contexts import CLIENT, SERVER

# More turns than any operation takes.
ENOUGH = 300
TLS = {"ssl": CLIENT, "server_hostname": "localhost"}


class Greeter(asyncio.Protocol):
    """The server's end: says something at once, echoes, and closes when the client does."""

    def connection_made(self, transport):
        self.transport = transport
        transport.write(STALE)

    def data_received(self, data):
        self.transport.write(data)


STALE = b"for whoever asked first"


class Addresses:
    """Where an operation finds its servers."""

    plain = secure = unix = None


async def create_connection(loop, to):
    transport, _ = await loop.create_connection(asyncio.Protocol, *to.plain)
    transport.abort()


async def create_connection_by_name(loop, to):
    transport, _ = await loop.create_connection(
        asyncio.Protocol, "localhost", to.plain[1], family=socket.AF_INET
    )
    transport.abort()


async def create_connection_with_a_rival(loop, to):
    transport, _ = await loop.create_connection(
        asyncio.Protocol, *to.plain, happy_eyeballs_delay=0.25, local_addr=("127.0.0.1", 0)
    )
    transport.abort()


async def create_connection_with_tls(loop, to):
    transport, _ = await loop.create_connection(asyncio.Protocol, *to.secure, **TLS)
    transport.abort()


async def create_unix_connection(loop, to):
    transport, _ = await loop.create_unix_connection(asyncio.Protocol, to.unix)
    transport.abort()


async def open_connection(loop, to):
    _, writer = await asyncio.open_connection(*to.plain)
    writer.transport.abort()


async def open_connection_with_tls(loop, to):
    _, writer = await asyncio.open_connection(*to.secure, **TLS)
    writer.transport.abort()


async def open_unix_connection(loop, to):
    _, writer = await asyncio.open_unix_connection(to.unix)
    writer.transport.abort()


async def sock_connect(loop, to):
    with socket.socket() as sock:
        sock.setblocking(False)
        await loop.sock_connect(sock, to.plain)


async def start_tls(loop, to):
    """Both ends go on with TLS; the server's waits for the client's first word."""
    near, far = socket.socketpair()
    far.setblocking(False)
    accepted = []
    protocol = asyncio.StreamReaderProtocol(
        asyncio.StreamReader(), lambda *pair: accepted.append(pair)
    )

    async def accept():
        await loop.connect_accepted_socket(lambda: protocol, far)
        [(_, writer)] = accepted
        await writer.start_tls(SERVER)

    accepting = asyncio.ensure_future(accept())
    writer = None
    try:
        _, writer = await asyncio.open_connection(sock=near)
        await writer.start_tls(CLIENT, server_hostname="localhost")
        await asyncio.shield(accepting)
    finally:
        accepting.cancel()
        for one in [writer, *[pair[1] for pair in accepted]]:
            if one is not None:
                one.transport.abort()
        await asyncio.wait([accepting])
        near.close()
        far.close()


async def wait_closed(loop, to):
    _, writer = await asyncio.open_connection(*to.plain)
    writer.write(bytes(100))
    writer.close()
    await writer.wait_closed()


async def wait_closed_with_tls(loop, to):
    _, writer = await asyncio.open_connection(*to.secure, **TLS)
    try:
        writer.close()
        # What the server has said meanwhile was not for a closed connection.
        with contextlib.suppress(OSError):
            await writer.wait_closed()
    finally:
        writer.transport.abort()


async def getaddrinfo(loop, to):
    await loop.getaddrinfo("localhost", to.plain[1])


async def create_datagram_endpoint(loop, to):
    transport, _ = await loop.create_datagram_endpoint(
        asyncio.DatagramProtocol, local_addr=("127.0.0.1", 0), remote_addr=to.plain
    )
    transport.abort()


async def pipes(loop, to):
    near, far = os.pipe()
    with open(near, "rb", 0) as near, open(far, "wb", 0) as far:
        reading, _ = await loop.connect_read_pipe(asyncio.Protocol, near)
        try:
            writing, _ = await loop.connect_write_pipe(asyncio.Protocol, far)
            writing.abort()
        finally:
            reading.close()
        await asyncio.sleep(0)
        await asyncio.sleep(0)


OPERATIONS = [
    create_connection,
    create_connection_by_name,
    create_connection_with_a_rival,
    create_connection_with_tls,
    create_unix_connection,
    open_connection,
    open_connection_with_tls,
    open_unix_connection,
    sock_connect,
    start_tls,
    wait_closed,
    wait_closed_with_tls,
    getaddrinfo,
    create_datagram_endpoint,
    pipes,
]


def turn(loop, seconds=0):
    """Make one turn in which the system is asked."""
    loop.call_later(seconds, loop.stop)
    loop.run_forever()


def settle(loop, condition):
    """Make turns until something is so."""
    deadline = loop.time() + 20
    while not condition():
        assert loop.time() < deadline
        turn(loop, 0.0001)


@pytest.fixture
def to(loop, tmp_path):
    """The servers, which count how many connections they have."""

    async def begin():
        addresses = Addresses()
        servers = [
            await loop.create_server(Greeter, "127.0.0.1", 0),
            await loop.create_server(Greeter, "127.0.0.1", 0, ssl=SERVER),
            await loop.create_unix_server(Greeter, str(tmp_path / "socket")),
        ]
        addresses.plain, addresses.secure, addresses.unix = [
            one.sockets[0].getsockname() for one in servers
        ]
        return addresses, servers

    addresses, servers = loop.run_until_complete(begin())
    yield addresses
    for server in servers:
        server.close()
    turn(loop)


def cancel_at_each_turn(loop, begin, check):
    """Cancel what `begin` begins after ever more turns, and `check` each time what is left."""
    for turns in range(ENOUGH):
        task = loop.create_task(begin())
        for number in range(turns):
            # Threads take the time that they take: for them, turns are slower in the end.
            turn(loop, 0 if number < 30 else 0.0005)
        if task.done():
            task.result()
            check()
            return turns
        task.cancel()
        settle(loop, task.done)
        if not task.cancelled():
            # It was over before it heard of it.
            task.result()
        del task
        check()
    raise AssertionError("it never came to an end")


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
@pytest.mark.parametrize("debug", [False, True], ids=["plain", "debug"])
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.__name__)
def test_what_is_cancelled_leaves_no_descriptor_and_no_task(loop, reports, to, operation, debug):
    loop.set_debug(debug)
    loop.run_until_complete(operation(loop, to))
    for _ in range(10):
        turn(loop)
    gc.collect()
    before = open_descriptors()

    def descriptors():
        # asyncio leaves cycles of sockets and exceptions here and there.
        gc.collect()
        return open_descriptors()

    def check():
        # The servers' ends close when they hear that the clients' have.
        settle(loop, lambda: not asyncio.all_tasks(loop) and descriptors() <= before)
        assert descriptors() == before

    assert cancel_at_each_turn(loop, lambda: operation(loop, to), check) > 0
    # Servers tell of handshakes that came to nothing in debug mode.
    expected = {"Error on transport creation for incoming connection"} if debug else set()
    assert {report["message"] for report in reports} <= expected


def test_a_number_that_a_cancelled_connect_had_gets_nothing_of_its_data(loop, to):
    """The server has sent already, to a descriptor whose number is somebody else's by then."""
    operations = [create_connection, create_unix_connection, open_connection, sock_connect]
    numbers = set()

    class Receiver(asyncio.Protocol):
        def __init__(self):
            self.data = b""

        def connection_made(self, transport):
            self.transport = transport
            numbers.add(transport.get_extra_info("socket").fileno())

        def data_received(self, data):
            self.data += data

    def connect_another():
        """Whoever comes next has the lowest numbers that are free."""
        near, far = socket.socketpair()
        near.setblocking(False)
        with far:
            _, receiver = loop.run_until_complete(loop.create_connection(Receiver, sock=near))
            far.send(b"for the next")
            settle(loop, lambda: receiver.data)
            turn(loop, 0.0001)
            assert receiver.data == b"for the next"
            receiver.transport.write(b"from the next")
            assert far.recv(100) == b"from the next"
            receiver.transport.abort()
            turn(loop)

    for operation in operations:
        cancel_at_each_turn(loop, lambda operation=operation: operation(loop, to), connect_another)
    # It would be no proof if each had had a number of its own.
    assert len(numbers) < 8


@pytest.mark.parametrize("make", ["the loop's", "a class in Python"])
def test_a_wait_that_is_cancelled_in_the_turn_in_which_it_is_told_reports_nothing(
    loop, reports, make
):
    """A task of another class waits through a future, which is gone when the wait is."""
    near, far = socket.socketpair()
    near.setblocking(False)

    async def receive():
        return await loop.sock_recv(near, 10)

    with near, far:
        if make == "the loop's":
            task = loop.create_task(receive())
        else:
            task = asyncio.tasks._PyTask(receive(), loop=loop)
        turn(loop)
        # The next run begins by asking the system, and has the task's step to run before.
        loop.call_soon(lambda: (task.cancel(), far.send(b"data"), loop.stop()))
        loop.run_forever()
        settle(loop, task.done)
        turn(loop)
        assert task.cancelled()
        assert near.recv(10) == b"data"
    assert reports == []


# Reading and writing.


def streams_over_a_pair(loop):
    """A connection's streams, and its other end."""
    near, far = socket.socketpair()
    far.setblocking(False)
    reader, writer = loop.run_until_complete(asyncio.open_connection(sock=near))
    return reader, writer, far


@pytest.mark.parametrize(
    "read",
    [
        lambda reader: reader.readexactly(10),
        lambda reader: reader.readuntil(b"9"),
        lambda reader: reader.readline(),
        lambda reader: reader.read(7),
    ],
    ids=["readexactly", "readuntil", "readline", "read"],
)
def test_a_read_that_is_cancelled_at_any_turn_loses_no_byte(loop, read):
    reader, writer, far = streams_over_a_pair(loop)
    sent, got = bytearray(), bytearray()
    digits = [b"01", b"234", b"5", b"678", b"9\n"]
    for turns in range(12):
        reading = loop.create_task(read(reader))
        for number in range(turns):
            part = digits[number % len(digits)]
            far.send(part)
            sent += part
            turn(loop)
        reading.cancel()
        settle(loop, reading.done)
        if not reading.cancelled():
            got += reading.result()
    far.close()
    got += loop.run_until_complete(reader.read())
    assert got == sent
    writer.close()
    loop.run_until_complete(writer.wait_closed())


def test_a_drain_that_is_cancelled_at_any_turn_loses_no_byte_and_leaves_the_others(loop):
    _, writer, far = streams_over_a_pair(loop)
    sent, got = bytearray(), bytearray()

    def receive():
        with contextlib.suppress(BlockingIOError):
            while part := far.recv(1 << 20):
                got.extend(part)

    for turns in range(10):
        while not writer.transport.get_write_buffer_size() > 1 << 17:
            block = bytes([turns]) * (1 << 16)
            writer.write(block)
            sent += block
        draining = [loop.create_task(writer.drain()) for _ in range(3)]
        for number in range(turns):
            turn(loop)
            if number > 2:
                receive()
        draining[1].cancel()
        while not all(one.done() for one in draining):
            turn(loop)
            receive()
        assert not draining[0].cancelled() and not draining[2].cancelled()
    writer.close()
    while len(got) < len(sent):
        turn(loop)
        receive()
    assert got == sent
    loop.run_until_complete(writer.wait_closed())
    far.close()


def test_a_cancelled_wait_for_the_end_does_not_hold_up_the_end(loop, reports):
    """All who wait for it share one future, and its cancellation."""
    _, writer, far = streams_over_a_pair(loop)
    waiting = [loop.create_task(writer.wait_closed()) for _ in range(3)]
    turn(loop)
    waiting[1].cancel()
    settle(loop, lambda: all(one.done() for one in waiting))
    assert [one.cancelled() for one in waiting] == [True, True, True]
    writer.close()
    settle(loop, lambda: writer.get_extra_info("socket").fileno() == -1)
    assert far.recv(1) == b""
    far.close()
    assert reports == []
