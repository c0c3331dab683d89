"""Machines: their names and addresses, and which ones are reached from where."""

import asyncio
import errno
import socket

import pytest

from greenloop.testing import Network, run
from greenloop.testing.network import hosts

PORT = 80


async def tell_peer(reader, writer):
    writer.write(writer.get_extra_info("peername")[0].encode())
    writer.close()


async def peer_seen_by(*address, **keywords):
    reader, writer = await asyncio.open_connection(*address, **keywords)
    name = await reader.read()
    writer.close()
    await writer.wait_closed()
    return name.decode(), writer.get_extra_info("peername")


def test_tasks_are_of_the_machine_in_which_they_begin():
    network = Network()

    async def main():
        async def where():
            await asyncio.sleep(0)
            return network.present_host.name

        with network.host("db") as db:
            task = asyncio.create_task(where())
            with network.host("Web"):
                inner = asyncio.create_task(where())
            after = network.present_host
        assert after is db
        assert str(db) == "<Host db 10.0.0.2>"
        return await task, await inner, await where()

    assert run(main, network=network) == ("db", "web", "localhost")


def test_each_machine_has_addresses_of_its_own():
    network = Network()

    async def main():
        with network.host("db") as db:
            servers = [await asyncio.start_server(tell_peer, "0.0.0.0", PORT)]
        with network.host("web") as web:
            servers.append(await asyncio.start_server(tell_peer, "127.0.0.1", PORT))
            assert await peer_seen_by("127.0.0.1", PORT) == ("127.0.0.1", ("127.0.0.1", PORT))
            assert await peer_seen_by("localhost", PORT) == ("127.0.0.1", ("127.0.0.1", PORT))
            assert await peer_seen_by("db", PORT) == (web.address, (db.address, PORT))
            assert await peer_seen_by("DB.", PORT) == (web.address, (db.address, PORT))
            assert await peer_seen_by(db.address, PORT) == (web.address, (db.address, PORT))
        with network.host("db"):
            # A server that listens on 127.0.0.1 is reached by its own machine only.
            with pytest.raises(ConnectionRefusedError):
                await asyncio.open_connection("web", PORT)
            assert await peer_seen_by("db", PORT) == (db.address, (db.address, PORT))
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("localhost", PORT)
        for server in servers:
            server.close()
            await server.wait_closed()
        return db.address, web.address, db.address6

    assert run(main, network=network) == ("10.0.0.2", "10.0.0.3", "fd00::2")


def test_ipv6_is_there_if_it_is_asked_for():
    network = Network()

    async def main():
        with network.host("db") as db:
            server = await asyncio.start_server(tell_peer, "::", PORT)
            assert await peer_seen_by("::1", PORT) == ("::1", ("::1", PORT, 0, 0))
        seen = await peer_seen_by("db", PORT, family=socket.AF_INET6)
        assert seen == ("fd00::1", (db.address6, PORT, 0, 0))
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("db", PORT)
        server.close()

    run(main, network=network)


@pytest.mark.parametrize(
    ("address", "kind", "number", "text", "after"),
    [
        ("nowhere", socket.gaierror, socket.EAI_NONAME, "Name or service not known", 0),
        ("10.0.7.7", OSError, errno.EHOSTUNREACH, "Connect call failed ('10.0.7.7', 80)", 3),
        ("192.0.2.1", OSError, errno.ENETUNREACH, "Network is unreachable", 0),
    ],
)
def test_what_is_not_there_is_not_reached(address, kind, number, text, after):
    async def main():
        with pytest.raises(kind) as caught:
            await asyncio.open_connection(address, PORT)
        assert caught.value.errno == number
        assert text in str(caught.value)
        return asyncio.get_running_loop().time()

    assert run(main, network=Network()) == after


def test_names_of_addresses():
    network = Network()

    async def main():
        loop = asyncio.get_running_loop()
        with network.host("db") as db:
            pass
        stream = socket.SOCK_STREAM
        assert await loop.getaddrinfo("db", 80, type=stream) == [
            (socket.AF_INET, stream, socket.IPPROTO_TCP, "", (db.address, 80))
        ]
        (found,) = await loop.getaddrinfo(b"db", None, type=stream, flags=socket.AI_CANONNAME)
        assert found[3:] == ("db", (db.address, 0))
        (found,) = await loop.getaddrinfo("localhost", 80, type=stream, family=socket.AF_INET6)
        assert found[4] == ("::1", 80, 0, 0)
        (found,) = await loop.getaddrinfo(None, 80, type=stream, flags=socket.AI_PASSIVE)
        assert found[4] == ("0.0.0.0", 80)
        with pytest.raises(socket.gaierror):
            await loop.getaddrinfo("db", 80, flags=socket.AI_NUMERICHOST)
        names = [
            await loop.getnameinfo((address, 80), socket.NI_NUMERICSERV)
            for address in (db.address, "127.0.0.1", "10.0.0.99")
        ]
        numeric = socket.NI_NUMERICSERV | socket.NI_NUMERICHOST
        names.append(await loop.getnameinfo((db.address, 80), numeric))
        with pytest.raises(socket.gaierror):
            await loop.getnameinfo(("10.0.0.99", 80), socket.NI_NAMEREQD)
        return names

    assert run(main, network=network) == [
        ("db", "80"),
        ("localhost", "80"),
        ("10.0.0.99", "80"),
        ("10.0.0.2", "80"),
    ]


def test_paths_of_unix_sockets_are_of_one_machine():
    network = Network()

    async def main():
        with network.host("db"):
            server = await asyncio.start_unix_server(tell_peer, "/run/db")
        with network.host("web"), pytest.raises(FileNotFoundError):
            await asyncio.open_unix_connection("/run/db")
        server.close()

    run(main, network=network)


def test_ports_are_of_one_machine():
    network = Network()

    async def main():
        servers = []
        for name in ("a", "b"):
            with network.host(name):
                servers.append(await asyncio.start_server(tell_peer, "0.0.0.0", PORT))
                with pytest.raises(OSError) as caught:
                    await asyncio.start_server(tell_peer, "127.0.0.1", PORT)
                assert caught.value.errno == errno.EADDRINUSE
        for server in servers:
            server.close()

    run(main, network=network)


def test_ports_run_out(monkeypatch):
    monkeypatch.setattr(hosts, "EPHEMERAL_PORTS", range(32768, 32800))
    network = Network()

    async def main():
        ports = set()
        bound = []
        with pytest.raises(OSError) as caught:
            while True:
                bound.append(network.socket())
                bound[-1].bind(("127.0.0.1", 0))
                ports.add(bound[-1].getsockname()[1])
        for each in bound:
            each.close()
        again = network.socket()
        again.bind(("127.0.0.1", 0))
        again.close()
        return caught.value.errno, min(ports), max(ports), len(ports)

    assert run(main, network=network) == (errno.EADDRINUSE, 32768, 32799, 32)


@pytest.mark.parametrize("name", ["", "with space", "a/b", "a:1", "ä"])
def test_a_name_that_no_machine_has(name):
    with pytest.raises(ValueError, match="no name of a host"), Network().host(name):
        pass
