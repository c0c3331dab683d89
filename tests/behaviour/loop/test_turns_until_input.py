"""How many turns pass until what is ready is seen: as many as with asyncio.

Programs count them ("after two `sleep(0)` the answer is there"), and the order of callbacks follows
from it. Each kind of input is made ready in the program itself, so that no other process has a say
in when, and seen by a loop that has just begun, by one that was busy, and by one that has waited.
"""

import asyncio
import contextlib
import os
import signal
import socket
import threading

import pytest

import greenloop
from connections import connected

MOST_TURNS = 100

KINDS = {}


def kind(function):
    """Add a kind of input: a coroutine function that returns how many turns it took to be seen."""
    KINDS[function.__name__] = function
    return function


class Recorder(asyncio.Protocol):
    """A protocol that says what it got from its peer."""

    def __init__(self):
        self.got = []

    def data_received(self, data):
        self.got.append(data)

    def datagram_received(self, data, _address):
        self.got.append(data)

    def eof_received(self):
        self.got.append("eof")

    def connection_lost(self, exception):
        self.got.append(type(exception))


async def turns_until(got, count=1):
    for turns in range(MOST_TURNS):
        if len(got) >= count:
            return turns
        await asyncio.sleep(0)
    return None


@contextlib.asynccontextmanager
async def transport_over(near):
    transport, protocol = await asyncio.get_running_loop().create_connection(Recorder, sock=near)
    yield transport, protocol.got
    transport.abort()
    await asyncio.sleep(0.001)


@contextlib.asynccontextmanager
async def pipe_transport(end, mode):
    loop = asyncio.get_running_loop()
    connect = loop.connect_read_pipe if mode == "rb" else loop.connect_write_pipe
    transport, protocol = await connect(Recorder, os.fdopen(end, mode, buffering=0))
    yield transport, protocol.got
    transport.close()
    await asyncio.sleep(0.001)


@contextlib.contextmanager
def watching(loop, sides, fd, got):
    """Has the sides of a descriptor watched, and what is seen of them put into `got`."""

    def seen():
        got.append(1)
        loop.remove_reader(fd)

    for side in sides:
        (loop.add_reader if side == "r" else loop.add_writer)(fd, seen)
    yield
    loop.remove_reader(fd)
    loop.remove_writer(fd)


@kind
async def an_answer_to_what_is_written_in_each_turn(loop):
    """It comes before all is written, as a database's refusal of one of many rows."""
    with connected("tcp") as (near, far):
        async with transport_over(near) as (transport, got):
            for turn in range(40):
                transport.writelines([bytes(32768)] * 4)
                if turn == 20:
                    far.send(b"no")
                if got:
                    return turn - 20
                await asyncio.sleep(0)


@kind
async def add_reader(loop):
    got = []
    with connected() as (near, far):
        far.send(b"x")
        with watching(loop, "r", near, got):
            return await turns_until(got)


@kind
async def add_reader_again(loop):
    got = []
    with connected() as (near, far):
        far.send(b"x")
        loop.add_reader(near, print)
        loop.remove_reader(near)
        await asyncio.sleep(0)
        with watching(loop, "r", near, got):
            return await turns_until(got)


@kind
async def another_reader_of_the_same(loop):
    got = []
    with connected() as (near, far):
        loop.add_reader(near, print)
        await asyncio.sleep(0)
        far.send(b"x")
        with watching(loop, "r", near, got):
            return await turns_until(got)


@kind
async def add_writer(loop):
    got = []
    with connected() as (near, _), watching(loop, "w", near, got):
        return await turns_until(got)


@kind
async def add_writer_beside_a_reader(loop):
    got = []
    with connected() as (near, _), watching(loop, "r", near, got):
        await asyncio.sleep(0)
        loop.add_writer(near, got.append, 1)
        return await turns_until(got)


@kind
async def a_reader_that_leaves_something(loop):
    got = []
    with connected() as (near, far):
        far.send(b"abcd")
        loop.add_reader(near, lambda: got.append(near.recv(1)))
        turns = await turns_until(got, 4)
        loop.remove_reader(near)
        return turns


@kind
async def a_writer_that_stays(loop):
    got = []
    with connected() as (near, _):
        loop.add_writer(near, got.append, 1)
        turns = await turns_until(got, 5)
        loop.remove_writer(near)
        return turns


