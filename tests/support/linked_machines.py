"""Servers on the machines of a network in memory, and the virtual time at which things happen."""

import asyncio

import pytest

LATENCY = 0.25
PORT = 80


def now():
    return asyncio.get_running_loop().time()


def exactly(seconds):
    return pytest.approx(seconds, abs=1e-6)


async def echo(reader, writer):
    while data := await reader.read(100_000):
        writer.write(data)
        await writer.drain()
    writer.close()


async def serving(network, name="server", callback=echo):
    with network.host(name):
        return await asyncio.start_server(callback, "0.0.0.0", PORT)


async def close(*writers):
    for writer in writers:
        writer.close()
        await writer.wait_closed()
