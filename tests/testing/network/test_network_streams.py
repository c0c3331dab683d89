"""Streams: programs that see the same on the system's network and on those in memory."""

import asyncio
import random
import socket
import ssl

import pytest

from tls_contexts import CLIENT, SERVER

HOST = "127.0.0.1"


def port_of(server):
    return server.sockets[0].getsockname()[1]


async def echo(reader, writer):
    while data := await reader.read(1000):
        writer.write(data)
        await writer.drain()
    writer.close()
    await writer.wait_closed()


def test_an_echo(anywhere):
    async def main():
        async with await asyncio.start_server(echo, HOST, 0) as server:
            reader, writer = await asyncio.open_connection(HOST, port_of(server))
            writer.write(b"one\n")
            first = await reader.readline()
            writer.writelines([b"t", bytearray(b"w"), memoryview(b"o\n")])
            second = await reader.readline()
            writer.write_eof()
            rest = await reader.read()
            writer.close()
            await writer.wait_closed()
            return first, second, rest

    assert anywhere(main) == (b"one\n", b"two\n", b"")


def test_a_half_closed_connection_still_brings_an_answer(anywhere):
    async def sum_up(reader, writer):
        data = await reader.read()
        writer.write(str(sum(map(int, data.split()))).encode())
        writer.write_eof()
        writer.close()

    async def main():
        async with await asyncio.start_server(sum_up, HOST, 0) as server:
            reader, writer = await asyncio.open_connection(HOST, port_of(server))
            writer.write(b"1 2 ")
            writer.write(b"3")
            assert writer.can_write_eof()
            writer.write_eof()
            with pytest.raises(RuntimeError, match="Cannot call write"):
                writer.write(b"4")
            answer = await reader.read()
            writer.close()
            await writer.wait_closed()
            return answer

    assert anywhere(main) == b"6"


@pytest.mark.slow
@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_a_large_transfer_arrives_whole_and_holds_up_its_sender(anywhere, tls):
    size = 10_000_000 if not tls else 1_000_000
    data = random.Random(1).randbytes(size)

    async def send(reader, writer):
        writer.transport.set_write_buffer_limits(high=10_000)
        writer.write(data)
        assert tls or writer.transport.get_write_buffer_size() > 10_000
        drain = asyncio.ensure_future(writer.drain())
        await asyncio.sleep(0.05)
        assert tls or not drain.done()
        held_up.set_result(None)
        await drain
        assert writer.transport.get_write_buffer_size() <= 10_000
        writer.close()

    async def main():
        nonlocal held_up
        held_up = asyncio.get_running_loop().create_future()
        server = await asyncio.start_server(send, HOST, 0, ssl=SERVER if tls else None)
        async with server:
            context = {"ssl": CLIENT, "server_hostname": "localhost"} if tls else {}
            reader, writer = await asyncio.open_connection(HOST, port_of(server), **context)
            await held_up
            received = await reader.read()
            writer.close()
            return received == data

    held_up = None
    assert anywhere(main)


def test_many_connections_at_once(anywhere):
    async def main():
        async def ask(number):
            reader, writer = await asyncio.open_connection(HOST, port_of(server))
            writer.write(b"%d\n" % number)
            answer = await reader.readline()
            writer.close()
            await writer.wait_closed()
            return int(answer)

        async with await asyncio.start_server(echo, HOST, 0) as server:
            return await asyncio.gather(*map(ask, range(50)))

    assert anywhere(main) == [*range(50)]


def test_an_echo_over_tls(anywhere):
    async def main():
        async with await asyncio.start_server(echo, HOST, 0, ssl=SERVER) as server:
            reader, writer = await asyncio.open_connection(
                HOST, port_of(server), ssl=CLIENT, server_hostname="localhost"
            )
            name = writer.get_extra_info("peercert")["subject"]
            writer.write(b"secret\n")
            answer = await reader.readline()
            writer.close()
            await writer.wait_closed()
            return answer, name, writer.get_extra_info("cipher") is not None

    assert anywhere(main) == (b"secret\n", ((("commonName", "localhost"),),), True)


def test_a_wrong_name_in_a_certificate_is_refused(anywhere):
    async def main():
        async with await asyncio.start_server(echo, HOST, 0, ssl=SERVER) as server:
            asyncio.get_running_loop().set_exception_handler(lambda *_: None)
            with pytest.raises(ssl.SSLCertVerificationError):
                await asyncio.open_connection(
                    HOST, port_of(server), ssl=CLIENT, server_hostname="example.org"
                )

    anywhere(main)


def test_a_connection_becomes_one_over_tls(anywhere):
    async def serve(reader, writer):
        writer.write((await reader.readline()).upper())
        await writer.start_tls(SERVER)
        writer.write((await reader.readline()).upper())
        await writer.drain()
        writer.close()

    async def main():
        async with await asyncio.start_server(serve, HOST, 0) as server:
            reader, writer = await asyncio.open_connection(HOST, port_of(server))
            writer.write(b"plain\n")
            answers = [await reader.readline()]
            await writer.start_tls(CLIENT, server_hostname="localhost")
            assert writer.get_extra_info("sslcontext") is CLIENT
            writer.write(b"secret\n")
            answers.append(await reader.readline())
            writer.close()
            return answers

    assert anywhere(main) == [b"PLAIN\n", b"SECRET\n"]


