"""Waits for sockets, and datagram endpoints, leave no object and no descriptor behind."""

import asyncio
import contextlib
import gc
import socket
import weakref

import pytest

import greenloop
from descriptors import open_descriptors
from growth import assert_nothing_stays

TIMES = 100


@pytest.fixture
def pair():
    near, far = socket.socketpair()
    near.setblocking(False)
    far.setblocking(False)
    with near, far:
        yield near, far


@pytest.fixture
def loop(loop):
    yield loop
    loop.close()


async def exchanged(loop, near, far):
    task = loop.create_task(loop.sock_recv(near, 100))
    await asyncio.sleep(0)
    await loop.sock_sendall(far, b"data")
    assert await task == b"data"


async def cancelled(loop, near, far):
    task = loop.create_task(loop.sock_recv(near, 100))
    await asyncio.sleep(0)
    task.cancel("message")
    await asyncio.wait([task])
    assert task.cancelled()


async def replaced(loop, near, far):
    tasks = [loop.create_task(loop.sock_recv_into(near, bytearray(10))) for _ in range(2)]
    await asyncio.sleep(0)
    await loop.sock_sendall(far, b"data")
    assert await tasks[1] == 4
    tasks[0].cancel()
    await asyncio.wait(tasks)


async def refused(loop, near, far):
    for wrong in [
        loop.sock_recv(near, "x"),
        loop.sock_recv_into(near, b"read only"),
        loop.sock_sendall(near, 1),
        loop.sock_connect(near, None),
        loop.sock_recv(None, 10),
    ]:
        with contextlib.suppress(TypeError, AttributeError):
            await wrong


async def blocked(loop, near, far):
    data = bytes(1 << 20)
    task = loop.create_task(loop.sock_sendall(near, data))
    got = 0
    while got < len(data):
        got += len(await loop.sock_recv(far, 1 << 17))
    await task


async def given_up(loop, near, far):
    near.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while True:
            near.send(bytes(1 << 16))
    task = loop.create_task(loop.sock_sendall(near, bytearray(1000)))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    with contextlib.suppress(BlockingIOError):
        while True:
            far.recv(1 << 16)


async def connected(loop, near, far):
    with socket.socket() as listener, socket.socket() as client:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        for one in (listener, client):
            one.setblocking(False)
        task = loop.create_task(loop.sock_accept(listener))
        await asyncio.sleep(0)
        await loop.sock_connect(client, listener.getsockname())
        connection, _ = await task
        connection.close()


async def never_awaited(loop, near, far):
    loop.sock_recv(near, 10).close()
    loop.sock_connect(near, ("127.0.0.1", 9)).close()


@pytest.mark.slow
@pytest.mark.parametrize(
    "operation",
    [exchanged, cancelled, replaced, refused, blocked, given_up, connected, never_awaited],
    ids=lambda one: one.__name__,
)
@pytest.mark.parametrize("debug", [False, True])
def test_waits_leave_nothing_behind(loop, pair, operation, debug):
    loop.set_debug(debug)
    # What is logged of a slow machine would be counted.
    loop.slow_callback_duration = 1000

    async def many():
        for _ in range(TIMES if operation is not blocked else 5):
            await operation(loop, *pair)

    assert_nothing_stays(loop, many)


@pytest.mark.slow
def test_endpoints_leave_nothing_behind(loop):
    class Echo(asyncio.DatagramProtocol):
        def connection_made(self, transport):
            self.transport = transport
            self.answered = loop.create_future()

        def datagram_received(self, data, address):
            self.answered.done() or self.answered.set_result(data)
            if data == b"ask":
                self.transport.sendto(b"answer", address)

    async def exchange():
        for _ in range(20):
            near, echo = await loop.create_datagram_endpoint(Echo, local_addr=("127.0.0.1", 0))
            address = near.get_extra_info("sockname")
            far, protocol = await loop.create_datagram_endpoint(Echo, remote_addr=address)
            far.sendto(b"ask")
            assert await protocol.answered == b"answer"
            near.close()
            far.abort()
            await asyncio.sleep(0)

    assert_nothing_stays(loop, exchange)


def test_a_wait_without_an_end_goes_with_the_loop(loop_factory, pair):
    near, _ = pair
    loop = loop_factory()

    async def wait(loop):
        mark = type("Mark", (), {})()
        marks.append(weakref.ref(mark))
        await loop.sock_recv(near, 10)

    marks = []
    task = loop.create_task(wait(loop))
    loop.call_soon(loop.stop)
    loop.run_forever()
    task._log_destroy_pending = False
    del task
    loop.close()
    del loop
    gc.collect()
    assert marks[0]() is None


def test_a_closed_endpoint_in_a_cycle_is_collected(loop):
    class Cyclic(asyncio.DatagramProtocol):
        def connection_made(self, transport):
            self.transport = transport
            transport.protocol_too = self

    address = ("127.0.0.1", 0)
    coroutine = loop.create_datagram_endpoint(Cyclic, local_addr=address)
    _, protocol = loop.run_until_complete(coroutine)
    del coroutine, _
    protocol.transport.close()
    loop.call_soon(loop.stop)
    loop.run_forever()
    references = [weakref.ref(protocol), weakref.ref(protocol.transport)]
    del protocol
    gc.collect()
    assert [one() for one in references] == [None, None]


@pytest.mark.slow
def test_ten_thousand_sockets_with_few_numbers_are_told_apart():
    """Each is closed with a wait that has ended, one that was cancelled, or one that goes on.

    asyncio does not watch the second socket that has a number which it watches already.
    """
    loop = greenloop.new_event_loop()

    async def main():
        left = []
        for index in range(10_000):
            near, far = socket.socketpair()
            near.setblocking(False)
            task = loop.create_task(loop.sock_recv(near, 100))
            await asyncio.sleep(0)
            match index % 4:
                case 0 | 1:
                    far.send(b"%d" % index)
                    assert await task == b"%d" % index
                case 2:
                    task.cancel()
                    await asyncio.wait([task])
                case 3:
                    left.append(task)
            near.close()
            far.close()
        for task in left:
            task.cancel()
        await asyncio.wait(left)

    with contextlib.closing(loop):
        before = open_descriptors()
        loop.run_until_complete(main())
        assert open_descriptors() <= before + 1
