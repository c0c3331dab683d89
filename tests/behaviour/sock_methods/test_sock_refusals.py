"""Arguments that the `sock_*` methods refuse, with the messages, and sockets of subclasses."""

import asyncio
import contextlib
import socket
import ssl

import pytest
from socket_waits import ARGUMENTS, EACH, fill, finish

import greenloop
from connections import run


def error_of(loop, method, *arguments, **keywords):
    try:
        coroutine = getattr(loop, method)(*arguments, **keywords)
    except TypeError as error:
        return "called", str(error)
    try:
        finish(loop, coroutine)
    except Exception as error:
        return "awaited", type(error), str(error)
    return None


def on_both(method, *arguments, **keywords):
    for factory in (asyncio.SelectorEventLoop, greenloop.new_event_loop):
        with contextlib.closing(factory()) as loop:
            yield error_of(loop, method, *arguments, **keywords)


@EACH
def test_arguments_are_asyncios(pair, method):
    near, _ = pair
    given = ARGUMENTS[method]
    for arguments, keywords in [
        ((), {}),
        ((near,), {}) if given else ((near, 1), {}),
        ((near, *given, 1, 2), {}),
        ((near, *given), {"sock": near}),
        ((near, *given), {"other": near}),
    ]:
        expected, got = on_both(method, *arguments, **keywords)
        assert got == expected
        assert got[0] == "called"


WRONG = {
    "sock_recv": [("x",), (None,), (-1,), (1.5,), (1 << 100,), ((1, 2),)],
    "sock_recv_into": [("x",), (None,), (b"x",), (memoryview(b"x"),), ((1, 2),)],
    "sock_recvfrom": [("x",), (-1,), (None,), ((1, 2),)],
    "sock_recvfrom_into": [
        ("x",),
        (b"x",),
        (bytearray(2), 5),
        (bytearray(2), -1),
        (bytearray(2), "x"),
        (1, 0),
    ],
    "sock_sendall": [("x",), (None,), (1,), ((1, 2),)],
    "sock_sendto": [
        ("x", ("127.0.0.1", 9)),
        (b"x", "y"),
        (b"x", ("127.0.0.1", -1)),
        (b"x", ("127.0.0.1", 1 << 16)),
        (b"x", None),
    ],
}


@pytest.mark.parametrize(
    ("method", "arguments"),
    [(method, arguments) for method, rows in WRONG.items() for arguments in rows],
    ids=repr,
)
def test_wrong_arguments_raise_what_the_socket_raises(sockets, pair, method, arguments):
    near, far = pair
    if "from" in method or method == "sock_sendto":
        near = sockets(socket.AF_INET, socket.SOCK_DGRAM, bound=True)
    else:
        far.send(b"some data")
    expected, got = on_both(method, near, *arguments)
    assert got == expected
    assert got is not None


@EACH
@pytest.mark.parametrize("wrong", [None, 1, "socket"])
def test_what_is_no_socket_is_refused(wrong, method):
    expected, got = on_both(method, wrong, *ARGUMENTS[method])
    assert got == expected
    assert got[1] is AttributeError


@EACH
def test_a_tls_socket_is_refused(loop, pair, method):
    near, _ = pair
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    with context.wrap_socket(near, do_handshake_on_connect=False) as wrapped:
        with pytest.raises(TypeError, match="Socket cannot be of type SSLSocket"):
            finish(loop, getattr(loop, method)(wrapped, *ARGUMENTS[method]))


@EACH
@pytest.mark.parametrize("timeout", [None, 5])
def test_a_blocking_socket_is_refused_in_debug_mode(loop, pair, method, timeout):
    near, _ = pair
    loop.set_debug(True)
    near.settimeout(timeout)
    with pytest.raises(ValueError, match="the socket must be non-blocking"):
        finish(loop, getattr(loop, method)(near, *ARGUMENTS[method]))


def test_a_socket_with_a_timeout_times_out(loop, pair):
    near, _ = pair
    near.settimeout(0.01)
    with pytest.raises(TimeoutError):
        finish(loop, loop.sock_recv(near, 10))


@EACH
def test_a_closed_socket_is_an_error(loop, sockets, method):
    near = sockets()
    near.close()
    with pytest.raises(OSError) as caught:
        finish(loop, getattr(loop, method)(near, *ARGUMENTS[method]))
    assert caught.value.errno == 9


@EACH
def test_a_descriptor_of_a_transport_is_not_waited_for(loop, pair, method):
    near, far = pair
    if method in ("sock_connect", "sock_sendto"):
        pytest.skip("a connected socket never waits there")
    transport, _ = loop.run_until_complete(loop.create_connection(asyncio.Protocol, sock=near))
    transport.pause_reading()
    fill(near)
    duplicate = socket.socket(fileno=near.fileno())
    try:
        if method == "sock_accept":
            with pytest.raises(OSError):
                finish(loop, loop.sock_accept(duplicate))
        else:
            with pytest.raises(RuntimeError, match="is used by transport"):
                finish(loop, getattr(loop, method)(duplicate, *ARGUMENTS[method]))
    finally:
        duplicate.detach()
    transport.abort()
    run(loop)


@EACH
def test_a_subclass_is_asked_by_its_methods(loop, sockets, method):
    calls = []

    class Own(socket.socket):
        def __getattribute__(self, name):
            calls.append(name)
            return super().__getattribute__(name)

    near, far = sockets(connected=True)
    with Own(fileno=near.detach()) as own:
        own.setblocking(False)
        far.send(b"data")
        error_of(loop, method, own, *ARGUMENTS[method])
    used = {"sock_sendall": "send"}.get(method, method.removeprefix("sock_"))
    assert used in calls


def test_a_subclass_can_answer_for_itself(loop, pair):
    class Own(socket.socket):
        def recv(self, n):
            return b"own"

    near, _ = pair
    with Own(fileno=near.detach()) as own:
        own.setblocking(False)
        assert finish(loop, loop.sock_recv(own, 10)) == b"own"
