"""`sock_sendall` and `sock_sendto`: what has room is sent at once."""

import contextlib
import os
import socket

import pytest
from socket_waits import drain, fill, finish, waiting

from connections import run_until


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview, lambda data: memoryview(data)[::1]])
def test_all_is_sent_however_little_room_there_is(loop, pair, kind):
    near, far = pair
    data = os.urandom(1 << 22)
    task = waiting(loop, loop.sock_sendall(near, kind(data)))
    got = bytearray()

    def some():
        with contextlib.suppress(BlockingIOError):
            got.extend(far.recv(100_000))
        return len(got) == len(data)

    run_until(loop, some)
    assert finish(loop, task) is None
    assert got == data


def test_what_has_room_is_sent_without_a_turn(loop, pair):
    near, far = pair
    order = []

    async def main():
        loop.call_soon(order.append, "a turn")
        order.append(await loop.sock_sendall(near, b"hello"))

    finish(loop, main())
    assert order[0] is None
    assert far.recv(10) == b"hello"


def test_a_bytearray_that_waits_cannot_be_resized(loop, pair):
    near, far = pair
    full = fill(near)
    data = bytearray(b"hello")
    task = waiting(loop, loop.sock_sendall(near, data))
    with pytest.raises(BufferError):
        data.clear()
    drain(far, full)
    finish(loop, task)
    assert far.recv(10) == b"hello"
    data.clear()


def test_a_datagram_is_sent_to_an_address(loop, datagrams):
    near, far = datagrams
    order = []

    async def main():
        loop.call_soon(order.append, "a turn")
        order.append(await loop.sock_sendto(near, b"hello", far.getsockname()))

    finish(loop, main())
    assert order[0] == 5
    assert far.recvfrom(10) == (b"hello", near.getsockname())


def test_a_datagram_without_room_is_waited_with(loop, sockets, tmp_path):
    near, far = (sockets(socket.AF_UNIX, socket.SOCK_DGRAM) for _ in range(2))
    path = str(tmp_path / "far")
    far.bind(path)
    count = 0
    with contextlib.suppress(BlockingIOError):
        while True:
            near.sendto(b"x", path)
            count += 1
    task = waiting(loop, loop.sock_sendto(near, b"hello", path))
    for _ in range(count):
        far.recv(10)
    assert finish(loop, task) == 5
    assert far.recv(10) == b"hello"
