"""`sock_connect` and `sock_accept`."""

import asyncio
import contextlib
import socket

import pytest
from socket_waits import finish

import greenloop


def test_a_connection_is_made_and_accepted(loop, sockets, listener):
    client = sockets()

    async def main():
        task = loop.create_task(loop.sock_accept(listener))
        await asyncio.sleep(0)
        assert await loop.sock_connect(client, listener.getsockname()) is None
        return await task

    connection, address = finish(loop, main())
    with connection:
        assert address == client.getsockname()
        assert connection.gettimeout() == 0
        assert type(connection) is socket.socket
        client.send(b"hello")
        assert finish(loop, loop.sock_recv(connection, 10)) == b"hello"


def test_a_waiting_connection_is_accepted_without_a_turn(loop, sockets, listener):
    client = sockets()
    with contextlib.suppress(BlockingIOError):
        client.connect(listener.getsockname())
    order = []

    async def main():
        loop.call_soon(order.append, "a turn")
        order.append(await loop.sock_accept(listener))

    finish(loop, main())
    order[0][0].close()
    assert order[0][1] == client.getsockname()


@pytest.mark.parametrize("host", ["localhost", b"127.0.0.1", "127.1"])
def test_a_name_is_resolved_to_connect_to_it(loop, sockets, listener, host):
    client = sockets()
    asked = []

    async def getaddrinfo(*arguments, **keywords):
        asked.append((arguments, keywords))
        return [(0, 0, 0, "", listener.getsockname())]

    loop.getaddrinfo = getaddrinfo
    address = (host, listener.getsockname()[1])
    finish(loop, loop.sock_connect(client, address))
    assert client.getpeername() == listener.getsockname()
    keywords = {"family": client.family, "type": client.type, "proto": client.proto, "flags": 0}
    assert asked == ([] if host == b"127.0.0.1" else [(address, keywords)])
    loop.run_until_complete(loop.shutdown_default_executor())


def test_a_connection_that_is_refused_names_the_address(loop, sockets):
    unused = sockets(bound=True)
    address = unused.getsockname()
    with pytest.raises(ConnectionRefusedError) as caught:
        finish(loop, loop.sock_connect(sockets(), address))
    assert caught.value.args[1] == f"Connect call failed {address}"


@pytest.mark.parametrize(
    "address",
    [
        "a string",
        1,
        (),
        ("127.0.0.1",),
        ("127.0.0.1", "x" * 3),
        ("127.0.0.1", 1 << 20),
        ("127.0.0.1", -1),
        ("127.0.0.1", 1.5),
    ],
)
def test_a_wrong_address_raises_as_asyncio_has_it(sockets, address):
    outcomes = []
    for factory in (asyncio.SelectorEventLoop, greenloop.new_event_loop):
        with contextlib.closing(factory()) as loop:
            try:
                finish(loop, loop.sock_connect(sockets(), address))
            except Exception as error:
                outcomes.append((type(error), str(error)))
            loop.run_until_complete(loop.shutdown_default_executor())
    assert len(outcomes) == 2
    assert outcomes[0] == outcomes[1]


def test_a_connection_to_a_unix_socket_is_made(loop, sockets, tmp_path):
    listener = sockets(socket.AF_UNIX)
    listener.bind(str(tmp_path / "socket"))
    listener.listen()
    client = sockets(socket.AF_UNIX)
    finish(loop, loop.sock_connect(client, str(tmp_path / "socket")))
    connection, _ = finish(loop, loop.sock_accept(listener))
    connection.close()
    with pytest.raises(FileNotFoundError):
        finish(loop, loop.sock_connect(sockets(socket.AF_UNIX), str(tmp_path / "none")))
