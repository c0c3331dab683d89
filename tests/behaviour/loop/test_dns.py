"""getaddrinfo and getnameinfo: the system's resolver, asked in the default executor if need be."""

import asyncio
import contextlib
import itertools
import socket

import pytest

import greenloop


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


NUMERIC = [
    "127.0.0.1", b"127.0.0.1", "0.0.0.0", "255.255.255.255", "192.0.2.1", "::1", b"::",
    "::ffff:1.2.3.4", "2001:db8::1", "fe80::1",
]  # fmt: skip
HOSTS = [
    *NUMERIC, "127.1", "127.0.0.01", "0x7f000001", "2130706433", "1.2.3.4 ", "[::1]",
    "::1%lo", "127.0.0.1%lo", "1.2.3.256", ":::", "",
]  # fmt: skip
PORTS = [0, 80, "80", b"443", None, 65535, 65536, -1, "", "00080"]
FAMILIES = [socket.AF_UNSPEC, socket.AF_INET, socket.AF_INET6, socket.AF_UNIX]
KINDS = [(0, 0), (socket.SOCK_STREAM, 0), (socket.SOCK_DGRAM, socket.IPPROTO_UDP),
         (socket.SOCK_STREAM, socket.IPPROTO_UDP), (socket.SOCK_RAW, 0), (99, 0),
         (0, 99)]  # fmt: skip
FLAGS = [0, socket.AI_PASSIVE, socket.AI_NUMERICHOST, socket.AI_NUMERICSERV,
         socket.AI_ADDRCONFIG, socket.AI_V4MAPPED | socket.AI_ALL,
         socket.AI_CANONNAME | socket.AI_NUMERICHOST]  # fmt: skip


def outcome_of(function, *arguments):
    try:
        return function(*arguments)
    except Exception as error:
        return type(error), error.args


@pytest.mark.slow
def test_answers_are_those_of_the_socket_module_with_a_thread_and_without():
    """Over many questions. What is no number is asked with `AI_NUMERICHOST`, so that nobody is."""
    with contextlib.closing(greenloop.new_event_loop()) as loop:

        def by_loop(host, port, family, kind, protocol, flags):
            question = loop.getaddrinfo(
                host, port, family=family, type=kind, proto=protocol, flags=flags
            )
            return loop.run_until_complete(question)

        all_flags = itertools.cycle(FLAGS)
        for host, port, family, kind in itertools.product(HOSTS, PORTS, FAMILIES, KINDS):
            flags = next(all_flags)
            if host not in NUMERIC:
                flags |= socket.AI_NUMERICHOST
            question = (host, port, family, *kind, flags)
            expected = outcome_of(socket.getaddrinfo, *question)
            assert outcome_of(by_loop, *question) == expected, question
        loop.run_until_complete(loop.shutdown_default_executor())


@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.parametrize("host", ["127.0.0.1", b"127.0.0.1", "::1"])
@pytest.mark.parametrize("port", [80, "80", b"80", None])
def test_a_numeric_address_needs_no_thread_and_no_turn(host, port, debug):
    with contextlib.closing(greenloop.new_event_loop()) as loop:
        loop.set_debug(debug)
        with pytest.raises(StopIteration) as caught:
            loop.getaddrinfo(host, port, type=socket.SOCK_STREAM).send(None)
        assert caught.value.value == socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        assert loop._default_executor is None


def test_a_replaced_run_in_executor_sees_each_lookup(loop):
    asked = []

    def run_in_executor(executor, function, *arguments):
        asked.append((executor, function, arguments))
        future = loop.create_future()
        future.set_result(["answer"])
        return future

    loop.run_in_executor = run_in_executor
    assert loop.run_until_complete(loop.getaddrinfo("127.0.0.1", 80)) == ["answer"]
    assert asked == [(None, socket.getaddrinfo, ("127.0.0.1", 80, 0, 0, 0, 0))]


def test_a_closed_loop_answers_nobody(loop):
    loop.close()
    with pytest.raises(RuntimeError, match="Event loop is closed"):
        loop.getaddrinfo("127.0.0.1", 80).send(None)
