"""Connections over a network that drops, delays, splits, resets and stalls: asyncio is the oracle.

A client sends a request of a known length, a server that has all of it answers and closes, and a
proxy between them mistreats the bytes. What either end gets, what its protocol is told of, what it
raises and what the loop reports are the same on both loops; and no descriptor is left.
"""

import asyncio
import contextlib
import functools
import itertools

import pytest
from differential import ASYNCIO, GREENLOOP
from faulty_proxy import FaultyProxy, Treatment

from descriptors import open_descriptors
from tls_contexts import CLIENT, SERVER

REQUEST = bytes(range(256)) * 64
ANSWER = REQUEST[::-1] + b"answer" * 2000
# Nothing of this takes a hundredth of it.
PATIENCE = 20


class End(asyncio.Protocol):
    """One end of a connection: notes what it is told of, in its order."""

    def __init__(self, ends, *, greeting=b"", expected=0, answer=b""):
        ends.append(self)
        self.greeting, self.expected, self.answer = greeting, expected, answer
        self.data = bytearray()
        self.told = []
        self.ended = asyncio.get_running_loop().create_future()

    def connection_made(self, transport):
        self.told.append("made")
        self.transport = transport
        if self.greeting:
            transport.write(self.greeting)

    def data_received(self, data):
        self.data += data
        if self.answer and len(self.data) == self.expected:
            self.transport.write(self.answer)
            self.transport.close()

    def eof_received(self):
        self.told.append("eof")

    def connection_lost(self, exception):
        self.told.append(f"lost: {type(exception).__name__}")
        self.ended.set_result(None)

    @property
    def account(self):
        return bytes(self.data), self.told


class BufferedEnd(End, asyncio.BufferedProtocol):
    def get_buffer(self, hint):
        self.buffer = bytearray(1000)
        return self.buffer

    def buffer_updated(self, count):
        self.data_received(self.buffer[:count])


async def by_protocols(kind, server_options, client_options, through):
    """Return what both ends have to tell; `kind` is the class of their protocols."""
    loop = asyncio.get_running_loop()
    servers, clients = [], []
    server = await loop.create_server(
        lambda: kind(servers, expected=len(REQUEST), answer=ANSWER),
        *ANY_PORT,
        **server_options,
    )
    with through(server.sockets[0].getsockname()) as proxy:
        try:
            await loop.create_connection(
                lambda: kind(clients, greeting=REQUEST), *proxy.address, **client_options
            )
        except OSError as error:
            clients[0].told.append(f"raised: {type(error).__name__}")
        else:
            await clients[0].ended
        await until(lambda: servers and proxy.is_idle)
    server.close()
    # A handshake that fails ends without a word to the protocol.
    await until(lambda: all(one.ended.done() for one in servers if one.told))
    return [one.account for one in servers + clients]


async def by_streams(api, server_options, client_options, through, upgrade=False):
    """The same by streams; `api` is the module that has them.

    With `upgrade`, they go on with TLS when both have said a word.
    """
    accounts = at_server, at_client = [], []
    serving = []

    async def note(account, what, doing):
        """Note what it returns or raises; return whether it returned."""
        try:
            account.append(await doing)
        except asyncio.IncompleteReadError as error:
            account += ["incomplete", error.partial]
        except OSError as error:
            account.append(f"{what} raised: {type(error).__name__}")
        else:
            return True
        return False

    async def serve(reader, writer):
        serving.append(asyncio.current_task())
        if upgrade:
            await note(at_server, "being asked", reader.readexactly(1))
            writer.write(b"!")
            if not await note(at_server, "upgrading", writer.start_tls(SERVER)):
                # Nobody is told of more, with asyncio, by what was to be upgraded.
                writer.transport.abort()
                return
        await note(at_server, "reading", reader.readexactly(len(REQUEST)))
        writer.write(ANSWER)
        await note(at_server, "draining", writer.drain())
        writer.close()
        await note(at_server, "closing", writer.wait_closed())

    async def ask(host, port):
        try:
            reader, writer = await api.open_connection(host, port, **client_options)
        except OSError as error:
            at_client.append(f"connecting raised: {type(error).__name__}")
            return
        if upgrade:
            writer.write(b"?")
            await note(at_client, "asking", reader.readexactly(1))
            upgrading = writer.start_tls(CLIENT, server_hostname="localhost")
            if not await note(at_client, "upgrading", upgrading):
                writer.transport.abort()
                return
        writer.write(REQUEST)
        await note(at_client, "draining", writer.drain())
        await note(at_client, "reading", reader.readexactly(len(ANSWER)))
        await note(at_client, "reading on", reader.read())
        writer.close()
        await note(at_client, "closing", writer.wait_closed())

    server = await api.start_server(serve, *ANY_PORT, **server_options)
    with through(server.sockets[0].getsockname()) as proxy:
        await ask(*proxy.address)
        # A handshake that fails ends without a word to the callback.
        await until(lambda: (serving or server_options) and proxy.is_idle)
    server.close()
    await until(lambda: all(task.done() for task in serving))
    return accounts