@kind
async def a_connection_with_more_than_is_received_at_once(_):
    with connected() as (near, far):
        far.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        size = far.send(bytes(1 << 19))
        async with transport_over(near) as (transport, got):
            transport.max_size = size // 4
            return await turns_until(got, 4)


@kind
async def connect_read_pipe(_):
    read, write = os.pipe()
    os.write(write, b"x")
    async with pipe_transport(read, "rb") as (_, got):
        turns = await turns_until(got)
    os.close(write)
    return turns


@kind
async def connect_write_pipe_that_nobody_reads(_):
    read, write = os.pipe()
    os.close(read)
    async with pipe_transport(write, "wb") as (_, got):
        return await turns_until(got)


@kind
async def resume_reading_of_a_pipe(_):
    read, write = os.pipe()
    async with pipe_transport(read, "rb") as (transport, got):
        await asyncio.sleep(0)
        transport.pause_reading()
        os.write(write, b"x")
        await asyncio.sleep(0)
        transport.resume_reading()
        turns = await turns_until(got)
    os.close(write)
    return turns


@kind
async def write_to_a_pipe(_):
    read, write = os.pipe()
    async with pipe_transport(read, "rb") as (_, got), pipe_transport(write, "wb") as (writer, _):
        await asyncio.sleep(0)
        writer.write(b"x")
        return await turns_until(got)


@kind
async def close_of_a_writing_pipe(_):
    read, write = os.pipe()
    async with pipe_transport(read, "rb") as (_, got), pipe_transport(write, "wb") as (writer, _):
        await asyncio.sleep(0)
        writer.close()
        return await turns_until(got)


@kind
async def close_of_a_reading_pipe(_):
    read, write = os.pipe()
    async with pipe_transport(read, "rb") as (reader, _), pipe_transport(write, "wb") as (_, got):
        await asyncio.sleep(0)
        reader.close()
        return await turns_until(got)


@kind
async def a_new_connection(_):
    with connected() as (near, far):
        far.send(b"x")
        async with transport_over(near) as (_, got):
            return await turns_until(got)


@kind
async def resume_reading(_):
    with connected() as (near, far):
        async with transport_over(near) as (transport, got):
            transport.pause_reading()
            far.send(b"x")
            await asyncio.sleep(0)
            transport.resume_reading()
            return await turns_until(got)


@kind
async def write(_):
    with connected() as (near, far):
        async with transport_over(near) as (_, got), transport_over(far) as (transport, _):
            transport.write(b"x")
            return await turns_until(got)


@kind
async def write_eof(_):
    with connected() as (near, far):
        async with transport_over(near) as (_, got), transport_over(far) as (transport, _):
            transport.write_eof()
            return await turns_until(got)


@kind
async def close(_):
    with connected() as (near, far):
        async with transport_over(near) as (_, got), transport_over(far) as (transport, _):
            transport.close()
            return await turns_until(got)


@kind
async def a_server(loop):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        with socket.create_connection(listener.getsockname()) as client:
            client.send(b"x")
            protocol = Recorder()
            server = await loop.create_server(lambda: protocol, sock=listener)
            turns = await turns_until(protocol.got)
            server.close()
    await asyncio.sleep(0.001)
    return turns


@kind
async def a_datagram_endpoint(loop):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        receiver.bind(("127.0.0.1", 0))
        receiver.setblocking(False)
        client.sendto(b"x", receiver.getsockname())
        transport, protocol = await loop.create_datagram_endpoint(Recorder, sock=receiver)
        turns = await turns_until(protocol.got)
        transport.abort()
        await asyncio.sleep(0.001)
        return turns


@kind
async def sendto(loop):
    address = ("127.0.0.1", 0)
    transport, protocol = await loop.create_datagram_endpoint(Recorder, local_addr=address)
    await asyncio.sleep(0)
    transport.sendto(b"x", transport.get_extra_info("sockname"))
    turns = await turns_until(protocol.got)
    transport.abort()
    await asyncio.sleep(0.001)
    return turns


async def turns_of(awaitable, make_ready=lambda: None):
    """How many turns a task takes to end, once it is in the middle of its wait."""
    task = asyncio.ensure_future(awaitable)
    done = []
    task.add_done_callback(done.append)
    await asyncio.sleep(0)
    made = make_ready()
    turns = await turns_until(done)
    return turns, made, task


