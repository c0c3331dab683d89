"""Runs on a network: always the same, in many orders, and without the operating system."""

import asyncio
import gc
import hashlib
import os
import random
import socket
import subprocess
import sys
import warnings

import pytest

import greenloop
from greenloop.testing import Network, end_simulation, explore, run, simulate
from greenloop.testing.schedule import Schedule

PORT = 80


def now():
    return asyncio.get_running_loop().time()


async def faulty_life():
    """A program that meets every sort of chance; it returns all that it saw, with times."""
    network = Network.current()
    seen = []
    loop = asyncio.get_running_loop()

    async def echo(reader, writer):
        while data := await reader.read(1000):
            seen.append(("server", now(), len(data)))
            writer.write(data)
            await writer.drain()
        writer.close()

    class Receiver(asyncio.DatagramProtocol):
        def datagram_received(self, data, address):
            seen.append((now(), data, address))

    with network.host("server"):
        addresses = ["127.0.0.1", "127.0.0.2", network.present_host.address]
        servers = [await asyncio.start_server(echo, addresses, 0)]
        await loop.create_datagram_endpoint(Receiver, local_addr=("0.0.0.0", PORT))
    ports = [sock.getsockname() for sock in servers[0].sockets]
    seen.append(ports)

    async def client(number):
        with network.host(f"client{number}"):
            reader, writer = await asyncio.open_connection("server", ports[2][1])
            sender, _ = await loop.create_datagram_endpoint(
                asyncio.DatagramProtocol, remote_addr=("server", PORT)
            )
            for each in range(20):
                sender.sendto(b"%d %d" % (number, each))
            writer.write(b"%d" % number * 20_000)
            writer.write_eof()
            received = 0
            while data := await reader.read(3000):
                received += len(data)
                seen.append((number, now(), len(data)))
            assert received == 20_000
            writer.close()

    await asyncio.gather(*map(client, range(3)))
    await asyncio.sleep(10)
    return seen


def faulty_network(seed=0):
    return Network(
        latency=0.01,
        jitter=0.005,
        loss=0.1,
        bandwidth=100_000,
        duplicates=0.1,
        segments=(100, 2000),
        seed=seed,
    )


def digest(seed=0, schedule=None):
    seen = run(faulty_life, network=faulty_network(seed), seed=schedule)
    return hashlib.sha256(repr(seen).encode()).hexdigest()


def test_the_same_seeds_give_the_same_run():
    assert digest() == digest()
    assert digest(seed=1) != digest()
    assert digest(schedule=1) == digest(schedule=1)


