"""TLS connections that come and go: descriptors, objects and memory stay as they were."""

import asyncio
import gc
import socket
import ssl
import weakref

import pytest

import greenloop
from growth import assert_steady
from tls_contexts import CLIENT, SERVER

# How many connections are counted, after as many as it takes for caches to be full.
CONNECTIONS = 2000
WARM_UP = 200


class Echo(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport
        self.lost = asyncio.get_running_loop().create_future()

    def data_received(self, data):
        self.transport.write(data)

    def connection_lost(self, exception):
        self.lost.set_result(exception)


class Client(Echo):
    def connection_made(self, transport):
        super().connection_made(transport)
        self.received = asyncio.get_running_loop().create_future()

    def data_received(self, data):
        if not self.received.done():
            self.received.set_result(data)


async def connect(loop, client, server, **options):
    """Connect both ends on this loop; return what each connection came to."""
    ends = socket.socketpair()
    for one in ends:
        one.setblocking(False)
    context = options.pop("context", CLIENT)
    return await asyncio.gather(
        loop.create_connection(
            lambda: client, sock=ends[0], ssl=context, server_hostname="localhost", **options
        ),
        loop.connect_accepted_socket(lambda: server, sock=ends[1], ssl=SERVER),
        return_exceptions=True,
    )


async def closed(loop, number):
    client, server = Client(), Echo()
    await connect(loop, client, server)
    client.transport.write(b"x" * 1000)
    assert len(await client.received) <= 1000
    (client, server)[number % 2].transport.close()
    await client.lost
    await server.lost


async def aborted(loop, number):
    client, server = Client(), Echo()
    await connect(loop, client, server)
    client.transport.write(b"x" * 100_000)
    (client, server)[number % 2].transport.abort()
    await client.lost
    await server.lost


async def refused(loop, number):
    """The client does not know the server's certificate."""
    context = STRANGER
    client, server = Client(), Echo()
    results = await connect(loop, client, server, context=context)
    assert all(isinstance(result, OSError) for result in results)


STRANGER = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


async def cancelled(loop, number):
    task = asyncio.ensure_future(connect(loop, Client(), Echo()))
    for _ in range(number % 8):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    for _ in range(4):
        await asyncio.sleep(0)


async def upgraded(loop, number):
    async def serve(reader, writer):
        writer.write(await reader.readexactly(1))
        await writer.start_tls(SERVER)
        writer.write(await reader.readexactly(1000))
        writer.close()

    ends = socket.socketpair()
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader, serve)
    await loop.connect_accepted_socket(lambda: protocol, sock=ends[1])
    reader, writer = await asyncio.open_connection(sock=ends[0])
    writer.write(b"!")
    await reader.readexactly(1)
    await writer.start_tls(CLIENT, server_hostname="localhost")
    writer.write(b"x" * 1000)
    assert len(await reader.read()) == 1000
    writer.close()
    await writer.wait_closed()


OPERATIONS = [closed, aborted, refused, cancelled, upgraded]


@pytest.mark.slow
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.__name__)
def test_connections_that_come_and_go_leave_nothing(loop, operation):
    loop.set_exception_handler(lambda loop, context: None)

    async def many(count):
        for number in range(count):
            await operation(loop, number)
        await asyncio.sleep(0.01)

    def connections(count):
        loop.run_until_complete(many(count))

    # The short-lived kind is counted in full; of the others a part tells as much, and of asyncio.
    is_ours = isinstance(loop, greenloop.EventLoop)
    count = CONNECTIONS if is_ours and operation is closed else CONNECTIONS // 5
    assert_steady(lambda: connections(count), lambda: connections(2 * WARM_UP))


@pytest.mark.parametrize("end", ["client", "server"])
def test_a_connection_that_refers_to_itself_is_collected(loop, end):
    """Each class that holds objects shows them to the collector."""

    class Held:
        pass

    async def main():
        client, server = Client(), Echo()
        await connect(loop, client, server)
        protocol = client if end == "client" else server
        transport = protocol.transport
        tls = transport._ssl_protocol
        # Round and round: by attributes of their own, what is written and waits, and the context.
        held = transport.held = tls.held = Held()
        ssl_object = transport.get_extra_info("ssl_object")
        held.all = [transport, tls, protocol, tls._transport, ssl_object]
        tls._extra["held"] = held
        references = [weakref.ref(one) for one in (held, transport, tls, protocol)]
        client.transport.abort()
        server.transport.abort()
        await client.lost
        await server.lost
        return references

    references = loop.run_until_complete(main())
    loop.run_until_complete(asyncio.sleep(0))
    gc.collect()
    assert [reference() for reference in references] == [None] * 4


def test_a_connection_that_is_never_closed_is_collected_with_its_loop(loop):
    async def main():
        client, server = Client(), Echo()
        await connect(loop, client, server)
        return [weakref.ref(one) for end in (client, server) for one in (end, end.transport)]

    references = loop.run_until_complete(main())
    loop.close()
    with pytest.warns(ResourceWarning):
        gc.collect()
    # From 3.15 on what has warned is freed by the next collection.
    gc.collect()
    assert [reference() for reference in references] == [None] * 4


def test_a_protocol_that_was_never_connected_is_collected(loop):
    from greenloop import _native

    class Held:
        pass

    application = asyncio.Protocol()
    waiter = loop.create_future()
    tls = _native.SSLProtocol(loop, application, CLIENT, waiter, False, "localhost")
    transport = tls._app_transport
    transport._closed = True
    held = tls.held = Held()
    # What waits to be written may refer to its connection as well.
    buffer = Buffer(b"bytes")
    buffer.connection = (held, tls, transport)
    transport._test__append_write_backlog(memoryview(buffer))
    held.tls = tls
    reference = weakref.ref(held)
    del application, tls, transport, held, buffer
    gc.collect()
    assert reference() is None


class Buffer(bytearray):
    """A buffer with attributes."""


def test_an_instance_that_was_not_initialised_does_no_harm():
    from greenloop import _native

    tls = _native.SSLProtocol.__new__(_native.SSLProtocol)
    for name in dir(tls):
        method = getattr(tls, name, None)
        if name.startswith("__") or not callable(method):
            continue
        for arguments in [(), (None,), (b"x",), (3,), (None, None)]:
            try:
                method(*arguments)
            except (TypeError, AttributeError, RuntimeError):
                pass
    with pytest.raises(TypeError):
        _native.SSLProtocol()
    with pytest.raises(TypeError):
        type("Derived", (_native.SSLProtocol,), {})
    with pytest.raises(TypeError):
        _native.SSLTransport()
