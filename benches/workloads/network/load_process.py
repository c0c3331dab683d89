"""The other end of a connection: the Rust program of `benches/load`, in a process of its own.

It costs the measured process nothing but two pipes, and reports its own CPU time.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
from pathlib import Path
from types import TracebackType

ROOT = Path(__file__).resolve().parents[3]
PROGRAM = Path(os.environ.get("GREENLOOP_LOAD") or ROOT / "target/load/release/greenloop-load")

LIFETIME = 5.0
"""Seconds in which the program must end when its input has ended."""


class LoadError(Exception):
    """The other end gave up, and said why."""


def obstacle() -> str | None:
    """The reason why the program cannot be run, or None."""
    return None if PROGRAM.is_file() else "the load generator is not built: `make bench` builds it"


class LoadProcess:
    """One run of the program; a context manager that ends it.

    `ready` must be called first, once. Each method has a blocking twin, for a process without an
    event loop.
    """

    def __init__(self, command: str, **options: object) -> None:
        words = [str(PROGRAM), command]
        for name, value in options.items():
            if value is not False:
                words += [f"--{name}"] if value is True else [f"--{name}", str(value)]
        self._process = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )

    def __enter__(self) -> LoadProcess:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        process = self._process
        try:
            process.stdin.close()
        except BrokenPipeError:
            pass
        try:
            process.wait(LIFETIME)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()
        process.stderr.close()

    async def ready(self) -> str:
        """Wait until it is connected, or listens; return the address."""
        await self._readable()
        return self.ready_blocking()

    def ready_blocking(self) -> str:
        return self._answer("ready")

    async def perform(self, operations: int) -> int:
        """Have it perform so many operations; return the CPU nanoseconds that it spent."""
        self._ask(operations)
        await self._readable()
        return self._spent()

    def perform_blocking(self, operations: int) -> int:
        self._ask(operations)
        return self._spent()

    def _ask(self, operations: int) -> None:
        self._process.stdin.write(b"%d\n" % operations)
        self._process.stdin.flush()

    def _spent(self) -> int:
        return int(self._answer("done"))

    async def _readable(self) -> None:
        loop = asyncio.get_running_loop()
        waiter = loop.create_future()
        descriptor = self._process.stdout.fileno()

        def wake() -> None:
            loop.remove_reader(descriptor)
            waiter.set_result(None)

        loop.add_reader(descriptor, wake)
        await waiter

    def _answer(self, word: str) -> str:
        # It writes whole lines, so a line that has begun to arrive does not block for long.
        line = self._process.stdout.readline().decode().strip()
        if not line.startswith(word):
            complaint = self._process.stderr.read().decode().strip()
            raise LoadError(complaint or f"answered {line!r} instead of {word!r}")
        return line.removeprefix(word).strip()


def write_certificate(directory: str) -> tuple[str, str]:
    """Write a new certificate and its key into the directory; return both paths."""
    subprocess.run([PROGRAM, "certificate", "--directory", directory], check=True, timeout=30)
    folder = Path(directory)
    return str(folder / "certificate.pem"), str(folder / "key.pem")
