"""Protocols, factories and stream callbacks that raise: the same consequences as in asyncio.

Each scenario lets one method of one kind of protocol raise, at its first call. What is raised to
whoever waits, what leaves the loop, what its exception handler gets, what the protocol is told
afterwards and what descriptors are left must be the same, and the loop must run on.

The methods of `Protocol` and `DatagramProtocol` on connections that exist are in
`tests/behaviour`, in `transports/test_transport_reading.py`, `tls/test_tls_closing.py` and
`datagrams/test_datagram_closing.py`.
"""

import asyncio
import contextlib
import gc
import os
import socket

import pytest
from differential import ASYNCIO, GREENLOOP

import greenloop
from descriptors import open_descriptors
from tls_contexts import CLIENT, SERVER


class Trouble(Exception):
    """What user code raises here."""


class BaseTrouble(BaseException):
    """The same, of the kind that `except Exception` does not catch."""


ERRORS = [Trouble, BaseTrouble, KeyboardInterrupt, SystemExit, asyncio.CancelledError, OSError]


class Raiser:
    """Notes what it is told of; the method `raising` raises `error` once."""

    transport = None

    def __init__(self, told, raising, error):
        self.told, self.raising, self.error = told, raising, error

    def tell(self, name):
        self.told.append(name)
        if name == self.raising:
            self.raising = None
            raise self.error("from user code")

    def connection_made(self, transport):
        self.transport = transport
        self.tell("connection_made")

    def connection_lost(self, exception):
        self.told.append(repr(exception))
        self.tell("connection_lost")

    def eof_received(self):
        self.tell("eof_received")

    def pause_writing(self):
        self.tell("pause_writing")

    def resume_writing(self):
        self.tell("resume_writing")


class Stream(Raiser, asyncio.Protocol):
    def data_received(self, data):
        self.tell("data_received")


class Buffered(Raiser, asyncio.BufferedProtocol):
    def get_buffer(self, hint):
        self.tell("get_buffer")
        return bytearray(100)

    def buffer_updated(self, count):
        self.tell("buffer_updated")


class Datagram(Raiser, asyncio.DatagramProtocol):
    def datagram_received(self, data, address):
        self.tell("datagram_received")


class Process(Raiser, asyncio.SubprocessProtocol):
    def pipe_data_received(self, fd, data):
        self.tell(f"pipe_data_received {fd}")

    def pipe_connection_lost(self, fd, exception):
        self.tell(f"pipe_connection_lost {fd}")

    def process_exited(self):
        self.tell("process_exited")


async def client(loop, factory, trace):
    """A client is told of its connection, of data and of the end."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        connecting = asyncio.ensure_future(loop.create_connection(factory, *listener.getsockname()))
        await turns()
        with listener.accept()[0] as far:
            await note(trace, connecting)
            await exchange(far)


async def server(loop, factory, trace):
    """The same for the protocol of a server."""
    one = await loop.create_server(factory, "127.0.0.1", 0)
    try:
        with socket.create_connection(one.sockets[0].getsockname()) as far:
            await turns()
            await exchange(far)
    finally:
        one.close()


async def accepted_socket(loop, factory, trace):
    near, far = socket.socketpair()
    near.setblocking(False)
    with far:
        await note(trace, loop.connect_accepted_socket(factory, near))
        await exchange(far)
    near.close()


async def exchange(far):
    far.setblocking(False)
    for act in (lambda: far.send(b"data"), lambda: far.shutdown(socket.SHUT_WR)):
        await turns()
        with contextlib.suppress(OSError):
            act()
    await turns()


async def tls_client(loop, factory, trace):
    async def serve(reader, writer):
        with contextlib.suppress(OSError):
            writer.write(b"data")
            await writer.drain()
            writer.close()
            await writer.wait_closed()

    one = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=SERVER)
    try:
        await note(
            trace,
            loop.create_connection(
                factory, *one.sockets[0].getsockname(), ssl=CLIENT, server_hostname="localhost"
            ),
        )
        await turns(40)
    finally:
        one.close()


async def datagrams(loop, factory, trace):
    making = loop.create_datagram_endpoint(factory, local_addr=("127.0.0.1", 0))
    result = await note(trace, making)
    if result is not None:
        transport, _ = result
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as far:
            far.sendto(b"data", transport.get_extra_info("sockname"))
            await turns()
        transport.close()
        await turns()


async def read_pipe(loop, factory, trace):
    near, far = os.pipe()
    file = open(near, "rb", 0)
    try:
        if await note(trace, loop.connect_read_pipe(factory, file)):
            os.write(far, b"data")
            await turns()
    finally:
        os.close(far)
    await turns()
    file.close()


async def write_pipe(loop, factory, trace):
    near, far = os.pipe()
    os.set_blocking(near, False)
    file = open(far, "wb", 0)
    try:
        result = await note(trace, loop.connect_write_pipe(factory, file))
        if result is not None:
            transport, _ = result
            transport.write(bytes(1 << 20))
            await turns()
            while transport.get_write_buffer_size():
                with contextlib.suppress(BlockingIOError):
                    os.read(near, 1 << 16)
                await turns(1)
            transport.close()
            await turns()
    finally:
        os.close(near)
    await turns()
    file.close()


async def subprocess(loop, factory, trace):
    result = await note(trace, loop.subprocess_exec(factory, "/bin/sh", "-c", "cat; echo >&2"))
    if result is not None:
        transport, _ = result
        transport.get_pipe_transport(0).write(b"text")
        transport.get_pipe_transport(0).close()
        while transport.get_returncode() is None:
            await turns(1)
        await turns(40)
        transport.close()
    await turns()


async def client_callback(loop, factory, trace):
    """A coroutine function takes the place of the protocol's factory."""

    async def serve(reader, writer):
        factory()
        with contextlib.closing(writer):
            await reader.read()

    one = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        with socket.create_connection(one.sockets[0].getsockname()) as far:
            await exchange(far)
    finally:
        one.close()


