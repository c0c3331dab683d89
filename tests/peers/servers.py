"""Starts the servers that suites need, each on a free port of the loopback interface.

A server is stopped, and its data removed, when the suite is done. Suites find it by environment
variables that they, or pytest, understand. Its data lies in a temporary folder, which the user that
PostgreSQL runs as can reach wherever this repository is.
"""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from .suites import Suite

HOST = "127.0.0.1"
PREFIX = "greenloop-peers-"
# Seconds.
STARTING = 60.0
STOPPING = 10.0
# Debian keeps PostgreSQL's programs out of PATH, in a folder for each version.
POSTGRESQL_FOLDERS = Path("/usr/lib/postgresql")

# Variables of the environment, for a suite's process.
Variables = dict[str, str]


def missing(suite: Suite) -> list[str]:
    """The programs that the suite needs and that this machine has not."""
    programs = [*suite.programs, *_PROGRAMS[suite.server]]
    return [program for program in programs if _find(program) is None]


def running(server: str) -> AbstractContextManager[Variables]:
    """Runs a server, if one is named; the variables tell the suite where it is."""
    return _STARTERS[server]()


@contextmanager
def _none() -> Iterator[Variables]:
    yield {}


@contextmanager
def _redis() -> Iterator[Variables]:
    port = _free_port()
    with tempfile.TemporaryDirectory(prefix=PREFIX) as folder:
        command = [_program("redis-server"), "--bind", HOST, "--port", str(port), "--dir", folder]
        # Nothing is written to the disk; the suite of redis-py sends DEBUG.
        command += ["--save", "", "--appendonly", "no", "--enable-debug-command", "yes"]
        with _process(command, folder, lambda: _accepts(port)):
            yield {"PYTEST_ADDOPTS": f"--redis-url=redis://{HOST}:{port}/0"}


@contextmanager
def _postgresql() -> Iterator[Variables]:
    port = str(_free_port())
    with tempfile.TemporaryDirectory(prefix=PREFIX) as folder:
        user: list[str] = []
        if os.geteuid() == 0:
            # PostgreSQL refuses to be run by root. Debian's package makes a user for it.
            shutil.chown(folder, "postgres", "postgres")
            user = ["setpriv", "--reuid", "postgres", "--regid", "postgres", "--clear-groups"]
        data = os.path.join(folder, "data")
        subprocess.run(
            [*user, _program("initdb"), "--pgdata", data, "--username", "postgres"]
            + ["--auth", "trust", "--encoding", "UTF8", "--no-sync"],
            check=True,
            cwd=folder,
            stdout=subprocess.DEVNULL,
        )
        command = [*user, _program("postgres"), "-D", data, "-h", HOST, "-p", port, "-k", ""]
        # The disk and the compilation of queries would make the tests' durations vary.
        command += ["-c", "fsync=off", "-c", "jit=off"]
        ask = [_program("pg_isready"), "--quiet", "--host", HOST, "--port", port]
        with _process(command, folder, lambda: subprocess.run(ask).returncode == 0):
            yield {
                "PGHOST": HOST,
                "PGPORT": port,
                "PGUSER": "postgres",
                "PGDATABASE": "postgres",
            }


_STARTERS: dict[str, Callable[[], AbstractContextManager[Variables]]] = {
    "": _none,
    "redis": _redis,
    "postgresql": _postgresql,
}
_PROGRAMS: dict[str, tuple[str, ...]] = {
    "": (),
    "redis": ("redis-server",),
    "postgresql": ("initdb", "postgres", "pg_isready"),
}


@contextmanager
def _process(command: list[str], folder: str, is_ready: Callable[[], bool]) -> Iterator[None]:
    """Runs a server until the block ends. SIGINT is a quick shutdown to each of them."""
    with open(os.path.join(folder, "output"), "w+") as output:
        process = subprocess.Popen(
            command, cwd=folder, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
        try:
            end = time.monotonic() + STARTING
            while not is_ready():
                if process.poll() is not None or time.monotonic() > end:
                    output.seek(0)
                    raise RuntimeError(f"{command} does not start:\n{output.read()}")
                time.sleep(0.1)
            yield
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(STOPPING)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _program(name: str) -> str:
    found = _find(name)
    if found is None:
        raise FileNotFoundError(name)
    return found


def _find(name: str) -> str | None:
    """Where a program is; of several versions of PostgreSQL, the newest."""
    folders = sorted(POSTGRESQL_FOLDERS.glob("*/bin"), key=lambda path: float(path.parent.name))
    return shutil.which(name) or next(
        (str(folder / name) for folder in reversed(folders) if (folder / name).exists()), None
    )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return probe.getsockname()[1]


def _accepts(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0
