"""No descriptor is left: what needs one raises, what has one goes on, and nothing stays behind.

Each operation is tried with no descriptor left, then with one, with two and so on until it
succeeds, so that it fails at each of the places where it needs one. asyncio is the oracle of what
it raises.
"""

import asyncio
import contextlib
import errno
import gc
import itertools
import os
import socket

import pytest
from differential import ASYNCIO, GREENLOOP

import greenloop
from descriptors import exhausted, open_descriptors
from tls_contexts import CLIENT, SERVER

# Sockets that asyncio's own functions have made and not closed when they failed.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")


async def create_connection(loop, address, path):
    transport, _ = await loop.create_connection(asyncio.Protocol, *address)
    transport.abort()


async def create_connection_to_a_name(loop, address, path):
    # The resolver answers a name that it knows by reading a file.
    transport, _ = await loop.create_connection(
        asyncio.Protocol, "localhost", address[1], family=socket.AF_INET
    )
    transport.abort()


async def create_connection_at_once_by_several(loop, address, path):
    transport, _ = await loop.create_connection(
        asyncio.Protocol, *address, happy_eyeballs_delay=0.01, local_addr=("127.0.0.1", 0)
    )
    transport.abort()


async def open_connection(loop, address, path):
    _, writer = await asyncio.open_connection(*address)
    writer.transport.abort()


async def create_unix_connection(loop, address, path):
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        try:
            transport, _ = await loop.create_unix_connection(asyncio.Protocol, path)
            transport.abort()
        finally:
            os.unlink(path)


async def create_server(loop, address, path, hosts=("127.0.0.1",)):
    server = await loop.create_server(asyncio.Protocol, hosts, 0)
    missing = len(hosts) - len(server.sockets)
    server.close()
    if missing:
        # asyncio passes over addresses that it has no socket for, in older releases.
        raise OSError("no socket for an address")


async def create_server_on_two_addresses(loop, address, path):
    await create_server(loop, address, path, ("127.0.0.1", "127.0.0.2"))


async def create_unix_server(loop, address, path):
    server = await loop.create_unix_server(asyncio.Protocol, path)
    server.close()


async def create_datagram_endpoint(loop, address, path):
    transport, _ = await loop.create_datagram_endpoint(
        asyncio.DatagramProtocol, local_addr=("127.0.0.1", 0), remote_addr=address
    )
    transport.abort()


async def sock_accept(loop, address, path):
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.socket() as client:
        listener.setblocking(False)
        client.setblocking(False)
        await loop.sock_connect(client, listener.getsockname())
        connection, _ = await loop.sock_accept(listener)
        connection.close()


async def a_subprocess(loop, address, path):
    process = await asyncio.create_subprocess_exec(
        "/bin/cat", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert await process.communicate(b"text") == (b"text", None)


async def a_subprocess_by_its_protocol(loop, address, path):
    ended = loop.create_future()

    class Protocol(asyncio.SubprocessProtocol):
        def process_exited(self):
            ended.set_result(None)

    transport, _ = await loop.subprocess_exec(Protocol, "/bin/true")
    await ended
    transport.close()


OPERATIONS = [
    create_connection,
    create_connection_to_a_name,
    create_connection_at_once_by_several,
    open_connection,
    create_unix_connection,
    create_server,
    create_server_on_two_addresses,
    create_unix_server,
    create_datagram_endpoint,
    sock_accept,
    a_subprocess,
    a_subprocess_by_its_protocol,
]


def errors_until_it_succeeds(loop, operation, path):
    """What the operation raises with no descriptor left, with one, with two and so on."""

    async def attempt(address, left):
        with exhausted(left):
            try:
                await operation(loop, address, path)
            except OSError as error:
                return type(error), error.errno
            finally:
                # What is closed is closed in the next turns.
                await asyncio.sleep(0)
                await asyncio.sleep(0)
        return None

    async def main():
        errors = []
        with socket.create_server(("127.0.0.1", 0)) as listener:
            address = listener.getsockname()
            # It makes the threads that it needs, and whatever else stays.
            await operation(loop, address, path)
            await asyncio.sleep(0.001)
            before = open_descriptors()
            while error := await attempt(address, len(errors)):
                errors.append(error)
                gc.collect()
                assert open_descriptors() == before
            return errors

    return loop.run_until_complete(asyncio.wait_for(main(), 20))


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.__name__)
def test_what_finds_no_descriptor_raises_and_leaves_nothing(operation, tmp_path):
    outcomes = []
    for contestant in (ASYNCIO, GREENLOOP):
        reports = []
        with contextlib.closing(contestant.new_loop()) as loop:
            loop.set_exception_handler(lambda _, context: reports.append(context))
            path = str(tmp_path / f"{contestant.name}.socket")
            outcomes.append(errors_until_it_succeeds(loop, operation, path))
            loop.run_until_complete(loop.shutdown_default_executor())
        assert reports == []
    expected, ours = outcomes
    assert expected and ours == expected


