"""What a link does to bytes: latency, loss, jitter, bandwidth, short reads."""

import asyncio
import errno

import pytest

from greenloop.testing import Network, run
from linked_machines import LATENCY, PORT, close, echo, exactly, now, serving


def test_each_packet_takes_the_latency():
    network = Network(latency=LATENCY)

    async def main():
        accepted = []

        async def answer(reader, writer):
            accepted.append(now())
            await echo(reader, writer)

        await serving(network, callback=answer)
        reader, writer = await asyncio.open_connection("server", PORT)
        times = [now()]
        await asyncio.sleep(1)
        writer.write(b"x")
        await reader.readexactly(1)
        times.append(now() - times[0] - 1)
        await close(writer)
        return *times, accepted[0]

    # The server knows of the connection when the last packet of the handshake has come.
    connected, echoed, accepted = run(main, network=network)
    assert connected == exactly(2 * LATENCY)
    assert echoed == exactly(2 * LATENCY)
    assert accepted == exactly(3 * LATENCY)


def test_a_refusal_comes_after_the_latency():
    async def main():
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("localhost", PORT)
        return now()

    assert run(main, network=Network(latency=LATENCY)) == exactly(2 * LATENCY)


@pytest.mark.parametrize("latencies", [0.5, 1.5, 2, 2.5, 3.5])
def test_an_attempt_that_is_cancelled_at_any_time_leaves_nothing(latencies):
    network = Network(latency=LATENCY)

    async def main():
        ends = []

        async def wait_for_the_end(reader, writer):
            ends.append("begun")
            assert await reader.read() == b""
            ends.append("ended")
            writer.close()

        server = await serving(network, callback=wait_for_the_end)
        attempt = asyncio.create_task(asyncio.open_connection("server", PORT))
        await asyncio.sleep(latencies * LATENCY)
        if attempt.cancel():
            with pytest.raises(asyncio.CancelledError):
                await attempt
        else:
            _, writer = attempt.result()
            writer.close()
        await asyncio.sleep(10)
        assert len(ends) in (0, 2), ends
        server.close()
        await server.wait_closed()
        return ends

    ends = run(main, network=network)
    assert bool(ends) is (latencies >= 2)


def test_a_server_that_closes_during_the_handshake_resets_it():
    network = Network(latency=LATENCY)

    async def main():
        server = await serving(network)
        asyncio.get_running_loop().call_later(2.5 * LATENCY, server.close)
        reader, writer = await asyncio.open_connection("server", PORT)
        with pytest.raises(ConnectionResetError):
            await reader.read()
        writer.close()
        return now()

    assert run(main, network=network) == exactly(4 * LATENCY)


def test_links_have_latencies_of_their_own():
    network = Network(latency=1)
    network.link("localhost", "near", latency=0.1)
    network.link("localhost", "localhost", latency=0)

    async def main():
        times = []
        for name in ("near", "far", "localhost"):
            await serving(network, name)
            start = now()
            _, writer = await asyncio.open_connection(name, PORT)
            times.append(now() - start)
            await close(writer)
            await asyncio.sleep(10)
        # From now on, also for what is connected already.
        network.link("near", "localhost", latency=5)
        network.link(latency=7)
        for name in ("near", "far", "localhost"):
            start = now()
            _, writer = await asyncio.open_connection(name, PORT)
            times.append(now() - start)
            await close(writer)
            await asyncio.sleep(20)
        return times

    assert run(main, network=network) == [exactly(n) for n in (0.2, 2, 0, 10, 14, 0)]


def test_unix_sockets_have_no_latency():
    async def main():
        await asyncio.start_unix_server(echo, "/socket")
        reader, writer = await asyncio.open_unix_connection("/socket")
        writer.write(b"x")
        await reader.readexactly(1)
        await close(writer)
        return now()

    assert run(main, network=Network(latency=1, loss=1)) == 0


