"""Servers: starting, closing and waiting, the same on the system's network and in memory."""

import asyncio
import sys

import pytest

from connections import Recorder

HOST = "127.0.0.1"


def port_of(server):
    return server.sockets[0].getsockname()[1]


def test_a_server_that_begins_later(anywhere):
    async def main():
        loop = asyncio.get_running_loop()
        server = await loop.create_server(asyncio.Protocol, HOST, 0, start_serving=False)
        assert server.get_loop() is loop
        port = port_of(server)
        states = [server.is_serving()]
        with pytest.raises(ConnectionRefusedError):
            await loop.create_connection(asyncio.Protocol, HOST, port)
        await server.start_serving()
        await server.start_serving()
        states.append(server.is_serving())
        transport, _ = await loop.create_connection(asyncio.Protocol, HOST, port)
        transport.close()
        await asyncio.sleep(0.2)
        server.close()
        server.close()
        states.append(server.is_serving())
        assert server.sockets == ()
        with pytest.raises(ConnectionRefusedError):
            await loop.create_connection(asyncio.Protocol, HOST, port)
        await server.wait_closed()
        return states

    assert anywhere(main) == [False, True, False]


def test_serving_until_it_is_cancelled(anywhere):
    async def main():
        server = await asyncio.start_server(lambda *_: None, HOST, 0)
        serving = asyncio.create_task(server.serve_forever())
        await asyncio.sleep(0)
        with pytest.raises(RuntimeError, match="already being awaited"):
            await server.serve_forever()
        serving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await serving
        with pytest.raises(RuntimeError, match="is closed"):
            await server.serve_forever()
        return server.is_serving()

    assert anywhere(main) is False


@pytest.mark.skipif(sys.version_info < (3, 13), reason="asyncio has it from 3.13 on")
@pytest.mark.parametrize("how", ["close_clients", "abort_clients"])
def test_clients_are_ended_and_waited_for(anywhere, how):
    async def main():
        loop = asyncio.get_running_loop()
        far, near = Recorder(), Recorder()
        server = await loop.create_server(lambda: far, HOST, 0)
        await loop.create_connection(lambda: near, HOST, port_of(server))
        while far.transport is None:
            await asyncio.sleep(0.01)
        server.close()
        closing = asyncio.create_task(server.wait_closed())
        await asyncio.sleep(0.05)
        assert not closing.done()
        getattr(server, how)()
        await closing
        while "lost" not in near.names:
            await asyncio.sleep(0.01)
        return far.calls, near.calls

    assert anywhere(main) == (
        [("made",), ("lost", None)],
        [("made",), ("eof",), ("lost", None)],
    )


def test_a_server_on_several_addresses(anywhere):
    async def main():
        server = await asyncio.start_server(lambda *_: None, [HOST, "127.0.0.2", HOST], 0)
        names = sorted(sock.getsockname()[0] for sock in server.sockets)
        server.close()
        await server.wait_closed()
        return names

    assert anywhere(main) == ["127.0.0.1", "127.0.0.2"]


@pytest.mark.parametrize("host", ["0.0.0.0", "", None])
def test_a_server_on_all_addresses(anywhere, host):
    async def main():
        async def greet(reader, writer):
            writer.write(writer.get_extra_info("sockname")[0].encode())
            writer.close()

        async with await asyncio.start_server(greet, host, 0, family=2) as server:
            assert [sock.getsockname()[0] for sock in server.sockets] == ["0.0.0.0"]
            answers = []
            for address in ("127.0.0.1", "127.0.0.3", "localhost", "0.0.0.0"):
                reader, writer = await asyncio.open_connection(address, port_of(server))
                answers.append(await reader.read())
                writer.close()
                await writer.wait_closed()
            return answers

    assert anywhere(main) == [b"127.0.0.1", b"127.0.0.3", b"127.0.0.1", b"127.0.0.1"]


def test_connections_that_nobody_has_accepted_are_reset_when_the_server_closes(anywhere):
    async def main():
        loop = asyncio.get_running_loop()
        near = Recorder(eof=lambda recorder: True)
        server = await loop.create_server(asyncio.Protocol, HOST, 0, start_serving=False)
        # Listens, but does not accept.
        server.sockets[0]._sock.listen(10)
        await loop.create_connection(lambda: near, HOST, port_of(server))
        await asyncio.sleep(0.2)
        server.close()
        await server.wait_closed()
        async with asyncio.timeout(10):
            while "lost" not in near.names:
                await asyncio.sleep(0.01)
        (_, error) = near.calls[-1]
        return type(error)

    assert anywhere(main) is ConnectionResetError


def test_a_cancelled_attempt_leaves_nothing(anywhere):
    async def main():
        lost = Recorder()
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: lost, HOST, 0)
        port = port_of(server)
        attempt = asyncio.create_task(loop.create_connection(asyncio.Protocol, HOST, port))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        attempt.cancel()
        with pytest.raises(asyncio.CancelledError):
            await attempt
        await asyncio.sleep(0.2)
        server.close()
        async with asyncio.timeout(10):
            await server.wait_closed()
        return lost.names in ([], ["made", "eof", "lost"], ["made", "lost"])

    assert anywhere(main)