def test_a_numeric_address_is_looked_up_without_a_descriptor(loop):
    async def main():
        with exhausted():
            return await loop.getaddrinfo("127.0.0.1", 80, type=socket.SOCK_STREAM)

    [(*_, address)] = loop.run_until_complete(main())
    assert address == ("127.0.0.1", 80)


def test_a_loop_that_finds_no_descriptor_raises_and_leaves_nothing():
    """asyncio's loop stays half-made, and its destructor fails."""
    greenloop.new_event_loop().close()
    before = open_descriptors()
    for left in itertools.count():
        with exhausted(left):
            try:
                loop = greenloop.new_event_loop()
            except OSError as error:
                assert error.errno == errno.EMFILE
            else:
                break
        assert open_descriptors() == before
    assert left > 0
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()
    assert open_descriptors() == before


@contextlib.contextmanager
def clients(address, count):
    """Connected sockets: the kernel has taken them, the loop has not."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(socket.create_connection(address)) for _ in range(count)]


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "TLS"])
def test_a_server_without_descriptors_serves_on_and_waits_before_it_tries_again(
    loop, reports, monkeypatch, secure
):
    monkeypatch.setattr(asyncio.constants, "ACCEPT_RETRY_DELAY", 0.05)
    accepted = []

    class Echo(asyncio.Protocol):
        def connection_made(self, transport):
            accepted.append(transport)

        def data_received(self, data):
            accepted[0].write(data)

    async def main():
        # asyncio reports a failure as often as the backlog has places, or once more.
        server = await loop.create_server(
            Echo, "127.0.0.1", 0, ssl=SERVER if secure else None, backlog=1
        )
        address = server.sockets[0].getsockname()
        options = {"ssl": CLIENT, "server_hostname": "localhost"} if secure else {}
        reader, writer = await asyncio.open_connection(*address, **options)
        with clients(address, 2):
            descriptors = open_descriptors()
            with exhausted():
                rounds = tries = reported = last = 0
                began = loop.time()
                while tries < 3:
                    # The connection that is there is served while others cannot be taken.
                    writer.write(b"ping")
                    assert await reader.readexactly(4) == b"ping"
                    rounds += 1
                    if len(reports) > reported and loop.time() - last >= 0.04:
                        tries, last = tries + 1, loop.time()
                    reported = len(reports)
                took = loop.time() - began
            # Two delays lie between three tries: meanwhile nobody asks.
            assert took >= 0.1
            # From 3.14 on each report of asyncio's may be followed by two of the next try.
            assert reported <= 2 + 4 + 8
            assert rounds > 3
            # Those who waited are taken as soon as there is something to take them with.
            while open_descriptors() < descriptors + 2:
                await asyncio.sleep(0.001)
        assert len(reports) == reported
        writer.transport.abort()
        server.close()
        await asyncio.sleep(0.01)

    before = open_descriptors()
    loop.run_until_complete(asyncio.wait_for(main(), 20))
    for report in reports:
        assert report["message"] == "socket.accept() out of system resource"
        assert report["exception"].errno == errno.EMFILE
    for transport in accepted:
        transport.abort()
    loop.run_until_complete(asyncio.sleep(0.01))
    gc.collect()
    assert open_descriptors() == before
