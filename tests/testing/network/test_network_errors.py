"""Calls that fail: with the same exceptions and words on the system's network and in memory."""

import asyncio
import errno
import re
import socket
import sys

import pytest

from tls_contexts import SERVER

HOST = "127.0.0.1"

# asyncio tells of all errors from 3.12 on.
GROUPED = {"all_errors": True} if sys.version_info >= (3, 12) else {}


def outcome(error):
    text = re.sub(r"[1-9]\d{4}", "PORT", str(error))
    return type(error).__name__, getattr(error, "errno", None), text


def test_a_port_where_nobody_listens(anywhere):
    async def main():
        server = await asyncio.start_server(print, HOST, 0)
        port = server.sockets[0].getsockname()[1]
        server.close()
        await server.wait_closed()
        errors = []
        for keywords in ({}, GROUPED, {"happy_eyeballs_delay": 0.1}):
            loop = asyncio.get_running_loop()
            try:
                await loop.create_connection(asyncio.Protocol, HOST, port, **keywords)
            except (OSError, ExceptionGroup) as error:
                errors.append(error)
        plain, group, eyeballs = errors
        alone = group.exceptions[0] if GROUPED else group
        assert outcome(plain) == outcome(alone) == outcome(eyeballs)
        assert str(group).startswith("create_connection failed (1 ") is bool(GROUPED)
        return outcome(plain)

    refused = "[Errno 111] Connect call failed ('127.0.0.1', PORT)"
    assert anywhere(main) == ("ConnectionRefusedError", errno.ECONNREFUSED, refused)


def test_a_port_that_is_in_use(anywhere):
    async def main():
        async with await asyncio.start_server(print, HOST, 0) as server:
            port = server.sockets[0].getsockname()[1]
            with pytest.raises(OSError) as caught:
                await asyncio.start_server(print, HOST, port)
            with pytest.raises(OSError) as of_all:
                await asyncio.start_server(print, "0.0.0.0", port)
            return outcome(caught.value), of_all.value.errno

    text = (
        "[Errno 98] error while attempting to bind on address ('127.0.0.1', PORT): "
        "[errno 98] address already in use"
    )
    accepted = (("OSError", errno.EADDRINUSE, text), errno.EADDRINUSE)
    older = (("OSError", errno.EADDRINUSE, text.replace("[errno 98] ", "")), errno.EADDRINUSE)
    assert anywhere(main) in (accepted, older)


def test_a_port_is_free_again_when_its_server_is_closed(anywhere):
    async def main():
        first = await asyncio.start_server(print, HOST, 0)
        port = first.sockets[0].getsockname()[1]
        first.close()
        await first.wait_closed()
        async with await asyncio.start_server(print, HOST, port) as second:
            return second.sockets[0].getsockname() == (HOST, port)

    assert anywhere(main)


def test_two_servers_share_a_port_if_both_want_it(anywhere):
    async def main():
        async with await asyncio.start_server(print, HOST, 0, reuse_port=True) as server:
            port = server.sockets[0].getsockname()[1]
            async with await asyncio.start_server(print, HOST, port, reuse_port=True):
                return True

    assert anywhere(main)


def test_an_address_of_another_machine(anywhere):
    async def main():
        with pytest.raises(OSError) as caught:
            await asyncio.start_server(print, "192.0.2.1", 0)
        return type(caught.value), caught.value.errno

    kind, number = anywhere(main)
    assert (kind, number) in ((OSError, None), (OSError, errno.EADDRNOTAVAIL))


def test_a_local_address(anywhere):
    async def main():
        async def answer(reader, writer):
            writer.write(repr(writer.get_extra_info("peername")[0]).encode())
            writer.close()

        async with await asyncio.start_server(answer, HOST, 0) as server:
            port = server.sockets[0].getsockname()[1]
            reader, writer = await asyncio.open_connection(HOST, port, local_addr=("127.0.0.1", 0))
            seen = await reader.read()
            writer.close()
            with pytest.raises(OSError) as caught:
                await asyncio.open_connection(HOST, port, local_addr=("192.0.2.1", 0))
            return seen, outcome(caught.value)

    seen, (kind, number, text) = anywhere(main)
    assert seen == b"'127.0.0.1'"
    assert (kind, number) == ("OSError", errno.EADDRNOTAVAIL)
    assert "cannot assign requested address" in text


def test_a_path_that_nobody_listens_on(anywhere, tmp_path):
    path = str(tmp_path / "socket")

    async def main():
        loop = asyncio.get_running_loop()
        errors = []
        server = await loop.create_unix_server(asyncio.Protocol, path, start_serving=False)
        for where in (path, path + "2", "\0nothing there"):
            with pytest.raises(OSError) as caught:
                await loop.create_unix_connection(asyncio.Protocol, where)
            errors.append(outcome(caught.value))
        server.close()
        return errors

    refused = ("ConnectionRefusedError", 111, "[Errno 111] Connection refused")
    missing = ("FileNotFoundError", 2, "[Errno 2] No such file or directory")
    assert anywhere(main) == [refused, missing, refused]


async def connect(loop, *arguments, **keywords):
    await loop.create_connection(asyncio.Protocol, *arguments, **keywords)


async def serve(loop, *arguments, **keywords):
    await loop.create_server(asyncio.Protocol, *arguments, **keywords)


async def connect_by_path(loop, *arguments, **keywords):
    await loop.create_unix_connection(asyncio.Protocol, *arguments, **keywords)


async def serve_path(loop, *arguments, **keywords):
    await loop.create_unix_server(asyncio.Protocol, *arguments, **keywords)


async def datagrams(loop, *arguments, **keywords):
    await loop.create_datagram_endpoint(asyncio.DatagramProtocol, *arguments, **keywords)


WRONG = [
    (connect, (), {}, ValueError, "host and port was not specified and no sock specified"),
    (connect, (HOST, 1), {"server_hostname": "x"}, ValueError, "only meaningful with ssl"),
    (connect, (HOST, 1), {"ssl_handshake_timeout": 1}, ValueError, "only meaningful with ssl"),
    (connect, ("", 1), {"ssl": True}, ValueError, "You must set server_hostname"),
    (connect, (HOST, 70000), {}, OverflowError, "port must be 0-65535"),
    (connect, (HOST, "no service"), {}, socket.gaierror, "Servname not supported|Name or"),
    (connect, ("no-such-host.invalid", 1), {}, socket.gaierror, "."),
    (serve, (), {}, ValueError, "Neither host/port nor sock were specified"),
    (serve, (HOST, 0), {"ssl": True}, TypeError, "ssl argument must be an SSLContext or None"),
    (serve, (HOST, 0), {"ssl_handshake_timeout": 1}, ValueError, "only meaningful with ssl"),
    (connect_by_path, (), {}, ValueError, "no path and sock were specified"),
    (connect_by_path, ("/x",), {"ssl": SERVER}, ValueError, "you have to pass server_hostname"),
    (serve_path, (), {}, ValueError, "path was not specified, and no sock specified"),
    (datagrams, (), {}, ValueError, "unexpected address family"),
    (datagrams, (HOST,), {}, TypeError, "2-tuple is expected"),
    (datagrams, ((HOST, 0),), {"family": socket.AF_UNIX}, TypeError, "string is expected"),
]


@pytest.mark.parametrize(("call", "arguments", "keywords", "kind", "text"), WRONG)
def test_wrong_arguments(anywhere, call, arguments, keywords, kind, text):
    async def main():
        with pytest.raises(kind, match=text):
            await call(asyncio.get_running_loop(), *arguments, **keywords)

    anywhere(main)