@pytest.mark.parametrize("count", [1, 3])
def test_bytes_take_the_time_of_the_bandwidth(count):
    network = Network(bandwidth=10_000, latency=LATENCY)

    async def main():
        async def send(reader, writer):
            await asyncio.sleep(10 - now())
            writer.write(b"x" * 100_000)
            await writer.drain()
            writer.close()

        await serving(network, callback=send)
        connections = [await asyncio.open_connection("server", PORT) for _ in range(count)]
        sizes = [len(data) for data in await asyncio.gather(*(r.read() for r, _ in connections))]
        await close(*(writer for _, writer in connections))
        return sizes, now() - 10

    # All connections of a link share it.
    sizes, seconds = run(main, network=network)
    assert sizes == [100_000] * count
    assert seconds == exactly(10 * count + LATENCY)


def test_the_bandwidth_may_become_infinite():
    network = Network(bandwidth=1, latency=LATENCY)

    async def main():
        await serving(network)
        network.link(bandwidth=float("inf"))
        reader, writer = await asyncio.open_connection("server", PORT)
        writer.write(b"x" * 10_000)
        await reader.readexactly(10_000)
        await close(writer)
        return now()

    assert run(main, network=network) == exactly(4 * LATENCY)


def test_both_directions_of_one_machine_have_the_whole_bandwidth():
    network = Network(bandwidth=1000)

    async def main():
        async def send(reader, writer):
            writer.write(b"x" * 10_000)
            writer.write_eof()
            await reader.read()
            writer.close()

        await asyncio.start_server(send, "127.0.0.1", PORT)
        reader, writer = await asyncio.open_connection("127.0.0.1", PORT)
        writer.write(b"x" * 10_000)
        writer.write_eof()
        await reader.read()
        seconds = now()
        await close(writer)
        return seconds

    assert run(main, network=network) == exactly(10)


def test_a_peer_that_does_not_read_holds_up_the_sender():
    network = Network(window=10_000)

    async def main():
        far = asyncio.get_running_loop().create_future()
        await serving(network, callback=lambda reader, writer: far.set_result(writer))
        reader, writer = await asyncio.open_connection("server", PORT)
        peer = await far
        peer.transport.pause_reading()
        writer.write(b"x" * 100_000)
        await asyncio.sleep(1)
        pending = writer.transport.get_write_buffer_size()
        writer.transport.abort()
        peer.transport.abort()
        await asyncio.sleep(1)
        return pending

    assert run(main, network=network) == 90_000


def test_lost_packets_of_a_connection_come_later_and_in_order():
    network = Network(latency=LATENCY, loss=0.3, seed=3)

    async def main():
        delays = []
        await serving(network)
        reader, writer = await asyncio.open_connection("server", PORT)
        for number in range(100):
            start = now()
            writer.write(b"%d\n" % number)
            assert await reader.readline() == b"%d\n" % number
            delays.append(now() - start - 2 * LATENCY)
        writer.write(b"".join(b"%d\n" % number for number in range(10_000)))
        for number in range(10_000):
            assert await reader.readline() == b"%d\n" % number
        await close(writer)
        return delays

    delays = run(main, network=network)
    # 0.2 seconds, then 0.4 and so on, in both directions.
    steps = [0.2 * (2**there - 1 + 2**back - 1) for there in range(8) for back in range(8)]
    assert all(any(delay == exactly(step) for step in steps) for delay in delays)
    prompt = sum(delay < 0.1 for delay in delays)
    assert 30 < prompt < 70, "0.7 * 0.7 of them are to lose nothing"
    assert any(delay == exactly(0.6) for delay in delays)


def test_a_connection_of_which_nothing_arrives_has_timed_out():
    network = Network()

    async def main():
        await serving(network)
        reader, writer = await asyncio.open_connection("server", PORT)
        network.link("localhost", "server", loss=1)
        start = now()
        writer.write(b"x")
        with pytest.raises(TimeoutError) as caught:
            await reader.read()
        with pytest.raises(TimeoutError) as connecting:
            await asyncio.open_connection("server", PORT)
        return caught.value.errno, now() - start, str(connecting.value)

    number, seconds, text = run(main, network=network)
    assert number == errno.ETIMEDOUT
    assert seconds == exactly(924.6 + 127)
    assert text == "[Errno 110] Connect call failed ('10.0.0.2', 80)"


