"""Hello world over HTTP/1.1, by servers that people use: uvicorn and aiohttp."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
from collections.abc import AsyncIterator, Callable

from .rows import served
from .servers import Server, address_of, listening

BODY = b"Hello, world!"
HEAD = {
    "type": "http.response.start",
    "status": 200,
    "headers": [(b"content-type", b"text/plain"), (b"content-length", b"%d" % len(BODY))],
}


async def application(scope, receive, send) -> None:
    await send(HEAD)
    await send({"type": "http.response.body", "body": BODY})


def by_uvicorn(http: str) -> Server:
    @contextlib.asynccontextmanager
    async def serve() -> AsyncIterator[str]:
        import uvicorn

        config = uvicorn.Config(
            application,
            http=http,
            ws="none",
            lifespan="off",
            log_level="critical",
            access_log=False,
        )
        server = uvicorn.Server(config)
        with listening() as listener:
            task = asyncio.create_task(server.serve(sockets=[listener]))
            while not server.started and not task.done():
                await asyncio.sleep(0.01)
            try:
                yield address_of(listener)
            finally:
                server.should_exit = True
                await task

    return serve


@contextlib.asynccontextmanager
async def by_aiohttp() -> AsyncIterator[str]:
    from aiohttp import web

    async def hello(request: web.Request) -> web.Response:
        return web.Response(body=BODY, content_type="text/plain")

    app = web.Application()
    app.router.add_get("/", hello)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    with listening() as listener:
        try:
            await web.SockSite(runner, listener).start()
            yield address_of(listener)
        finally:
            await runner.cleanup()


def _needs(*modules: str) -> Callable[[], str | None]:
    def missing() -> str | None:
        absent = [name for name in modules if importlib.util.find_spec(name) is None]
        return f"{', '.join(absent)} not installed" if absent else None

    return missing


WORKLOADS = [
    served(
        f"http-{name}",
        f"HTTP hello world, {described}, 10 connections",
        operations=3_000,
        server=server,
        command="http",
        needs=_needs(*modules),
        connections=10,
    )
    for name, described, server, modules in (
        ("uvicorn-h11", "uvicorn (h11)", by_uvicorn("h11"), ("uvicorn", "h11")),
        (
            "uvicorn-httptools",
            "uvicorn (httptools)",
            by_uvicorn("httptools"),
            ("uvicorn", "httptools"),
        ),
        ("aiohttp", "aiohttp", by_aiohttp, ("aiohttp",)),
    )
]
