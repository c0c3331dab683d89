"""Partitions and resets: bytes wait, datagrams are lost, connections end, other machines go on."""

import asyncio
import errno

import pytest

import greenloop
from greenloop.testing import Network, run
from linked_machines import LATENCY, PORT, close, exactly, now, serving


def test_bytes_wait_while_a_partition_is_between_the_machines():
    network = Network(latency=LATENCY)

    async def main():
        await serving(network)
        await serving(network, "other")
        reader, writer = await asyncio.open_connection("server", PORT)
        other_reader, other_writer = await asyncio.open_connection("other", PORT)
        # Under way when the cable is cut.
        writer.write(b"one")
        network.partition(["localhost", "other"], ["server"])
        await asyncio.sleep(1)
        writer.write(b"two")
        other_writer.write(b"x")
        await other_reader.readexactly(1)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(600):
                await reader.read(1)
        network.heal()
        healed = now()
        assert await reader.readexactly(6) == b"onetwo"
        seconds = now() - healed
        await close(writer, other_writer)
        return seconds

    assert run(main, network=network) == exactly(2 * LATENCY)


def test_a_partition_that_lasts_ends_a_connection_that_sends():
    network = Network()

    async def main():
        await serving(network)
        reader, writer = await asyncio.open_connection("server", PORT)
        network.partition(["localhost"], ["server"])
        writer.write(b"x")
        with pytest.raises(TimeoutError):
            await reader.read(1)
        seconds = now()
        writer.close()
        return seconds

    assert run(main, network=network) == exactly(924.6)


def test_a_program_that_only_waits_for_a_cut_off_machine_is_in_a_deadlock():
    network = Network()

    async def main():
        await serving(network)
        reader, _ = await asyncio.open_connection("server", PORT)
        network.partition(["localhost"], ["server"])
        await reader.read(1)

    with pytest.raises(greenloop.Deadlock):
        run(main, network=network)


@pytest.mark.parametrize(("healed_at", "connected_at"), [(None, None), (2, 3), (64, 127), (10, 15)])
def test_connecting_through_a_partition(healed_at, connected_at):
    network = Network(latency=LATENCY)
    network.partition(["localhost"], ["server"])

    async def main():
        await serving(network)
        if healed_at is not None:
            asyncio.get_running_loop().call_at(healed_at, network.heal)
        try:
            _, writer = await asyncio.open_connection("server", PORT)
        except TimeoutError as error:
            return error.errno, now()
        connected = now()
        await close(writer)
        await asyncio.sleep(5)
        return 0, connected

    number, seconds = run(main, network=network)
    if healed_at is None or healed_at >= 64:
        assert (number, seconds) == (errno.ETIMEDOUT, exactly(127))
    else:
        # The request is repeated after 1, 3, 7 and 15 seconds.
        assert (number, seconds) == (0, exactly(connected_at + 2 * LATENCY))


def test_datagrams_do_not_pass_a_partition():
    network = Network()

    async def main():
        loop = asyncio.get_running_loop()
        received = []

        class Receiver(asyncio.DatagramProtocol):
            def datagram_received(self, data, address):
                received.append(data)

        with network.host("server"):
            await loop.create_datagram_endpoint(Receiver, local_addr=("0.0.0.0", PORT))
        sender, _ = await loop.create_datagram_endpoint(
            asyncio.DatagramProtocol, remote_addr=("server", PORT)
        )
        network.partition(["localhost"], ["server"], ["other"])
        sender.sendto(b"lost")
        await asyncio.sleep(1)
        network.heal()
        sender.sendto(b"comes")
        await asyncio.sleep(1)
        return received

    assert run(main, network=network) == [b"comes"]


def test_a_reset_ends_connections_between_two_machines_at_both_ends():
    network = Network(latency=LATENCY)

    async def main():
        errors = []

        async def note(reader, writer):
            try:
                await reader.read()
            except ConnectionResetError as error:
                errors.append(error.errno)
            writer.close()

        await serving(network, "server", note)
        await serving(network, "other")
        reader, writer = await asyncio.open_connection("server", PORT)
        other_reader, other_writer = await asyncio.open_connection("other", PORT)
        await asyncio.sleep(1)
        network.reset("server", "localhost")
        with pytest.raises(ConnectionResetError, match="Connection reset by peer"):
            await reader.read()
        with pytest.raises(ConnectionResetError):
            await writer.wait_closed()
        other_writer.write(b"x")
        assert await other_reader.readexactly(1) == b"x"
        await close(other_writer)
        return errors

    assert run(main, network=network) == [errno.ECONNRESET]