@kind
async def sock_connect(loop):
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.socket() as client:
        client.setblocking(False)
        turns, _, _ = await turns_of(loop.sock_connect(client, listener.getsockname()))
        return turns


@kind
async def sock_sendall_to_sock_recv(loop):
    with connected() as (near, far):
        receiving = loop.create_task(loop.sock_recv(near, 9))
        await asyncio.sleep(0)
        await loop.sock_sendall(far, b"x")
        got = []
        receiving.add_done_callback(got.append)
        return await turns_until(got)


@kind
async def sock_recv_of_what_comes_while_it_begins(loop):
    with connected() as (near, far):

        async def receive():
            receiving = asyncio.ensure_future(loop.sock_recv(near, 9))
            await asyncio.sleep(0)
            far.send(b"x")
            # A second wait, for another descriptor, has the loop ask.
            loop.add_reader(far, print)
            await receiving
            loop.remove_reader(far)

        turns, _, _ = await turns_of(receive())
        return turns


@kind
async def a_signal(loop):
    got = []
    loop.add_signal_handler(signal.SIGUSR1, got.append, 1)
    await asyncio.sleep(0)
    os.kill(os.getpid(), signal.SIGUSR1)
    turns = await turns_until(got)
    loop.remove_signal_handler(signal.SIGUSR1)
    return turns


@kind
async def a_thread_that_sends_and_then_calls(loop):
    got = []
    called = asyncio.Event()
    with connected() as (near, far), watching(loop, "r", near, got):
        await asyncio.sleep(0)

        def send():
            far.send(b"x")
            loop.call_soon_threadsafe(called.set)

        thread = threading.Thread(target=send)
        thread.start()
        # So that it does not depend on the threads which of both the loop sees first.
        thread.join()
        await called.wait()
        return await turns_until(got)


async def busy():
    for _ in range(1000):
        await asyncio.sleep(0)


async def idle():
    await asyncio.sleep(0.001)


async def busy_then_idle():
    await busy()
    await idle()


async def busy_after_being_idle():
    await idle()
    await busy()


STATES = {
    function.__name__: function for function in (idle, busy, busy_then_idle, busy_after_being_idle)
}


def turns_on(loop_factory, kind, state):
    """How many turns it takes on a loop: three times, since the rhythm of a loop may change."""

    async def measure():
        await state()
        return await kind(asyncio.get_running_loop())

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        return [runner.run(measure()) for _ in range(3)]


@pytest.mark.parametrize("state", STATES.values(), ids=STATES.keys())
@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS.keys())
def test_what_is_ready_is_seen_after_as_many_turns_as_with_asyncio(kind, state):
    expected = turns_on(asyncio.SelectorEventLoop, kind, state)
    assert None not in expected
    assert turns_on(greenloop.new_event_loop, kind, state) == expected


@pytest.mark.parametrize("turns_before", range(4))
def test_after_a_wait_whatever_a_program_sends_by_itself_is_seen_in_the_next_turn(
    loop, turns_before
):
    """No loop can know of that; one that is not busy for long asks at every turn."""

    async def main():
        got = []
        with connected() as (near, far), watching(loop, "r", near, got):
            await busy_then_idle()
            for _ in range(turns_before):
                await asyncio.sleep(0)
            far.send(b"x")
            return await turns_until(got)

    assert loop.run_until_complete(main()) == 2


def test_what_a_pipe_has_is_received_before_an_older_pipe_is_lost(loop):
    """What changes the input of a process does: it connects a new pipe and closes the old one."""
    order = []

    class Named(asyncio.Protocol):
        def __init__(self, name):
            self.name = name

        def data_received(self, data):
            order.append((self.name, data))

        def connection_lost(self, _):
            order.append((self.name, "lost"))

    async def connect(name, sock):
        file = os.fdopen(sock.detach(), "rb", buffering=0)
        transport, _ = await loop.connect_read_pipe(lambda: Named(name), file)
        return transport

    async def main():
        with connected() as (old_near, old_far), connected() as (near, far):
            far.send(b"new")
            old = await connect("old", old_near)
            await busy()
            new = await connect("new", near)
            old.close()
            await idle()
            new.close()
            old_far.close()

    loop.run_until_complete(main())
    assert order[:2] == [("new", b"new"), ("old", "lost")]
