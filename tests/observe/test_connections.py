"""A recording tells which bytes a task has sent, and which task has received them."""

import array
import asyncio
import collections
import socket
import threading

import pytest

import greenloop
from greenloop.tracing.interactions import Sort, interactions
from greenloop.tracing.kinds import Kind


def record(main):
    """Run a coroutine function on our loop, and return the trace of it."""
    with greenloop.trace() as recorded:
        greenloop.run(main())
    return recorded.result


def bytes_of(trace, kind):
    """How many bytes each coroutine has sent, or received."""
    counts = collections.Counter()
    for event in trace.events():
        if event.kind == kind:
            counts[trace.tasks[event.task].coroutine.split(".")[-1]] += int(event.value)
    return counts


async def echo(reader, writer):
    while data := await reader.read(100):
        writer.write(data)
    writer.close()


async def ask(address, parts=(b"question",), read=lambda reader: reader.readexactly(8)):
    reader, writer = await greenloop.open_connection(*address)
    for part in parts:
        writer.write(part)
    await read(reader)
    writer.close()
    await writer.wait_closed()


def asked(**options):
    async def main():
        server = await greenloop.start_server(echo, "127.0.0.1", 0)
        async with server:
            address = server.sockets[0].getsockname()
            await greenloop.create_task(ask(address, **options))
        # The other end has its turn.
        await greenloop.sleep(0.01)

    return record(main)


def test_bytes_are_counted_where_they_are_sent_and_received():
    trace = asked()
    assert bytes_of(trace, Kind.SENT) == {"ask": 8, "echo": 8}
    assert bytes_of(trace, Kind.RECEIVED) == {"ask": 8, "echo": 8}


@pytest.mark.parametrize(
    "read",
    [
        lambda reader: reader.read(8),
        lambda reader: reader.readline(),
        lambda reader: reader.readuntil(b"\n"),
        lambda reader: anext(reader),
    ],
    ids=["read", "readline", "readuntil", "async for"],
)
def test_every_way_to_read_is_told(read):
    trace = asked(parts=(b"1234567\n",), read=read)
    assert bytes_of(trace, Kind.RECEIVED)["ask"] == 8


def test_the_rest_of_a_stream_is_told():
    async def main():
        server = await greenloop.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
        async with server:
            reader, _ = await greenloop.open_connection(*server.sockets[0].getsockname())
            reader.feed_data(b"rest")
            assert await reader.readline() == b"rest"

    assert bytes_of(record(main), Kind.RECEIVED) == {"main": 4}


@pytest.mark.parametrize(
    "data",
    [b"12345678", bytearray(8), memoryview(array.array("H", [1, 2, 3, 4]))],
    ids=lambda data: type(data).__name__,
)
def test_bytes_of_any_sort_are_counted(data):
    assert bytes_of(asked(parts=(data,)), Kind.SENT)["ask"] == 8


@pytest.mark.parametrize("kind", [list, tuple])
def test_lines_are_counted_together(kind):
    class Lines:
        async def main(self):
            server = await greenloop.start_server(echo, "127.0.0.1", 0)
            async with server:
                address = server.sockets[0].getsockname()
                _, writer = await greenloop.open_connection(*address)
                writer.writelines(kind([b"one", b"three"]))
                writer.close()

    assert bytes_of(record(Lines().main), Kind.SENT)["main"] == 8


def test_both_ends_of_a_connection_know_each_other():
    trace = asked()
    ends = {number: each.peer for number, each in trace.resources.items() if each.peer}
    assert len(ends) == 2
    assert {ends[end] for end in ends} == set(ends)
    carried = {
        (trace.tasks[each.source].coroutine, trace.tasks[each.target].coroutine)
        for each in interactions(trace)
        if each.sort is Sort.CARRY
    }
    assert carried == {("ask", "echo"), ("echo", "ask")}


def test_each_of_several_connections_has_its_own_peer():
    async def main():
        server = await greenloop.start_server(echo, "127.0.0.1", 0)
        async with server:
            address = server.sockets[0].getsockname()
            await greenloop.gather(*(ask(address) for _ in range(5)))

    trace = record(main)
    ends = {number: each.peer for number, each in trace.resources.items() if each.peer}
    assert len(ends) == 10
    assert all(ends[peer] == end for end, peer in ends.items())


def test_bytes_to_a_peer_outside_are_told_without_one():
    async def main():
        ours, other = socket.socketpair()
        with other:
            reader, writer = await greenloop.open_connection(sock=ours)
            other.sendall(b"hello")
            await reader.readexactly(5)
            writer.write(b"bye")
            writer.close()
            await writer.wait_closed()

    trace = record(main)
    assert (bytes_of(trace, Kind.SENT), bytes_of(trace, Kind.RECEIVED)) == (
        {"main": 3},
        {"main": 5},
    )
    sorts = {each.sort for each in interactions(trace)}
    assert {Sort.SEND, Sort.RECEIVE} <= sorts and Sort.CARRY not in sorts


def test_a_transport_of_the_program_is_not_asked_for_its_addresses():
    class Transport(asyncio.Transport):
        asked = False

        def is_closing(self):
            return False

        def write(self, data):
            pass

        def close(self):
            pass

        def get_extra_info(self, name, default=None):
            Transport.asked = True
            return default

    async def main():
        loop = asyncio.get_running_loop()
        reader = greenloop.StreamReader()
        protocol = greenloop.StreamReaderProtocol(reader)
        writer = greenloop.StreamWriter(Transport(), protocol, reader, loop)
        writer.write(b"1234")
        await greenloop.sleep(0)
        reader.feed_data(b"12")
        await reader.readexactly(2)

    trace = record(main)
    assert bytes_of(trace, Kind.SENT) == {"main": 4}
    assert bytes_of(trace, Kind.RECEIVED) == {"main": 2}
    assert not Transport.asked


def test_a_call_of_another_thread_is_told_with_the_thread():
    callers = []

    async def main():
        loop = asyncio.get_running_loop()
        called = greenloop.Event()

        def call():
            callers.append(threading.get_native_id())
            loop.call_soon_threadsafe(called.set)

        thread = threading.Thread(target=call)
        thread.start()
        await called.wait()
        thread.join()
        # In the loop's own thread it is a call like any other.
        loop.call_soon_threadsafe(called.clear)
        await greenloop.sleep(0)

    trace = record(main)
    told = [int(event.value) for event in trace.events() if event.kind == Kind.THREAD_CALLED]
    assert told == callers
