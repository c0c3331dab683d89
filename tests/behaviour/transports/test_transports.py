"""Connections over sockets: what a transport is, in which context it calls, and how it dies."""

import asyncio
import contextlib
import contextvars
import gc
import logging
import os
import socket
import sys
import warnings
import weakref
from asyncio import trsock
from unittest import mock

import pytest

from connections import BufferedRecorder, Recorder, everything, run, run_until

VARIABLE = contextvars.ContextVar("VARIABLE", default="outside")


# What a transport is.


def test_a_transport_is_asyncios(loop, peer_of):
    protocol = Recorder()
    far = peer_of(protocol, "tcp")
    transport = protocol.transport
    assert isinstance(transport, asyncio.Transport)
    assert isinstance(transport, asyncio.transports._FlowControlMixin)
    assert transport.can_write_eof() is True
    assert transport.get_protocol() is protocol
    assert transport.is_reading() and not transport.is_closing()
    sock = transport.get_extra_info("socket")
    assert isinstance(sock, trsock.TransportSocket)
    assert transport.get_extra_info("sockname") == far.getpeername()
    assert transport.get_extra_info("peername") == far.getsockname()
    assert transport.get_extra_info("nothing") is None
    assert transport.get_extra_info("nothing", default=3) == 3
    assert weakref.ref(transport)() is transport
    transport.something = 1
    assert vars(transport)["something"] == 1


def test_what_is_replaced_on_asyncios_base_class_is_seen(loop, peer_of):
    protocol = Recorder()
    peer_of(protocol)
    with mock.patch("asyncio.BaseTransport.get_extra_info", return_value="replaced"):
        assert protocol.transport.get_extra_info("peername") == "replaced"


def test_a_transport_whose_descriptor_became_another_file_can_be_closed(loop, peer_of):
    protocol = Recorder()
    far = peer_of(protocol)
    transport = protocol.transport
    transport.write(bytes(10_000_000))
    assert transport.get_write_buffer_size() > 0
    # The poller has forgotten the descriptor, of which both sides are watched.
    with open(os.devnull) as other:
        os.dup2(other.fileno(), transport.get_extra_info("socket").fileno())
    far.close()
    # asyncio's poller raises that the descriptor is none of those it knows.
    with contextlib.suppress(OSError):
        transport.close()
    assert transport.is_closing()
    transport.abort()
    run(loop)


@pytest.mark.parametrize("protocol_number", [0, socket.IPPROTO_TCP])
def test_small_packets_are_not_held_back(loop_factory, protocol_number):
    loop = loop_factory()
    with socket.socket(proto=protocol_number) as listener:
        listener.bind(("127.0.0.1", 0))
        server_protocol = Recorder()
        server = loop.run_until_complete(loop.create_server(lambda: server_protocol, sock=listener))
        client, _ = loop.run_until_complete(
            loop.create_connection(Recorder, *listener.getsockname())
        )
        run_until(loop, lambda: server_protocol.transport)
        expected = [client]
        # asyncio leaves out what a socket with protocol 0 has accepted; we do not.
        if protocol_number or type(loop).__module__.startswith("greenloop"):
            expected.append(server_protocol.transport)
        for transport in expected:
            sock = transport.get_extra_info("socket")
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        client.abort()
        server_protocol.transport.abort()
        server.close()
        run(loop)
    loop.close()


def test_the_repr_tells_the_state(loop, peer_of):
    protocol = Recorder()
    peer_of(protocol)
    transport = protocol.transport
    name, fd = type(transport).__name__, transport.get_extra_info("socket").fileno()
    run(loop)
    assert repr(transport) == f"<{name} fd={fd} read=polling write=<idle, bufsize=0>>"
    transport.pause_reading()
    transport.write(b"x" * (1 << 22))
    size = transport.get_write_buffer_size()
    assert repr(transport) == f"<{name} fd={fd} read=idle write=<polling, bufsize={size}>>"
    transport.close()
    assert repr(transport).startswith(f"<{name} closing fd={fd} ")
    transport.abort()
    run(loop)
    assert repr(transport) == f"<{name} closed fd={fd}>"


def test_the_order_and_the_turns_of_a_connections_life(loop):
    trace = []

    class Told(Recorder):
        def note(self, name, *arguments):
            trace.append(name)

    async def main():
        near, far = socket.socketpair()
        near.setblocking(False)

        async def count():
            for turn in range(12):
                trace.append(turn)
                await asyncio.sleep(0)

        counting = asyncio.create_task(count())
        transport, _ = await loop.create_connection(Told, sock=near)
        trace.append("connected")
        transport.close()
        trace.append("closed")
        await counting
        far.close()

    loop.run_until_complete(main())
    assert trace[:3] == [0, "made", 1]
    where = trace.index("connected")
    assert trace[where : where + 2] == ["connected", "closed"]
    assert trace.index("lost") == trace.index("closed") + 2


