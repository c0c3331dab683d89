"""A process that watches itself, played by a thread: its socket, and what it says to a reader."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

from greenloop.watching.place import socket_path

Answer = Callable[[socket.socket, dict[str, Any]], None]


class FakeProcess:
    """This process itself, as far as a reader can tell."""

    def __init__(self, answer: Answer) -> None:
        self.pid = os.getpid()
        self.requests: list[dict[str, Any]] = []
        self._answer = answer
        path = socket_path(self.pid)
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(path)
        self._listener.listen()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening; the socket's file stays, as it does when a process is killed."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(10)

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection, contextlib.suppress(OSError):
                line = connection.makefile("rb").readline()
                if line:
                    request = json.loads(line)
                    self.requests.append(request)
                    self._answer(connection, request)


@contextlib.contextmanager
def answering(answer: Answer | dict[str, Any] | bytes) -> Iterator[FakeProcess]:
    """A process that gives this answer, or does this with each connection."""
    if callable(answer):
        process = FakeProcess(answer)
    else:
        said = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        process = FakeProcess(lambda connection, _: connection.sendall(said))
    try:
        yield process
    finally:
        process.close()
