"""The threads that call a simulated loop, by numbers that are the same in each run."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class _Caller:
    number: int
    generation: int
    thread: threading.Thread | None
    """None for a thread that `threading` does not know. It is taken to live on."""


class Callers:
    """Numbers each thread when it calls first, and counts their generations.

    A new generation begins with the first call of a thread after another one, of the generation
    before, has ended. A thread has ended when `Thread.join` may return. The system may keep it for
    a while after that, and gives its identifier to another one at some time, so identifiers alone
    do not tell.
    """

    def __init__(self) -> None:
        self._count = 0
        self._generation = 0
        # Those that have not been seen to have ended, by their identifiers.
        self._known: Final[dict[int, _Caller]] = {}

    def __call__(self) -> tuple[int, int]:
        """Return the number of the calling thread and its generation."""
        identifier = threading.get_ident()
        caller = self._known.get(identifier)
        if caller is None or not (caller.thread is None or caller.thread.is_alive()):
            living = {each.ident: each for each in threading.enumerate()}
            self._forget_all_but(living)
            self._count += 1
            caller = _Caller(self._count, self._generation, living.get(identifier))
            self._known[identifier] = caller
        return caller.number, caller.generation

    def _forget_all_but(self, living: dict[int | None, threading.Thread]) -> None:
        for identifier, caller in list(self._known.items()):
            if caller.thread is not None and living.get(identifier) is not caller.thread:
                self._known.pop(identifier, None)
                self._generation = max(self._generation, caller.generation + 1)
