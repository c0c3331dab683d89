"""Datagrams: the same on the system's network and in memory, where none are lost."""

import asyncio
import socket

import pytest

from recording import Recording

HOST = "127.0.0.1"


class Receiver(Recording, asyncio.DatagramProtocol):
    """A protocol that writes down its calls."""

    def datagram_received(self, data, address):
        self.note("data", data, address)

    def error_received(self, error):
        self.note("error", type(error).__name__, error.errno)


async def endpoint(protocol=None, **keywords):
    protocol = protocol or Receiver()
    loop = asyncio.get_running_loop()
    await loop.create_datagram_endpoint(lambda: protocol, **keywords)
    return protocol


async def until(condition):
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.001)


async def close(*protocols):
    for each in protocols:
        each.transport.close()
    await until(lambda: all("lost" in each.names for each in protocols))


def test_an_echo(anywhere_unspoilt):
    def answer(recorder, data, address):
        recorder.transport.sendto(data.upper(), address)

    async def main():
        server = await endpoint(Receiver(data=answer), local_addr=(HOST, 0))
        name = server.transport.get_extra_info("sockname")
        client = await endpoint(remote_addr=name)
        client.transport.sendto(b"one")
        client.transport.sendto(memoryview(b"two"), name)
        await until(lambda: client.names.count("data") == 2)
        ours = client.transport.get_extra_info("sockname")
        assert client.transport.get_extra_info("peername") == name
        assert server.transport.get_extra_info("peername") is None
        assert {call[2] for call in server.calls[1:]} == {ours}
        await close(server, client)
        assert client.calls[1:3] == [("data", b"ONE", name), ("data", b"TWO", name)]
        return client.names, client.calls[-1]

    names = ["made", "data", "data", "lost"]
    assert anywhere_unspoilt(main) == (names, ("lost", None))


def test_an_empty_datagram_arrives(anywhere_unspoilt):
    async def main():
        server = await endpoint(local_addr=(HOST, 0))
        client = await endpoint(remote_addr=server.transport.get_extra_info("sockname"))
        client.transport.sendto(b"")
        client.transport.sendto(b"x")
        await until(lambda: b"x" in [call[1] for call in server.calls[1:]])
        await close(server, client)
        return [call[1] for call in server.calls[1:-1]][-1]

    assert anywhere_unspoilt(main) == b"x"


def test_a_connected_endpoint_hears_that_nobody_listens(anywhere_unspoilt):
    async def main():
        gone = await endpoint(local_addr=(HOST, 0))
        name = gone.transport.get_extra_info("sockname")
        await close(gone)
        connected = await endpoint(remote_addr=name)
        other = await endpoint(local_addr=(HOST, 0))
        connected.transport.sendto(b"x")
        other.transport.sendto(b"x", name)
        await until(lambda: "error" in connected.names)
        await asyncio.sleep(0.02)
        await close(connected, other)
        return connected.calls, other.calls

    refused = ("error", "ConnectionRefusedError", 111)
    assert anywhere_unspoilt(main) == (
        [("made",), refused, ("lost", None)],
        [("made",), ("lost", None)],
    )


def test_a_connected_endpoint_takes_only_what_its_peer_sends(anywhere_unspoilt):
    async def main():
        peer = await endpoint(local_addr=(HOST, 0))
        stranger = await endpoint(local_addr=(HOST, 0))
        client = await endpoint(remote_addr=peer.transport.get_extra_info("sockname"))
        name = client.transport.get_extra_info("sockname")
        stranger.transport.sendto(b"strange", name)
        await asyncio.sleep(0.02)
        peer.transport.sendto(b"known", name)
        await until(lambda: "data" in client.names)
        with pytest.raises(ValueError, match="Invalid address: must be None or"):
            client.transport.sendto(b"x", stranger.transport.get_extra_info("sockname"))
        await close(peer, stranger, client)
        return [call[1] for call in client.calls if call[0] == "data"]

    assert anywhere_unspoilt(main) == [b"known"]