async def turns(count=10):
    """Make turns in which the loop asks the system: ours does when it has nothing else to do."""
    ours = isinstance(asyncio.get_running_loop(), greenloop.EventLoop)
    for _ in range(count):
        await asyncio.sleep(1e-6 if ours else 0)


async def note(trace, waiting):
    """Note what it raises; return what it returns."""
    try:
        return await waiting
    except (Trouble, BaseTrouble, asyncio.CancelledError, OSError) as error:
        trace.append(f"raised {error!r}")
        return None


CONNECTION = ["factory", "connection_made", "connection_lost"]
RAISES = [
    (client, Stream, ["factory", "connection_made"]),
    (server, Stream, [*CONNECTION, "data_received", "eof_received"]),
    (server, Buffered, ["get_buffer", "buffer_updated"]),
    (accepted_socket, Stream, CONNECTION),
    (tls_client, Stream, [*CONNECTION, "data_received", "eof_received"]),
    (tls_client, Buffered, ["get_buffer", "buffer_updated"]),
    (datagrams, Datagram, [*CONNECTION, "datagram_received"]),
    (read_pipe, Stream, [*CONNECTION, "data_received", "eof_received"]),
    (write_pipe, Stream, [*CONNECTION, "pause_writing", "resume_writing"]),
    (
        subprocess,
        Process,
        [
            *CONNECTION,
            "pipe_data_received 1",
            "pipe_data_received 2",
            "pipe_connection_lost 0",
            "pipe_connection_lost 2",
            "process_exited",
        ],
    ),
    (client_callback, Stream, ["factory"]),
]


# In seconds; nothing takes a hundredth of it.
PATIENCE = 10
# An exception that leaves the loop in a handshake's last step leaves its waiter waiting for ever.
ENDLESS = {(tls_client, "connection_made", error) for error in (KeyboardInterrupt, SystemExit)}


def observe(contestant, scenario, kind, method, error):
    told, trace, reports, protocols = [], [], [], []

    def factory():
        protocol = kind(told, method, error)
        protocol.tell("factory")
        protocols.append(protocol)
        return protocol

    def report(_, context):
        # What the callbacks are called that are named behind it is each one's own.
        message = context["message"].partition(" callback ")[0].partition(" <")[0]
        # asyncio accepts in a task; ours has none, see docs/differences.md.
        if message != "Task exception was never retrieved":
            reports.append((message, repr(context.get("exception"))))

    def give_up():
        nonlocal alarm, called
        if called or not endless:
            task.cancel()
        else:
            # The wait that never ends begins when the method was called, however long that takes.
            called = method in told
            alarm = loop.call_later(0.05, give_up)

    alarm, called, endless = None, False, (scenario, method, error) in ENDLESS
    with contextlib.closing(contestant.new_loop()) as loop:
        loop.set_exception_handler(report)
        loop.run_until_complete(turns(1))
        gc.collect()
        before = open_descriptors()
        task = loop.create_task(scenario(loop, factory, trace))
        alarm = loop.call_later(0.05 if endless else PATIENCE, give_up)
        while not task.done():
            try:
                loop.run_until_complete(task)
            except BaseException as caught:
                trace.append(f"left {caught!r}")
        alarm.cancel()
        task = None
        # Connections that the error has left open, and their waiters.
        for protocol in protocols:
            transport = protocol.transport
            if transport is not None and not transport.is_closing():
                getattr(transport, "abort", transport.close)()
        for task in asyncio.all_tasks(loop):
            task.cancel()
        task = None
        gc.collect()
        loop.run_until_complete(turns())
        gc.collect()
        trace.append(open_descriptors() - before)
    if scenario is subprocess:
        # Which pipe is ready first is the system's choice.
        told.sort()
    return told, trace, reports


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.__name__)
@pytest.mark.parametrize(
    ("scenario", "kind", "method"),
    [(scenario, kind, method) for scenario, kind, methods in RAISES for method in methods],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_what_raises_has_the_consequences_that_it_has_with_asyncio(scenario, kind, method, error):
    expected = observe(ASYNCIO, scenario, kind, method, error)
    assert observe(GREENLOOP, scenario, kind, method, error) == expected
    told, trace, _ = expected
    # It was called and raised, and no descriptor is left.
    assert method in told
    assert trace[-1] == 0
