"""Libraries on a network in memory, unmodified: their servers and clients know nothing of it."""

import asyncio
import importlib
import json

import pytest

from greenloop.testing import Network, run
from greenloop.testing.plugin.simulated_loops import installed
from tls_contexts import CLIENT, SERVER

# Each imports a library that is large.
pytestmark = pytest.mark.slow


@pytest.fixture(params=[False, True], ids=["asyncio's streams", "native streams"])
def run_on(request):
    """Runs a program on a network, with Greenloop installed or not."""

    def run_on(network, main):
        if not request.param:
            return run(main, network=network)
        with installed():
            return run(main, network=network)

    return run_on


def library(name):
    pytest.importorskip(name.partition(".")[0])
    return importlib.import_module(name)


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_aiohttp(run_on, tls):
    aiohttp, web = library("aiohttp"), library("aiohttp.web")
    network = Network(latency=0.25, segments=(1, 500))
    network.link("web", "web", latency=0)

    async def answer(request):
        return web.json_response({"from": request.remote, "body": await request.text()})

    async def main():
        application = web.Application()
        application.router.add_post("/{name}", answer)
        runner = web.AppRunner(application)
        with network.host("localhost" if tls else "web"):
            await runner.setup()
            await web.TCPSite(runner, "0.0.0.0", 443, ssl_context=SERVER if tls else None).start()
        # aiohttp makes its sockets by itself unless it is told how to.
        connector = aiohttp.TCPConnector(
            socket_factory=lambda info: network.socket(*info[:3]), ssl=CLIENT if tls else True
        )
        address = "https://localhost" if tls else "http://web:443"
        async with aiohttp.ClientSession(connector=connector) as session:
            async with session.post(f"{address}/name", data="x" * 10_000) as response:
                found = await response.json()
        await runner.cleanup()
        return response.status, found["from"], len(found["body"])

    sender = "127.0.0.1" if tls else "10.0.0.1"
    assert run_on(network, main) == (200, sender, 10_000)


def test_uvicorn(run_on):
    uvicorn = library("uvicorn")
    network = Network(latency=0.25)

    async def application(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": scope["client"][0].encode()})

    async def main():
        settings = uvicorn.Config(
            application, "0.0.0.0", 80, lifespan="off", log_level="error", http="h11"
        )
        server = uvicorn.Server(settings)
        with network.host("web"):
            serving = asyncio.create_task(server.serve())
        while not server.started:
            await asyncio.sleep(0.1)
        reader, writer = await asyncio.open_connection("web", 80)
        writer.write(b"GET / HTTP/1.1\r\nHost: web\r\nConnection: close\r\n\r\n")
        answer = await reader.read()
        writer.close()
        server.should_exit = True
        await serving
        return answer.split(b"\r\n\r\n")[1].split(b"\r\n")[1]

    assert run_on(network, main) == b"10.0.0.1"


async def redis_server(reader, writer):
    """Answers commands of Redis: HELLO, PING, and anything else with OK."""
    while line := await reader.readline():
        words = []
        for _ in range(int(line[1:])):
            size = int((await reader.readline())[1:])
            words.append((await reader.readexactly(size + 2))[:-2])
        answers = {b"HELLO": b"%1\r\n+server\r\n+redis\r\n", b"PING": b"+PONG\r\n"}
        writer.write(answers.get(words[0], b"+OK\r\n"))
    writer.close()


def test_redis_connects_again_after_a_reset(run_on):
    client_class = library("redis.asyncio").Redis
    network = Network(latency=0.001, segments=(1, 5))

    async def main():
        with network.host("cache"):
            server = await asyncio.start_server(redis_server, "0.0.0.0", 6379)
        client = client_class(host="cache")
        answers = [await client.ping(), await client.set("name", "value")]
        network.reset("localhost", "cache")
        answers.append(await client.ping())
        await client.aclose()
        server.close()
        await server.wait_closed()
        return answers

    assert run_on(network, main) == [True, True, True]


def test_anyio(run_on):
    anyio = library("anyio")
    network = Network(latency=0.25)

    async def main():
        async def echo(stream):
            async with stream:
                await stream.send(await stream.receive())

        async with anyio.create_task_group() as group:
            with network.host("server"):
                server = await asyncio.start_server(redis_server, "0.0.0.0", 6379)
            stream = await anyio.connect_tcp("server", 6379)
            async with stream:
                await stream.send(b"*1\r\n$4\r\nPING\r\n")
                answer = await stream.receive()
            with anyio.move_on_after(60) as scope:
                network.partition(["localhost"], ["server"])
                await anyio.connect_tcp("server", 6379)
            server.close()
            group.cancel_scope.cancel()
        return answer, scope.cancelled_caught, asyncio.get_running_loop().time()

    assert run_on(network, main) == (b"+PONG\r\n", True, 61)


def test_a_request_by_hand_over_many_orders():
    """A server and clients of the standard library, with chances and orders that vary."""
    from greenloop.testing import explore

    network = Network(latency=0.01, jitter=0.01, loss=0.05, segments=(1, 40), seed=7)

    async def serve(reader, writer):
        size = int((await reader.readline()).split()[1])
        body = json.loads(await reader.readexactly(size))
        writer.write(json.dumps(sum(body)).encode())
        writer.close()

    async def main():
        with network.host("web"):
            server = await asyncio.start_server(serve, "0.0.0.0", 80)

        async def ask(numbers):
            reader, writer = await asyncio.open_connection("web", 80)
            body = json.dumps(numbers).encode()
            writer.write(b"Length: %d\n" % len(body))
            writer.write(body)
            answer = json.loads(await reader.read())
            writer.close()
            await writer.wait_closed()
            assert answer == sum(numbers)

        async with asyncio.TaskGroup() as group:
            for number in range(5):
                group.create_task(ask([*range(number * 10)]))
        server.close()

    exploration = explore(main, network=network, schedules=30, orders="hostile")
    exploration.check()
    assert exploration.runs == 30
