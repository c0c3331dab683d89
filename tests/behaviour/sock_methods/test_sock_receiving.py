"""`sock_recv` and its like: what is there is taken at once, the rest is waited for."""

import array
import os
import socket

import pytest
from socket_waits import finish, waiting


@pytest.mark.parametrize("size", [1, 5, 1000, 1 << 16, 1 << 20])
def test_what_is_there_is_received_without_a_turn(loop, pair, size):
    near, far = pair
    far.send(b"hello")
    order = []

    async def main():
        loop.call_soon(order.append, "a turn")
        order.append(await loop.sock_recv(near, size))

    finish(loop, main())
    assert order[0] == b"hello"[:size]


@pytest.mark.parametrize("size", [1, 5, 1000, 1 << 16, 1 << 20])
def test_what_is_not_there_yet_is_waited_for(loop, pair, size):
    near, far = pair
    task = waiting(loop, loop.sock_recv(near, size))
    far.send(b"hello")
    assert finish(loop, task) == b"hello"[:size]


def test_much_is_received_in_large_pieces(loop, pair):
    near, far = pair
    data = bytes(range(256)) * 8192

    async def receive():
        got = bytearray()
        while part := await loop.sock_recv(near, 1 << 17):
            assert type(part) is bytes
            assert len(part) <= 1 << 17
            got += part
        return bytes(got)

    async def main():
        task = loop.create_task(receive())
        assert await loop.sock_sendall(far, data) is None
        far.shutdown(socket.SHUT_WR)
        return await task

    assert finish(loop, main()) == data


def test_the_end_of_the_stream_is_empty(loop, pair):
    near, far = pair
    task = waiting(loop, loop.sock_recv(near, 10))
    far.close()
    assert finish(loop, task) == b""


def test_nothing_is_received_if_nothing_is_asked_for(loop, pair):
    near, _ = pair
    assert finish(loop, loop.sock_recv(near, 0)) == b""
    assert finish(loop, loop.sock_recv_into(near, bytearray())) == 0


@pytest.mark.parametrize(
    "kind", [bytearray, lambda n: memoryview(bytearray(n)), lambda n: array.array("i", bytes(n))]
)
@pytest.mark.parametrize("early", [True, False])
def test_a_buffer_is_received_into(loop, pair, kind, early):
    near, far = pair
    buffer = kind(8)
    if early:
        far.send(b"hello")
        assert finish(loop, loop.sock_recv_into(near, buffer)) == 5
    else:
        task = waiting(loop, loop.sock_recv_into(near, buffer))
        far.send(b"hello")
        assert finish(loop, task) == 5
    assert bytes(memoryview(buffer).cast("B")) == b"hello\0\0\0"


def test_a_buffer_that_is_waited_with_is_not_locked(loop, pair):
    near, far = pair
    buffer = bytearray(2)
    task = waiting(loop, loop.sock_recv_into(near, buffer))
    buffer.extend(b"123456")
    far.send(b"hello")
    assert finish(loop, task) == 5
    assert buffer == b"hello456"


@pytest.mark.parametrize("early", [True, False])
def test_a_datagram_comes_with_its_address(loop, datagrams, early):
    near, far = datagrams
    for data in [b"hello", b""]:
        if early:
            far.sendto(data, near.getsockname())
            got = finish(loop, loop.sock_recvfrom(near, 100))
        else:
            task = waiting(loop, loop.sock_recvfrom(near, 100))
            far.sendto(data, near.getsockname())
            got = finish(loop, task)
        assert got == (data, far.getsockname())
        assert type(got) is tuple


@pytest.mark.parametrize("nbytes", [(), (0,), (3,), (8,)])
@pytest.mark.parametrize("early", [True, False])
def test_a_datagram_is_received_into_a_buffer(loop, datagrams, nbytes, early):
    near, far = datagrams
    buffer = bytearray(8)
    if early:
        far.sendto(b"hello", near.getsockname())
        got = finish(loop, loop.sock_recvfrom_into(near, buffer, *nbytes))
    else:
        task = waiting(loop, loop.sock_recvfrom_into(near, buffer, *nbytes))
        far.sendto(b"hello", near.getsockname())
        got = finish(loop, task)
    count = 3 if nbytes == (3,) else 5
    assert got == (count, far.getsockname())
    assert bytes(buffer) == b"hello"[:count].ljust(8, b"\0")


@pytest.mark.parametrize("method", ["sock_recvfrom", "sock_recvfrom_into"])
@pytest.mark.parametrize("family", ["v6", "unix path", "unix name", "unnamed", "stream"])
def test_addresses_are_those_of_the_socket_module(loop, sockets, tmp_path, family, method):
    if family == "v6":
        near, far = (sockets(socket.AF_INET6, socket.SOCK_DGRAM) for _ in range(2))
        near.bind(("::1", 0))
        far.bind(("::1", 0))
        target = near.getsockname()
    elif family.startswith("unix"):
        near, far = (sockets(socket.AF_UNIX, socket.SOCK_DGRAM) for _ in range(2))
        names = [str(tmp_path / "near"), str(tmp_path / "f\udcffr\u00e4")]
        if family == "unix name":
            names = [f"\0greenloop{os.getpid()}{one}".encode() for one in "ab"]
        near.bind(names[0])
        far.bind(names[1])
        target = near.getsockname()
    else:
        kind = socket.SOCK_STREAM if family == "stream" else socket.SOCK_DGRAM
        near, far = sockets(socket.AF_UNIX, kind, connected=True)
        target = None

    def send():
        far.sendto(b"hello", target) if target else far.send(b"hello")

    send()
    _, expected = near.recvfrom(100)
    argument = 100 if method == "sock_recvfrom" else bytearray(100)
    send()
    assert finish(loop, getattr(loop, method)(near, argument))[1] == expected
    task = waiting(loop, getattr(loop, method)(near, argument))
    send()
    assert finish(loop, task)[1] == expected
