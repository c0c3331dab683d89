"""Twenty thousand connections, opened and closed: descriptors, objects and memory stay flat.

asyncio, the oracle, gets by with a part of them: it takes several times as long, and is not what is
tested.
"""

import asyncio
import itertools

import pytest

import greenloop
from growth import assert_steady
from tls_contexts import CLIENT, SERVER

pytestmark = pytest.mark.slow

CONNECTIONS = 20_000
# As many clients are there at a time.
CLIENTS = 50
# How a client or the server ends a connection, in turn.
ENDINGS = itertools.cycle(["client closes", "server closes", "client aborts", "server aborts"])


class Server(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        match data:
            case b"close":
                self.transport.write(b"bye")
                self.transport.close()
            case b"abort":
                self.transport.abort()
            case _:
                self.transport.write(data)


class Client(asyncio.Protocol):
    def __init__(self, loop, word):
        self.word = word
        self.ended = loop.create_future()

    def connection_made(self, transport):
        self.transport = transport
        transport.write(self.word)

    def data_received(self, data):
        if data == b"stay":
            self.transport.close()
        elif data == b"go":
            self.transport.abort()

    def connection_lost(self, exception):
        self.ended.set_result(None)


WORDS = {
    "client closes": b"stay",
    "client aborts": b"go",
    "server closes": b"close",
    "server aborts": b"abort",
}


async def by_protocols(loop, count):
    """Open and close so many connections of protocols."""
    server = await loop.create_server(Server, "127.0.0.1", 0, backlog=CLIENTS)
    address = server.sockets[0].getsockname()

    async def work(count):
        for _ in range(count):
            word = WORDS[next(ENDINGS)]
            _, client = await loop.create_connection(lambda word=word: Client(loop, word), *address)
            await client.ended

    await asyncio.gather(*[work(count // CLIENTS) for _ in range(CLIENTS)])
    server.close()


async def by_streams(loop, count, api=greenloop, **options):
    """The same by streams."""

    async def serve(reader, writer):
        line = await reader.readline()
        if line == b"server closes\n":
            writer.write(line)
            writer.close()
        elif line == b"server aborts\n":
            writer.transport.abort()
        else:
            writer.write(line)
            await reader.read()
            writer.close()

    secure = {"ssl": CLIENT, "server_hostname": "localhost"} if options else {}
    server = await api.start_server(serve, "127.0.0.1", 0, backlog=CLIENTS, **options)
    address = server.sockets[0].getsockname()

    async def work(count):
        for _ in range(count):
            ending = next(ENDINGS)
            reader, writer = await api.open_connection(*address, **secure)
            writer.write(ending.encode() + b"\n")
            try:
                await reader.readline()
            except ConnectionError:
                pass
            writer.transport.abort() if ending == "client aborts" else writer.close()

    await asyncio.gather(*[work(count // CLIENTS) for _ in range(CLIENTS)])
    server.close()


def assert_flat(loop, churn, count, warm_up):
    """Count what `count` connections leave, after as many as it takes for caches to be full."""

    async def settled(count):
        async with asyncio.timeout(120):
            await churn(count)
            while len(asyncio.all_tasks()) > 1:
                await asyncio.sleep(0.001)
        # The last sockets are closed in the turns after.
        await asyncio.sleep(0.005)

    def connections(count):
        loop.run_until_complete(settled(count))

    assert_steady(lambda: connections(count), lambda: connections(2 * warm_up))


def share(loop, count):
    return count if isinstance(loop, greenloop.EventLoop) else count // 20


def test_connections_of_protocols_that_come_and_go_leave_nothing(loop, reports):
    count = share(loop, CONNECTIONS)
    assert_flat(loop, lambda count: by_protocols(loop, count), count, 500)
    assert reports == []


def test_connections_of_streams_that_come_and_go_leave_nothing(loop, reports):
    api = greenloop if isinstance(loop, greenloop.EventLoop) else asyncio
    count = share(loop, CONNECTIONS)
    assert_flat(loop, lambda count: by_streams(loop, count, api), count, 500)
    assert reports == []


def test_connections_of_streams_over_tls_that_come_and_go_leave_nothing(loop):
    """Their aborts may be reported as what they are: a peer that is gone in the middle of it."""
    api = greenloop if isinstance(loop, greenloop.EventLoop) else asyncio
    loop.set_exception_handler(lambda loop, context: None)
    count = share(loop, 1000)
    assert_flat(loop, lambda count: by_streams(loop, count, api, ssl=SERVER), count, 200)
