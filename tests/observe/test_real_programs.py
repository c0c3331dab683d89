"""In traces of programs that people run, every wait has a kind and a place in the program."""

import contextlib
import shutil
import socket
import subprocess
import time
from collections import Counter

import pytest

import greenloop
from greenloop.tracing.kinds import Kind, Wait


def waits(main):
    """Run a coroutine function on our loop while it is traced, and count its waits by kind.

    Each has a place; a wait whose kind is not known is foreign.
    """
    with greenloop.trace() as recorded:
        greenloop.run(main())
    trace = recorded.result
    found = Counter()
    for event in trace.events():
        if event.kind == Kind.WAIT_BEGAN:
            assert trace.sites[event.site] is not None
            found[Wait(event.detail)] += 1
    assert found[Wait.FOREIGN] == 0
    return found


async def get_by_stream(port):
    reader, writer = await greenloop.open_connection("127.0.0.1", port)
    writer.write(b"GET / HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n")
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


def test_uvicorn_under_load():
    uvicorn = pytest.importorskip("uvicorn")
    door = greenloop.Lock()

    async def app(scope, receive, send):
        if scope["type"] != "http":
            return
        async with door:
            await greenloop.sleep(0.001)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"hello"})

    async def main():
        server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_level="error"))
        with socket.create_server(("127.0.0.1", 0)) as listener:
            serving = greenloop.create_task(server.serve([listener]))
            port = listener.getsockname()[1]
            answers = await greenloop.gather(*(get_by_stream(port) for _ in range(20)))
            server.should_exit = True
            await serving
        assert all(b"hello" in answer for answer in answers)

    found = waits(main)
    assert found[Wait.SLEEP] >= 20 and found[Wait.STREAM_READ] >= 20 and found[Wait.LOCK] > 0


def test_aiohttp_with_a_pool():
    aiohttp = pytest.importorskip("aiohttp")
    web = pytest.importorskip("aiohttp.web")

    async def hello(request):
        await greenloop.sleep(0.001)
        return web.Response(text="hello")

    async def main():
        app = web.Application()
        app.router.add_get("/", hello)
        runner = web.AppRunner(app)
        await runner.setup()
        with socket.create_server(("127.0.0.1", 0)) as listener:
            await web.SockSite(runner, listener).start()
            url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
            pool = aiohttp.TCPConnector(limit=3)
            async with aiohttp.ClientSession(connector=pool) as session:

                async def get():
                    async with session.get(url) as response:
                        return await response.text()

                assert await greenloop.gather(*(get() for _ in range(10))) == ["hello"] * 10
            await runner.cleanup()

    found = waits(main)
    assert found[Wait.SLEEP] == 10 and found[Wait.GATHER] > 0


@contextlib.contextmanager
def redis_server():
    """A server with nothing in it; its port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    command = ["redis-server", "--port", str(port), "--save", "", "--appendonly", "no"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as server:
        try:
            deadline = time.monotonic() + 10
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port)).close()
                    break
                except ConnectionRefusedError:
                    assert time.monotonic() < deadline
                    time.sleep(0.02)
            yield port
        finally:
            server.terminate()


@pytest.mark.skipif(not shutil.which("redis-server"), reason="there is no redis-server here")
def test_redis_with_a_pool():
    redis = pytest.importorskip("redis.asyncio")

    async def main():
        async with redis.Redis(port=port, max_connections=4) as client:
            await client.set("n", 0)
            for _ in range(5):
                await greenloop.gather(*(client.incr("n") for _ in range(3)))
            assert await client.get("n") == b"15"

    with redis_server() as port:
        found = waits(main)
    assert found[Wait.STREAM_READ] + found[Wait.FUTURE] > 0