async def until(condition):
    while not condition():
        await asyncio.sleep(0.001)


ANY_PORT = "127.0.0.1", 0
TLS = {"ssl": SERVER}, {"ssl": CLIENT, "server_hostname": "localhost"}
# How the two ends are made: by what, of which kind, and with which options.
ENDS = {
    "protocol": (by_protocols, End, {}, {}),
    "buffered protocol": (by_protocols, BufferedEnd, {}, {}),
    "streams": (by_streams, None, {}, {}),
    "TLS protocol": (by_protocols, End, *TLS),
    "TLS streams": (by_streams, None, *TLS),
    "upgraded streams": (functools.partial(by_streams, upgrade=True), None, {}, {}),
}


def observe(contestant, ends, through):
    """What a loop makes of it: the accounts of both ends, and what its exception handler got."""
    talk, kind, *options = ENDS[ends]
    reports = []

    async def main():
        before = open_descriptors()
        async with asyncio.timeout(PATIENCE):
            accounts = await talk(kind or contestant.api, *options, through)
            await until(lambda: open_descriptors() == before)
        # The end of a handshake wakes the task that accepts a turn before that is done.
        async with asyncio.timeout(10):
            while asyncio.all_tasks() != {asyncio.current_task()}:
                await asyncio.sleep(0)
        return accounts

    with contextlib.closing(contestant.new_loop()) as loop:
        loop.set_exception_handler(
            lambda _, context: reports.append((context["message"], repr(context.get("exception"))))
        )
        return loop.run_until_complete(main()), reports


def assert_same(ends, **treatment):
    def through(address):
        return FaultyProxy(address, **treatment)

    expected = observe(ASYNCIO, ends, through)
    assert observe(GREENLOOP, ends, through) == expected
    return expected


@pytest.mark.parametrize("ends", ENDS)
@pytest.mark.parametrize(
    "treatment",
    [
        Treatment(pieces=(1,) * 300 + (5000,)),
        Treatment(pieces=(1, 2, 3, 5, 8, 13, 21, 1, 1, 5000)),
        Treatment(pieces=(16384 + 5, 1)),
        Treatment(pieces=(3000,), delay=0.0005),
    ],
    ids=["bytes", "odd pieces", "around a record", "delayed"],
)
def test_nothing_is_lost_however_it_comes(ends, treatment):
    accounts, reports = assert_same(ends, to_server=treatment, to_client=treatment)
    at_server, at_client = accounts
    assert REQUEST in at_server and ANSWER in at_client
    assert reports == []


# Where a connection is cut, in bytes. Of TLS, the handshake takes the first 600 to the server and
# the first 1900 to the client; the last 500 of these come when the request is on its way already.
CUTS = [0, 1, 300, 5000, 16383]


def cuts(*more):
    """Each kind of ends with each place to cut at; what is upgraded says a word before."""
    every = itertools.product(ENDS, [*CUTS, *more])
    return [(ends, limit) for ends, limit in every if ends != "upgraded streams" or limit > 1]


@pytest.mark.parametrize(("ends", "limit"), cuts(1000))
@pytest.mark.parametrize("end", ["close", "half-close", "reset"])
def test_a_request_that_is_cut_ends_both_sides_as_with_asyncio(ends, end, limit):
    assert_same(ends, to_server=Treatment(limit=limit, end=end))


@pytest.mark.parametrize(("ends", "limit"), cuts(len(ANSWER)))
@pytest.mark.parametrize("end", ["close", "half-close", "reset"])
def test_an_answer_that_is_cut_ends_both_sides_as_with_asyncio(ends, end, limit):
    assert_same(ends, to_client=Treatment(limit=limit, end=end))
