"""Servers under the launcher: the loop in each worker is ours, unless another one was named."""

import importlib.util
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest

pytestmark = pytest.mark.slow

# How long a server may take to start, in seconds, when the machine has other things to do.
PATIENCE = 60

APPLICATION = """\
import asyncio

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        await send({"type": "lifespan.shutdown.complete"})
        return
    body = f"{type(asyncio.get_running_loop()).__module__} {type(asyncio.Queue()).__module__}"
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body.encode()})
"""


@pytest.fixture
def serve(tmp_path):
    """Starts a server by the launcher, and returns what its worker answers."""
    (tmp_path / "app.py").write_text(APPLICATION)
    started = []

    def serve(server, *arguments, address_option):
        for module in (server, "uvloop"):
            if importlib.util.find_spec(module) is None:
                pytest.skip(f"{module} is not installed here")
        host, port = free_address()
        command = [sys.executable, "-m", "greenloop", "-m", server, *arguments, "app:app"]
        process = subprocess.Popen(
            [*command, *(option.format(host=host, port=port) for option in address_option)],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env=os.environ | {"GREENLOOP_LOG": "1"},
        )
        started.append(process)
        answer = answer_of(f"http://{host}:{port}", process)
        process.send_signal(signal.SIGTERM)
        said, _ = process.communicate(timeout=PATIENCE)
        # Whoever answers has said which loop it runs on, in a line.
        loops = {*re.findall(r"^greenloop: process \d+ runs (\S+)\.\w+$", said.decode(), re.M)}
        assert answer.split()[0] in loops
        return answer

    yield serve
    for process in started:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            continue  # It has come to its end, with all its workers.
        process.communicate()


def free_address():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()


def answer_of(address, process):
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            with urllib.request.urlopen(address, timeout=PATIENCE) as response:
                return response.read().decode()
        except (urllib.error.URLError, ConnectionError):
            # It is not listening yet.
            if process.poll() is not None or time.monotonic() > deadline:
                process.kill()
                raise AssertionError(process.communicate()[0].decode()) from None
            time.sleep(0.05)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ([], "greenloop.event_loop"),
        (["--loop", "asyncio"], "greenloop.event_loop"),
        (["--workers", "2"], "greenloop.event_loop"),
        (["--reload"], "greenloop.event_loop"),
        (["--loop", "uvloop"], "uvloop"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_uvicorn(serve, options, expected):
    answer = serve("uvicorn", *options, address_option=["--host={host}", "--port={port}"])
    assert answer == f"{expected} greenloop"


@pytest.mark.parametrize(
    "worker", ["uvicorn_worker.UvicornWorker", "uvicorn.workers.UvicornWorker", "asgi"]
)
def test_gunicorn(serve, worker):
    options = ["--no-control-socket", "-k", worker]
    answer = serve("gunicorn", *options, address_option=["--bind={host}:{port}"])
    assert answer == "greenloop.event_loop greenloop"


def test_gunicorn_with_a_loop_that_is_named(serve):
    options = ["--no-control-socket", "-k", "asgi", "--asgi-loop", "uvloop"]
    answer = serve("gunicorn", *options, address_option=["--bind={host}:{port}"])
    assert answer == "uvloop greenloop"


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ([], "greenloop.event_loop"),
        (["--workers", "2"], "greenloop.event_loop"),
        (["--workers", "0"], "greenloop.event_loop"),
        (["-k", "uvloop"], "uvloop"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_hypercorn(serve, options, expected):
    answer = serve("hypercorn", *options, address_option=["--bind={host}:{port}"])
    assert answer == f"{expected} greenloop"