def test_jitter_changes_the_order_of_datagrams_and_not_of_a_stream():
    network = Network(latency=1, jitter=1, seed=5)

    async def main():
        loop = asyncio.get_running_loop()
        numbers, times = [], []

        class Receiver(asyncio.DatagramProtocol):
            def datagram_received(self, data, address):
                numbers.append(int(data))
                times.append(now())

        with network.host("server"):
            await loop.create_datagram_endpoint(Receiver, local_addr=("0.0.0.0", PORT))
        sender, _ = await loop.create_datagram_endpoint(
            asyncio.DatagramProtocol, remote_addr=("server", PORT)
        )
        for number in range(100):
            sender.sendto(b"%d" % number)
        await asyncio.sleep(5)
        await serving(network)
        reader, writer = await asyncio.open_connection("server", PORT)
        for number in range(100):
            writer.write(b"%d\n" % number)
        for number in range(100):
            assert await reader.readline() == b"%d\n" % number
        await close(writer)
        return numbers, times

    numbers, times = run(main, network=network)
    assert sorted(numbers) == [*range(100)] != numbers
    assert min(times) >= 1
    assert max(times) < 2
    assert max(times) - min(times) > 0.8


@pytest.mark.parametrize(
    ("settings", "least", "most"),
    [({"loss": 0.25}, 650, 850), ({"duplicates": 0.25}, 1150, 1350), ({"loss": 1}, 0, 0)],
)
def test_datagrams_are_lost_and_doubled(settings, least, most):
    network = Network(**settings)

    async def main():
        loop = asyncio.get_running_loop()
        received = []

        class Receiver(asyncio.DatagramProtocol):
            def datagram_received(self, data, address):
                received.append(data)

        await loop.create_datagram_endpoint(Receiver, local_addr=("127.0.0.1", PORT))
        sender, _ = await loop.create_datagram_endpoint(
            asyncio.DatagramProtocol, remote_addr=("127.0.0.1", PORT)
        )
        for _ in range(1000):
            sender.sendto(b"x")
        await asyncio.sleep(1)
        return len(received)

    assert least <= run(main, network=network) <= most


def test_datagrams_that_nobody_reads_are_lost_when_the_buffer_is_full():
    network = Network()

    async def main():
        loop = asyncio.get_running_loop()
        receiving, sending = network.socket(type=2), network.socket(type=2)
        receiving.bind(("127.0.0.1", PORT))
        for _ in range(300):
            await loop.sock_sendto(sending, b"x" * 1000, ("127.0.0.1", PORT))
        await asyncio.sleep(1)
        received = 0
        while receiving.is_readable():
            received += len((await loop.sock_recvfrom(receiving, 2000))[0])
        receiving.close()
        sending.close()
        return received

    assert run(main, network=network) == 212_000


@pytest.mark.parametrize(
    ("segments", "least", "most"), [(3, 1, 3), ((4, 9), 4, 9), (1, 1, 1), (None, 1000, 1000)]
)
def test_a_read_returns_a_part(segments, least, most):
    network = Network(segments=segments)

    async def main():
        sizes = []

        class Receiver(asyncio.Protocol):
            def data_received(self, data):
                sizes.append(len(data))

        with network.host("server"):
            loop = asyncio.get_running_loop()
            await loop.create_server(Receiver, "0.0.0.0", PORT)
        _, writer = await asyncio.open_connection("server", PORT)
        writer.write(b"x" * 1000)
        await asyncio.sleep(1)
        await close(writer)
        return sizes

    sizes = run(main, network=network)
    assert sum(sizes) == 1000
    assert set(sizes[:-1]) <= {*range(least, most + 1)}
    assert len(sizes) == 1 or {least, most} <= set(sizes)


@pytest.mark.parametrize(
    "wrong",
    [
        {"latency": -1},
        {"latency": float("inf")},
        {"jitter": float("nan")},
        {"loss": 1.5},
        {"loss": -0.1},
        {"duplicates": 2},
        {"bandwidth": 0},
        {"segments": 0},
        {"segments": (3, 2)},
        {"window": 0},
    ],
)
def test_wrong_settings_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Network(**wrong)
    if next(iter(wrong)) not in ("segments", "window"):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            Network().link("a", "b", **wrong)


def test_a_link_has_two_ends():
    with pytest.raises(ValueError, match="name both or none"):
        Network().link("a", latency=1)