def test_unix_sockets(anywhere, tmp_path):
    path = str(tmp_path / "socket")

    async def main():
        with pytest.raises(FileNotFoundError):
            await asyncio.open_unix_connection(path)
        async with await asyncio.start_unix_server(echo, path) as server:
            reader, writer = await asyncio.open_unix_connection(path)
            names = [writer.get_extra_info(name) for name in ("peername", "sockname")]
            listening = server.sockets[0]
            writer.write(b"here\n")
            answer = await reader.readline()
            writer.close()
            await writer.wait_closed()
        # Another server takes the path over, whether or not the first one has removed it.
        async with await asyncio.start_unix_server(echo, path):
            reader, writer = await asyncio.open_unix_connection(path)
            writer.write_eof()
            await reader.read()
            writer.close()
        return answer, names, listening.family, listening.type

    assert anywhere(main) == (b"here\n", [path, ""], socket.AF_UNIX, socket.SOCK_STREAM)


def test_of_two_unix_sockets_each_knows_that_the_other_is_gone(anywhere, tmp_path):
    path = str(tmp_path / "socket")

    async def main():
        async def leave(reader, writer):
            writer.close()
            await writer.wait_closed()
            gone.set()

        gone = asyncio.Event()
        async with await asyncio.start_unix_server(leave, path):
            reader, writer = await asyncio.open_unix_connection(path)
            await gone.wait()
            writer.write(b"x")
            with pytest.raises(BrokenPipeError):
                await writer.wait_closed()
            return writer.is_closing()

    assert anywhere(main)


def test_a_path_is_left_to_the_server_that_has_it(anywhere, tmp_path):
    path = str(tmp_path / "socket")

    async def main():
        first = await asyncio.start_unix_server(echo, path)
        # As after a crash: the path is taken over, and the first server must not remove it.
        second = await asyncio.start_unix_server(echo, path)
        first.close()
        await first.wait_closed()
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(b"second\n")
        answer = await reader.readline()
        writer.close()
        second.close()
        await second.wait_closed()
        return answer

    assert anywhere(main) == b"second\n"


def test_names_of_the_ends(anywhere):
    async def main():
        seen = asyncio.get_running_loop().create_future()

        async def note(reader, writer):
            seen.set_result([writer.get_extra_info(name) for name in ("peername", "sockname")])
            writer.close()

        async with await asyncio.start_server(note, HOST, 0) as server:
            reader, writer = await asyncio.open_connection("localhost", port_of(server))
            theirs = await seen
            ours = [writer.get_extra_info(name) for name in ("sockname", "peername")]
            sock = writer.get_extra_info("socket")
            assert sock.getsockname() == ours[0]
            assert sock.getpeername() == ours[1]
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0
            assert sock.fileno() >= 0
            writer.close()
            await writer.wait_closed()
            assert ours[1] == (HOST, port_of(server))
            return theirs == ours, sock.family, sock.type, sock.proto

    assert anywhere(main) == (
        True,
        socket.AF_INET,
        socket.SOCK_STREAM,
        socket.IPPROTO_TCP,
    )


@pytest.mark.parametrize("address", [{}, {"host": "::1"}, {"family": socket.AF_INET6}])
def test_ipv6(anywhere, address):
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("the system has no IPv6")

    async def main():
        async with await asyncio.start_server(echo, "::1", 0) as server:
            where = {"host": "::1"} | address
            reader, writer = await asyncio.open_connection(port=port_of(server), **where)
            peer = writer.get_extra_info("peername")
            writer.write(b"six\n")
            answer = await reader.readline()
            writer.close()
            return answer, peer[0], len(peer)

    assert anywhere(main) == (b"six\n", "::1", 4)


def test_a_connection_that_is_lost_ends_its_reader(anywhere):
    async def abort(reader, writer):
        # The bytes that came are not read: that makes a reset of it.
        while not reader._buffer:
            await asyncio.sleep(0.001)
        writer.transport.abort()

    async def drop(reader, writer):
        writer.transport.pause_reading()
        await asyncio.sleep(0.2)
        writer.transport.abort()

    async def main():
        outcomes = []
        for serve in (abort, drop):
            async with await asyncio.start_server(serve, HOST, 0) as server:
                reader, writer = await asyncio.open_connection(HOST, port_of(server))
                writer.write(b"x")
                try:
                    outcomes.append(await reader.read())
                except ConnectionResetError as error:
                    outcomes.append(error.errno)
                writer.close()
        return outcomes

    assert anywhere(main) == [b"", 104]


def test_a_file_is_sent(anywhere, tmp_path):
    content = random.Random(2).randbytes(100_000)
    (tmp_path / "file").write_bytes(content)

    async def serve(reader, writer):
        with open(tmp_path / "file", "rb") as file:
            await asyncio.get_running_loop().sendfile(writer.transport, file)
        writer.close()

    async def main():
        async with await asyncio.start_server(serve, HOST, 0) as server:
            reader, writer = await asyncio.open_connection(HOST, port_of(server))
            received = await reader.read()
            writer.close()
            return received == content

    assert anywhere(main)