# Contexts.


def test_each_callback_has_the_context_that_asyncio_gives_it(loop):
    seen = []

    class Told(Recorder):
        def note(self, name, *arguments):
            seen.append((name, VARIABLE.get()))
            VARIABLE.set(f"{name} has set it")

    near, far = socket.socketpair()
    near.setblocking(False)
    far.setblocking(False)

    async def main():
        VARIABLE.set("main")
        transport, _ = await loop.create_connection(Told, sock=near)
        far.send(b"1")
        await asyncio.sleep(0.01)
        far.send(b"2")
        await asyncio.sleep(0.01)
        VARIABLE.set("main, later")
        transport.pause_reading()
        transport.resume_reading()
        far.send(b"3")
        await asyncio.sleep(0.01)
        transport.write(b"x" * (1 << 21))
        while transport.get_write_buffer_size():
            everything(far)
            await asyncio.sleep(0)
        VARIABLE.set("main, at the end")
        transport.close()
        await asyncio.sleep(0.01)

    loop.run_until_complete(main())
    far.close()
    # From 3.15 on a connection has one context, a copy of that in which it was made.
    has_its_own = sys.version_info >= (3, 15)
    assert [name for name, _ in seen] == ["made", *["data"] * 3, "pause", "resume", "lost"]
    assert [value for _, value in seen] == (
        ["main", "made has set it", "data has set it", "data has set it"]
        + ["main, later", "data has set it", "resume has set it"]
        if has_its_own
        else ["main", "main", "data has set it", "main, later"]
        + ["main, later", "pause has set it", "main, at the end"]
    ) or [value for _, value in seen[4:]] == ["main, later", "main, later", "main, at the end"]


# Debug mode.


def test_debug_mode_says_what_happens(loop, peer_of, caplog):
    loop.set_debug(True)
    protocol = Recorder()
    with caplog.at_level(logging.DEBUG, "asyncio"):
        far = peer_of(protocol)
        run(loop)
        caplog.clear()
        protocol.transport.pause_reading()
        protocol.transport.resume_reading()
        far.close()
        run(loop)
    said = [message.partition("> ")[2].lstrip("> ") for message in caplog.messages]
    assert [text for text in said if "read" in text or "EOF" in text] == [
        "pauses reading",
        "resumes reading",
        "received EOF",
    ]


def test_debug_mode_tells_of_errors_that_are_not_reported(loop, peer_of, caplog, reports):
    loop.set_debug(True)
    protocol = Recorder()
    with caplog.at_level(logging.DEBUG, "asyncio"):
        far = peer_of(protocol)
        far.close()
        protocol.transport.write(b"x")
        run(loop)
    records = [record for record in caplog.records if "Fatal write error" in record.message]
    assert len(records) == 1
    assert records[0].exc_info[0] is BrokenPipeError
    assert reports == []


# Lifetime.


def test_a_transport_that_is_dropped_says_so_and_closes(loop):
    near, far = socket.socketpair()
    near.setblocking(False)
    transport, protocol = loop.run_until_complete(loop.create_connection(Recorder, sock=near))
    run(loop)
    transport.pause_reading()
    far.send(b"unread")
    reference = weakref.ref(transport)
    text = f"unclosed transport {transport!r}"
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        del transport, protocol
        gc.collect()
    assert text in [str(warning.message) for warning in caught]
    # A warning knows its source; before 3.15 weak references are dead by then.
    caught.clear()
    gc.collect()
    assert reference() is None
    assert near.fileno() == -1
    # What was not read makes the end a reset.
    with pytest.raises(ConnectionResetError):
        far.recv(1)
    far.close()


def test_a_cycle_of_transport_and_protocol_is_collected(loop):
    near, far = socket.socketpair()
    near.setblocking(False)
    protocol = Recorder()
    protocols = [protocol]
    connecting = loop.create_connection(protocols.pop, sock=near)
    transport = loop.run_until_complete(connecting)[0]
    transport.cycle = transport
    transport.close()
    run(loop)
    references = weakref.ref(transport), weakref.ref(protocol)
    protocol.calls.clear()
    del transport, protocol
    gc.collect()
    assert [reference() for reference in references] == [None, None]
    far.close()