@pytest.mark.slow
def test_another_process_gives_the_same_run():
    program = "import test_network_runs; print(test_network_runs.digest())"
    found = set()
    for hash_seed in ("1", "2"):
        result = subprocess.run(
            [sys.executable, "-c", program],
            cwd=os.path.dirname(__file__),
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert result.returncode == 0, result.stderr
        found.add(result.stdout.strip())
    assert found == {digest()}


def test_nothing_goes_through_the_operating_system(monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("a socket of the system")

    def descriptors():
        return len(os.listdir("/proc/self/fd"))

    counts = []

    async def main():
        counts.append(descriptors())
        await faulty_life()
        counts.append(descriptors())

    network = faulty_network()
    with greenloop.Runner() as runner:
        loop = runner.get_loop()
        simulate(loop, Schedule.asyncios(), network=network)
        monkeypatch.setattr(socket, "socket", refuse)
        runner.run(main())
        monkeypatch.undo()
        end_simulation(loop)
    assert counts[0] == counts[1]


async def racing_clients():
    """Two clients whose requests arrive at the same time: nobody promises in which order."""
    network = Network.current()
    order = []

    async def note(reader, writer):
        order.append(await reader.readline())
        writer.close()

    with network.host("server"):
        server = await asyncio.start_server(note, "0.0.0.0", PORT)

    async def ask(name):
        with network.host(name):
            reader, writer = await asyncio.open_connection("server", PORT)
            writer.write(name.encode() + b"\n")
            await reader.read()
            writer.close()
            await writer.wait_closed()

    await asyncio.gather(ask("a"), ask("b"))
    server.close()
    assert order == [b"a\n", b"b\n"]


@pytest.mark.parametrize("latency", [0, 0.01])
def test_exploring_finds_another_order_of_arrivals_which_a_token_repeats(latency):
    network = Network(latency=latency)
    exploration = explore(racing_clients, network=network, schedules=200)
    assert exploration.runs > 1
    assert isinstance(exploration.finding.exception, AssertionError)
    token = str(exploration.finding.schedule)
    with pytest.raises(AssertionError):
        run(racing_clients, network=Network(latency=latency), schedule=token)
    run(racing_clients, network=Network(latency=latency))


def test_each_run_begins_with_what_was_configured_before():
    network = Network(latency=1, loss=0.5, segments=(1, 9), seed=4)
    network.link("localhost", "server", latency=2, loss=0)
    network.partition(["localhost"], ["gone"])
    times = []

    async def main():
        async def send(reader, writer):
            writer.write(b"x" * 100)
            writer.close()

        with network.host("server") as host:
            assert host.address == "10.0.0.2"
            await asyncio.start_server(send, "0.0.0.0", PORT)
        reader, writer = await asyncio.open_connection("server", PORT)
        sizes = []
        while data := await reader.read(100):
            sizes.append(len(data))
        with pytest.raises(TimeoutError):
            await asyncio.open_connection("gone", PORT)
        times.append((now(), sizes))
        writer.close()
        # All this ends with the run.
        network.link("localhost", "server", latency=100)
        network.link(latency=50)
        network.heal()
        network.partition(["localhost"], ["server"])
        with network.host("another"):
            pass

    explore(main, network=network, schedules=3).check()
    run(main, network=network)
    assert len(times) >= 2
    assert times == times[:1] * len(times)
    assert times[0][0] == pytest.approx(2 * 4 + 127)
    assert [*network.hosts] == ["localhost", "server", "gone"]


def test_a_loop_has_one_network():
    async def main():
        network = Network()
        with pytest.raises(RuntimeError, match="is attached to a network already"):
            network.attach(asyncio.get_running_loop())
        with pytest.raises(RuntimeError, match="not attached to this network"):
            network.socket()

    run(main, network=Network())


def test_there_is_no_network_without_one():
    async def main():
        with pytest.raises(RuntimeError, match="attached to no network"):
            Network.current()

    run(main)


def test_a_simulation_has_the_network_until_it_ends():
    loop = greenloop.new_event_loop()
    network = Network()
    try:
        simulate(loop, Schedule.asyncios(), network=network)
        assert Network.of(loop) is network
        assert "create_connection" in vars(loop)
        end_simulation(loop)
        assert Network.of(loop) is None
        assert vars(loop) == {}
        end_simulation(loop)
        # It may be used again.
        simulate(loop, Schedule.asyncios(), network=network)
        end_simulation(loop)
    finally:
        loop.close()


def test_a_deadlock_is_found_though_a_server_listens():
    async def main():
        async with await asyncio.start_server(print, "127.0.0.1", PORT) as server:
            await server.serve_forever()

    with pytest.raises(greenloop.Deadlock):
        run(main, network=Network(latency=1))


def test_a_server_that_is_left_open_is_warned_of():
    async def main():
        await asyncio.start_server(print, "127.0.0.1", PORT)

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        run(main, network=Network())
        gc.collect()
    texts = [str(each.message) for each in caught if each.category is ResourceWarning]
    assert [text for text in texts if text.startswith("unclosed <StreamSocket localhost")], texts


def test_tasks_that_are_left_may_still_end_their_connections():
    ended = []

    async def main():
        async def serve(reader, writer):
            try:
                await reader.read()
            finally:
                writer.write(b"bye")
                writer.close()
                await writer.wait_closed()
                ended.append("server")

        await asyncio.start_server(serve, "127.0.0.1", PORT)
        _, writer = await asyncio.open_connection("127.0.0.1", PORT)
        await asyncio.sleep(1)

    run(main, network=Network(latency=0.01))
    assert ended == ["server"]


def test_sockets_of_the_system_stay_of_the_system():
    near, far = socket.socketpair()
    near.setblocking(False)
    far.setblocking(False)

    async def main():
        loop = asyncio.get_running_loop()
        reader, writer = await asyncio.open_connection(sock=near)
        await loop.sock_sendall(far, b"from the system\n")
        line = await reader.readline()
        writer.write(b"back")
        assert await loop.sock_recv(far, 100) == b"back"
        writer.close()
        await writer.wait_closed()
        return line, type(writer.transport).__module__

    try:
        line, module = run(main, network=Network(latency=1))
    finally:
        near.close()
        far.close()
    assert line == b"from the system\n"
    assert module == "greenloop._native"


def test_sockets_in_memory_have_the_methods_of_the_loop():
    network = Network(latency=0.25)

    async def main():
        loop = asyncio.get_running_loop()
        with network.host("server"), network.socket() as listening:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind(("", PORT))
            listening.listen()
            accepting = asyncio.create_task(loop.sock_accept(listening))
            with network.host("client"):
                client = network.socket()
            await loop.sock_connect(client, ("server", PORT))
            accepted, name = await accepting
            assert name == client.getsockname() == accepted.getpeername()
            data = random.Random(1).randbytes(300_000)
            sending = asyncio.create_task(loop.sock_sendall(client, data))
            received = bytearray()
            buffer = bytearray(10_000)
            while len(received) < len(data):
                received += await loop.sock_recv(accepted, 10_000)
                count = await loop.sock_recv_into(accepted, buffer)
                received += buffer[:count]
            await sending
            assert received == data
            reader, writer = await asyncio.open_connection(sock=client)
            await loop.sock_sendall(accepted, b"line\n")
            line = await reader.readline()
            writer.close()
            await writer.wait_closed()
            accepted.close()
            return line

    assert run(main, network=network) == b"line\n"


@pytest.mark.parametrize(("family", "kind"), [(99, 1), (2, 3)])
def test_other_sorts_of_sockets_are_refused(family, kind):
    async def main():
        with pytest.raises(OSError, match="not supported"):
            Network.current().socket(family, kind)

    run(main, network=Network())