def test_a_datagram_that_is_too_long(anywhere_unspoilt):
    async def main():
        server = await endpoint(local_addr=(HOST, 0))
        name = server.transport.get_extra_info("sockname")
        client = await endpoint(remote_addr=name)
        client.transport.sendto(b"x" * 65508)
        client.transport.sendto(b"x" * 65507)
        await until(lambda: "data" in server.names)
        with pytest.raises(TypeError, match="data argument must be"):
            client.transport.sendto("text")
        await close(server, client)
        return client.calls, len(server.calls[1][1])

    calls = [("made",), ("error", "OSError", 90), ("lost", None)]
    assert anywhere_unspoilt(main) == (calls, 65507)


def test_a_port_is_used_once(anywhere_unspoilt):
    async def main():
        first = await endpoint(local_addr=(HOST, 0))
        name = first.transport.get_extra_info("sockname")
        with pytest.raises(OSError) as caught:
            await endpoint(local_addr=name)
        await close(first)
        second = await endpoint(local_addr=name)
        await close(second)
        return type(caught.value), str(caught.value)

    assert anywhere_unspoilt(main) == (OSError, "[Errno 98] Address already in use")


def test_an_endpoint_that_is_bound_to_nothing(anywhere_unspoilt):
    async def main():
        server = await endpoint(local_addr=("0.0.0.0", 0))
        client = await endpoint(family=socket.AF_INET)
        port = server.transport.get_extra_info("sockname")[1]
        client.transport.sendto(b"x", (HOST, port))
        await until(lambda: "data" in server.names)
        server.transport.sendto(b"y", server.calls[1][2])
        await until(lambda: "data" in client.names)
        await close(server, client)
        return server.calls[1][2][0], client.calls[1][1:]

    sender, answer = anywhere_unspoilt(main)
    assert sender == HOST
    assert answer[0] == b"y"
    assert answer[1][0] == HOST


def test_aborting_and_sending_after_it(anywhere_unspoilt):
    async def main():
        server = await endpoint(local_addr=(HOST, 0))
        client = await endpoint(remote_addr=server.transport.get_extra_info("sockname"))
        client.transport.abort()
        assert client.transport.is_closing()
        client.transport.sendto(b"x")
        await asyncio.sleep(0.02)
        await close(server, client)
        return client.names, server.names

    assert anywhere_unspoilt(main) == (["made", "lost"], ["made", "lost"])


def test_a_callback_that_raises(anywhere_unspoilt):
    def fail(*_):
        raise ValueError("of the protocol")

    async def main():
        reports = []
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: reports.append(context["exception"]))
        server = await endpoint(Receiver(data=fail), local_addr=(HOST, 0))
        client = await endpoint(remote_addr=server.transport.get_extra_info("sockname"))
        client.transport.sendto(b"1")
        client.transport.sendto(b"2")
        await until(lambda: len(reports) == 2)
        await close(server, client)
        return server.names, [type(each) for each in reports]

    names = ["made", "data", "data", "lost"]
    assert anywhere_unspoilt(main) == (names, [ValueError, ValueError])


def test_unix_datagrams(anywhere_unspoilt, tmp_path):
    path = str(tmp_path / "socket")

    async def main():
        server = await endpoint(local_addr=path, family=socket.AF_UNIX)
        client = await endpoint(local_addr=path + "2", remote_addr=path, family=socket.AF_UNIX)
        client.transport.sendto(b"x")
        await until(lambda: "data" in server.names)
        with pytest.raises(FileNotFoundError):
            await endpoint(remote_addr=path + "3", family=socket.AF_UNIX)
        await close(server, client)
        return server.calls

    expected = [("made",), ("data", b"x", path + "2"), ("lost", None)]
    assert anywhere_unspoilt(main) == expected
