"""What a workload is: a coroutine function that performs a given number of operations.

What must be there before, such as a server and its connections, is made by the workload's `open`,
an asynchronous context manager that yields the function, and is not measured.

A workload returns how many operations it saw completed. The harness refuses the measurement when
that is not the number it asked for: a loop that drops callbacks must not look fast.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from dataclasses import dataclass
from typing import Any, Literal

Measure = Literal["cpu", "memory"]
Group = Literal["scheduler", "network"]
GROUPS: tuple[Group, ...] = ("scheduler", "network")

Run = Callable[[int], Awaitable[Any]]
"""Performs so many operations. For `cpu`: returns the number of operations completed. For
`memory`: returns a sequence of the objects to be weighed, one per operation, still alive."""

Limit = Callable[[], AbstractContextManager[Callable[[int], int]]]
"""Opens the same work in Rust. Inside, a call performs so many operations and returns the CPU
nanoseconds that the process on the measured side spent in them."""

QUICK_DIVISOR = 10
"""Quick runs do a tenth of the operations; every workload's count stays divisible by its shape."""


@dataclass(frozen=True)
class Workload:
    """A named piece of work and what one of its operations is."""

    name: str
    title: str
    operation: str
    """What is counted as one operation."""
    operations: int
    """Operations per timed repeat: 0.05 to 0.2 s of asyncio."""
    open: Callable[[], AbstractAsyncContextManager[Run]]
    """Prepares the work; what it yields may be called several times."""
    measure: Measure = "cpu"
    minimum_python: tuple[int, int] = (3, 11)
    group: Group = "scheduler"
    limit: Limit | None = None
    """What the contestant `limit` runs instead; without it `limit` does not compete here."""
    obstacle: Callable[[], str | None] = lambda: None
    """Says what must be installed or built first, or None."""

    def absence(self) -> str | None:
        """The reason why this cannot be run here, or None when it can."""
        if sys.version_info[:2] < self.minimum_python:
            return "needs Python {}.{}".format(*self.minimum_python)
        return self.obstacle()


def workload(
    name: str,
    title: str,
    *,
    operation: str,
    operations: int,
    measure: Measure = "cpu",
    minimum_python: tuple[int, int] = (3, 11),
    group: Group = "scheduler",
) -> Callable[[Run], Workload]:
    """Declares the decorated coroutine function a workload that needs no preparation."""

    def declare(run: Run) -> Workload:
        return Workload(
            name,
            title,
            operation,
            operations,
            lambda: contextlib.nullcontext(run),
            measure,
            minimum_python,
            group,
        )

    return declare
