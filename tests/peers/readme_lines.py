"""The README's lines for other libraries: each is run as it stands there, and has to run on ours.

They need those libraries, so they are run by `make peers`, in the environment of the suites.
"""

import asyncio
import os
import re
import signal
import subprocess
import sys
import textwrap
import urllib.request
from pathlib import Path

import pytest

README = Path(__file__).parents[2] / "README.md"
# How long a server may take to start or to end, in seconds.
PATIENCE = 30


def line_for(library: str) -> str:
    """The line of code in the row of the README's table that begins with the library's name."""
    row = re.search(rf"^\| {re.escape(library)} \| `([^`]+)`", README.read_text(), re.MULTILINE)
    assert row is not None, f"the README shows no line for {library}"
    return row[1]


@pytest.fixture
def program(tmp_path):
    """Writes a file, and starts commands beside it."""
    started = []

    def write(name, source):
        (tmp_path / name).write_text(textwrap.dedent(source))

    def start(*command):
        process = subprocess.Popen(
            [sys.executable, "-u", *command],
            cwd=tmp_path,
            env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        started.append(process)
        return process

    yield write, start
    for process in started:
        process.kill()
        process.communicate()


def address_said(process):
    """The address that a server prints when it is ready."""
    said = []
    for line in process.stdout:
        said.append(line)
        if address := re.search(r"http://[\d.]+:\d+", line):
            return address[0]
    raise AssertionError("".join(said))


def answer(address):
    with urllib.request.urlopen(address, timeout=PATIENCE) as response:
        return response.read().decode()


def ends_in_peace(process):
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=PATIENCE)
    assert "Traceback" not in said
    return process.returncode


@pytest.mark.parametrize("launcher", [[], ["-m", "greenloop"]], ids=["plain", "launcher"])
def test_uvicorn(program, launcher):
    write, start = program
    write(
        "app.py",
        """
        import asyncio

        async def app(scope, receive, send):
            assert scope["type"] == "http"
            body = type(asyncio.get_running_loop()).__module__.encode()
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": body})
        """,
    )
    command = line_for("uvicorn").split()
    process = start(*launcher, "-m", *command, "--port", "0", "--lifespan", "off")
    assert answer(address_said(process)).startswith("greenloop.")
    ends_in_peace(process)


def test_aiohttp(program):
    write, start = program
    line = line_for("aiohttp")
    assert line.endswith(")")
    write(
        "serve.py",
        f"""
        import asyncio
        import socket
        import greenloop
        from aiohttp import web

        async def hello(request):
            return web.Response(text=type(asyncio.get_running_loop()).__module__)

        app = web.Application()
        app.add_routes([web.get("/", hello)])
        listening = socket.create_server(("127.0.0.1", 0))
        print("http://127.0.0.1:%d" % listening.getsockname()[1])
        {line[:-1]}, sock=listening, print=None)
        """,
    )
    process = start("serve.py")
    assert answer(address_said(process)).startswith("greenloop.")
    assert ends_in_peace(process) == 0


def test_anyio(program):
    write, start = program
    write(
        "run.py",
        f"""
        import asyncio
        import anyio
        import greenloop

        async def main():
            async with anyio.create_task_group() as group:
                group.start_soon(anyio.sleep, 0)
            print(type(asyncio.get_running_loop()).__module__)

        {line_for("AnyIO")}
        """,
    )
    said, _ = start("run.py").communicate(timeout=PATIENCE)
    assert said.startswith("greenloop.")


def test_pytest_asyncio(program):
    write, start = program
    write("conftest.py", f"import greenloop\n\n{line_for('pytest-asyncio')}\n")
    write(
        "test_it.py",
        """
        import asyncio
        import pytest

        @pytest.mark.asyncio
        async def test_it():
            assert type(asyncio.get_running_loop()).__module__.startswith("greenloop.")
        """,
    )
    process = start("-m", "pytest", "-p", "asyncio", "--rootdir=.", "test_it.py")
    said, _ = process.communicate(timeout=PATIENCE)
    assert "1 passed" in said, said


def test_these_tests_start_on_asyncio():
    # Or they would not show that the lines are what brings Greenloop in.
    assert asyncio.SelectorEventLoop.__module__.startswith("asyncio.")