@pytest.mark.parametrize("end", ["close", "abort", "peer"])
def test_connections_that_come_and_go_leave_nothing(loop, end):
    """Descriptors and objects are as many after many connections as after a few."""

    class Server(asyncio.Protocol):
        def connection_made(self, transport):
            self.transport = transport

        def data_received(self, data):
            self.transport.write(data)
            if end == "close":
                self.transport.close()
            elif end == "abort":
                self.transport.abort()

    class Client(asyncio.Protocol):
        def __init__(self):
            self.done = loop.create_future()

        def connection_made(self, transport):
            transport.write(b"x")
            self.transport = transport

        def data_received(self, data):
            if end == "peer":
                self.transport.close()

        def connection_lost(self, exception):
            if not self.done.done():
                self.done.set_result(None)

    async def churn(address, count):
        for _ in range(count):
            clients = await asyncio.gather(
                *(loop.create_unix_connection(Client, address) for _ in range(10))
            )
            await asyncio.gather(*(client.done for _, client in clients))
        del clients
        await asyncio.sleep(0.01)
        gc.collect()
        return len(os.listdir("/proc/self/fd")), len(gc.get_objects())

    async def main():
        address = f"\0greenloop-churn-{os.getpid()}-{id(loop)}-{end}"
        server = await loop.create_unix_server(Server, address)
        before = await churn(address, 5)
        after = await churn(address, 60)
        server.close()
        await server.wait_closed()
        return before, after

    (descriptors, objects), (descriptors_after, objects_after) = loop.run_until_complete(main())
    assert descriptors_after == descriptors
    assert objects_after - objects < 50


def test_a_server_knows_its_connections(loop):
    async def main():
        protocols = []

        def factory():
            protocols.append(Recorder())
            return protocols[-1]

        server = await loop.create_server(factory, "127.0.0.1", 0)
        client, _ = await loop.create_connection(Recorder, *server.sockets[0].getsockname())
        while not (protocols and protocols[0].transport):
            await asyncio.sleep(0.001)
        server.close()
        waiting = asyncio.create_task(server.wait_closed())
        await asyncio.sleep(0.01)
        if sys.version_info >= (3, 12):
            assert not waiting.done()
        client.close()
        await asyncio.wait_for(waiting, 10)
        return protocols[0].names

    assert loop.run_until_complete(main())[0] == "made"


# What is not plain.


def test_a_socket_that_does_something_else_is_asked(loop):
    class Shouting(socket.socket):
        def send(self, data):
            return super().send(bytes(data).upper())

    near, far = socket.socketpair()
    shouting = Shouting(fileno=near.detach())
    shouting.setblocking(False)
    transport, _ = loop.run_until_complete(loop.create_connection(Recorder, sock=shouting))
    transport.write(b"quiet")
    assert far.recv(10) == b"QUIET"
    transport.close()
    run(loop)
    far.close()


@pytest.mark.parametrize("kind", [Recorder, BufferedRecorder])
def test_a_socket_put_in_the_place_of_the_real_one_is_asked(loop, peer_of, kind):
    class Slow:
        def __init__(self, sock):
            self.sock = sock
            self.asked = set()

        def __getattr__(self, name):
            self.asked.add(name)
            return getattr(self.sock, name)

        def send(self, data):
            self.asked.add("send")
            return self.sock.send(data[: len(data) // 2 + 1])

    protocol = kind()
    far = peer_of(protocol)
    transport = protocol.transport
    slow = transport._sock = Slow(transport._sock)
    transport.write(b"abcdefgh")
    assert transport.get_write_buffer_size() == 3
    run(loop)
    assert everything(far) == b"abcdefgh"
    far.send(b"back")
    run(loop)
    assert protocol.calls[-1] == ("data" if kind is Recorder else "updated", b"back")
    # The rest is sent by another method, from 3.12 on.
    written = {"send"} if sys.version_info < (3, 12) else {"send", "sendmsg"}
    assert written | {"recv" if kind is Recorder else "recv_into"} <= slow.asked
    transport.close()
    run(loop)
    assert slow.sock.fileno() == -1


def test_a_loop_whose_watching_is_replaced_is_asked(loop):
    watched = []
    original = loop._add_reader

    def watch(fd, *arguments, **keywords):
        watched.append(fd)
        return original(fd, *arguments, **keywords)

    loop._add_reader = watch
    near, far = socket.socketpair()
    near.setblocking(False)
    transport, protocol = loop.run_until_complete(loop.create_connection(Recorder, sock=near))
    far.send(b"x")
    run(loop)
    assert watched == [near.fileno()]
    assert protocol.names == ["made", "data"]
    transport.close()
    run(loop)
    far.close()


def test_a_file_can_be_sent_past_the_transport(loop, peer_of, tmp_path):
    protocol = Recorder()
    far = peer_of(protocol, "tcp")
    content = os.urandom(300_000)
    path = tmp_path / "content"
    path.write_bytes(content)
    far.setblocking(True)
    reading = loop.run_in_executor(None, lambda: far.recv(300_006, socket.MSG_WAITALL))

    async def send():
        protocol.transport.write(b"head")
        with path.open("rb") as file:
            sending = asyncio.create_task(loop.sendfile(protocol.transport, file, fallback=False))
            await asyncio.sleep(0)
            assert await sending == 300_000
        protocol.transport.write(b"ok")
        return await reading

    assert loop.run_until_complete(send()) == b"head" + content + b"ok"
    far.send(b"after")
    run(loop)
    assert protocol.calls[-1] == ("data", b"after")
