"""getaddrinfo and getnameinfo: the system's resolver, asked in the default executor."""

import asyncio
import socket

import pytest


@pytest.fixture
def loop(loop):
    yield loop
    if not loop.is_closed():
        loop.run_until_complete(loop.shutdown_default_executor())


@pytest.mark.parametrize(
    "arguments",
    [
        ("127.0.0.1", 80),
        ("127.0.0.1", "80"),
        (b"127.0.0.1", None),
        ("::1", 80),
        (None, 80),
    ],
)
def test_an_address_is_looked_up_as_by_the_socket_module(loop, arguments):
    found = loop.run_until_complete(loop.getaddrinfo(*arguments, type=socket.SOCK_STREAM))
    assert found == socket.getaddrinfo(*arguments, type=socket.SOCK_STREAM)


def test_the_options_are_passed_on(loop):
    options = {
        "family": socket.AF_INET,
        "type": socket.SOCK_DGRAM,
        "proto": socket.IPPROTO_UDP,
        "flags": socket.AI_NUMERICHOST | socket.AI_PASSIVE,
    }
    found = loop.run_until_complete(loop.getaddrinfo("127.0.0.1", 53, **options))
    assert found == socket.getaddrinfo("127.0.0.1", 53, **options)


def test_the_options_are_keywords_only(loop):
    with pytest.raises(TypeError):
        loop.run_until_complete(loop.getaddrinfo("127.0.0.1", 53, socket.AF_INET))


def test_a_name_that_cannot_be_resolved_raises_what_the_socket_module_raises(loop):
    with pytest.raises(socket.gaierror) as expected:
        socket.getaddrinfo("not numeric", 80, flags=socket.AI_NUMERICHOST)
    with pytest.raises(socket.gaierror) as caught:
        loop.run_until_complete(loop.getaddrinfo("not numeric", 80, flags=socket.AI_NUMERICHOST))
    assert caught.value.args == expected.value.args


def test_a_name_is_looked_up_as_by_the_socket_module(loop):
    flags = socket.NI_NUMERICHOST | socket.NI_NUMERICSERV
    found = loop.run_until_complete(loop.getnameinfo(("127.0.0.1", 80), flags))
    assert found == socket.getnameinfo(("127.0.0.1", 80), flags) == ("127.0.0.1", "80")


@pytest.mark.parametrize("wrong", ["127.0.0.1", ("127.0.0.1",), None])
def test_a_wrong_address_raises_what_the_socket_module_raises(loop, wrong):
    with pytest.raises(Exception) as expected:
        socket.getnameinfo(wrong, 0)
    with pytest.raises(type(expected.value)):
        loop.run_until_complete(loop.getnameinfo(wrong, 0))


def test_lookups_go_on_side_by_side(loop):
    async def main():
        return await asyncio.gather(*[loop.getaddrinfo("127.0.0.1", port) for port in range(50)])

    found = loop.run_until_complete(main())
    assert [one[0][4][1] for one in found] == list(range(50))
