"""What a workload is: a coroutine function that performs a given number of operations.

A workload returns how many operations it saw completed. The harness refuses the measurement when
that is not the number it asked for: a loop that drops callbacks must not look fast.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Literal

Measure = Literal["cpu", "memory"]

QUICK_DIVISOR = 10
"""Quick runs do a tenth of the operations; every workload's count stays divisible by its shape."""


@dataclass(frozen=True)
class Workload:
    """A named coroutine function and what one of its operations is."""

    name: str
    title: str
    operation: str
    """What is counted as one operation."""
    operations: int
    """Operations per timed repeat: 0.05 to 0.2 s of asyncio."""
    run: Callable[[int], Awaitable[Any]]
    """For `cpu`: returns the number of operations completed. For `memory`: returns a sequence
    of the objects to be weighed, one per operation, still alive."""
    measure: Measure
    minimum_python: tuple[int, int]

    def absence(self) -> str | None:
        """The reason why the running interpreter cannot run this, or None when it can."""
        if sys.version_info[:2] >= self.minimum_python:
            return None
        return "needs Python {}.{}".format(*self.minimum_python)


def workload(
    name: str,
    title: str,
    *,
    operation: str,
    operations: int,
    measure: Measure = "cpu",
    minimum_python: tuple[int, int] = (3, 11),
) -> Callable[[Callable[[int], Awaitable[Any]]], Workload]:
    """Declares the decorated coroutine function a workload."""

    def declare(run: Callable[[int], Awaitable[Any]]) -> Workload:
        return Workload(name, title, operation, operations, run, measure, minimum_python)

    return declare
