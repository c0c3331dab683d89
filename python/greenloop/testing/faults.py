"""`with_faults`: an operation that is disturbed at one of its awaits, at another one in each run.

All faults that a run offers are numbered in their order, and a schedule has the number of at most
one of them. A run without one counts them; then each of them is tried in a run of its own.
"""

from __future__ import annotations

import asyncio
import fnmatch
import inspect
from collections.abc import Awaitable, Generator, Iterable, Sequence
from typing import Any, Final, Literal, TypeAlias, TypeVar, get_args

_T = TypeVar("_T")

Disturbance: TypeAlias = Literal["cancellation", "late cancellation", "timeout"]
"""A fault that is not an exception of the program's own."""

Fault: TypeAlias = Disturbance | type[Exception]
"""What may happen at an await."""

DEFAULT_FAULTS: Final[tuple[Disturbance, ...]] = ("cancellation", "late cancellation")


async def with_faults(
    operation: Awaitable[_T],
    faults: Sequence[Fault] = DEFAULT_FAULTS,
    *,
    at: str = "*",
) -> _T | None:
    """Return what an operation returns, or None if a fault of this run has ended it.

    The operation runs as a task. `greenloop.testing.explore` and the plugin of pytest disturb it at
    each of its awaits that suspends it, once by each fault, and in each run once at most. What it
    has left behind is then for the caller to check. On a loop that is not simulated, and in a run
    without a fault, nothing is disturbed.

    Args:
        operation: A coroutine or another awaitable.
        faults: What may happen at an await. `"cancellation"` cancels the task as soon as it waits;
            `"late cancellation"` when what it waits for has come, and before it runs; `"timeout"`
            has an `asyncio.timeout` around the operation expire; an exception class, which is
            called without arguments, is raised instead of waiting.
        at: Only awaits of a coroutine or an object with such a name, such as `"StreamReader.*"`.
            It is a pattern of `fnmatch`, for qualified names.

    Raises:
        ValueError: A fault is none of these.
        TypeError: The operation cannot be awaited.
        Exception: What the operation raises, unless it is the fault.
    """
    faults = checked(faults)
    offer: Offer | None = getattr(asyncio.get_running_loop(), "_offered_faults", None)
    if offer is None:
        return await operation
    disturbed = _Disturbed(operation, faults, at, offer)
    running: Any = disturbed.run()
    # Diagrams and reports call the task by what it runs.
    running.__qualname__ = _name(operation)
    task: asyncio.Task[_T] = asyncio.create_task(running)
    requests = _requests()
    try:
        return await task
    except asyncio.CancelledError:
        if disturbed.is_cancelled and task.cancelled() and _requests() == requests:
            return None
        raise
    except BaseException as error:
        if error is disturbed.raised:
            return None
        raise


def checked(faults: Iterable[Fault]) -> tuple[Fault, ...]:
    """Return faults as `with_faults` takes them.

    Raises:
        ValueError: One of them is none.
    """
    checked = tuple(faults)
    for fault in checked:
        if fault not in get_args(Disturbance) and not _is_exception_class(fault):
            expected = ", ".join(map(repr, get_args(Disturbance)))
            raise ValueError(f"a fault is {expected} or an exception class, not {fault!r}")
    return checked


class Offer:
    """The faults of a run: how many it has offered so far, and which of them is to come about."""

    def __init__(self, wanted: int | None) -> None:
        """Begin a run, in which the fault with that number comes about, if one is given."""
        self.wanted: Final = wanted
        self.count = 0
        """How many there were."""
        self.happened: str | None = None
        """What came about, and where."""

    def choose(self, number: int) -> int | None:
        """Return which of the next faults comes about, counted from 0, or None."""
        first = self.count
        self.count += number
        if self.wanted is None or not first <= self.wanted < self.count:
            return None
        return self.wanted - first


class _Disturbed:
    """An operation, and what disturbs it."""

    def __init__(
        self,
        operation: Awaitable[Any],
        faults: tuple[Fault, ...],
        at: str,
        offer: Offer,
    ) -> None:
        self.is_cancelled = False
        """Whether the task was cancelled by a fault."""
        self.raised: BaseException | None = None
        """The exception that is the fault."""
        self._operation = operation
        self._faults = faults
        self._at = at
        self._offer = offer
        self._timeout = asyncio.timeout(None)

    async def run(self) -> Any:
        """Run the operation, and return its result."""
        if "timeout" not in self._faults:
            return await self
        try:
            async with self._timeout:
                return await self
        except TimeoutError as error:
            if self._timeout.expired():
                self.raised = error
            raise

    def __await__(self) -> Generator[Any, Any, Any]:
        steps = _awaiting(self._operation).__await__()
        try:
            awaited = next(steps)
            while True:
                error = self._disturb(awaited)
                if error is None:
                    try:
                        sent = yield awaited
                    except GeneratorExit:
                        steps.close()
                        raise
                    except BaseException as thrown:
                        awaited = steps.throw(thrown)
                    else:
                        awaited = steps.send(sent)
                else:
                    # The task must not take it for a future that it was given.
                    awaited._asyncio_future_blocking = False
                    awaited = steps.throw(error)
        except StopIteration as end:
            return end.value

    def _disturb(self, awaited: Any) -> BaseException | None:
        """Have a fault come about at an await if it is its turn.

        Return an exception that is to be raised there.
        """
        chain = _coroutines(self._operation) or [self._operation]
        if not any(fnmatch.fnmatchcase(_name(each), self._at) for each in chain):
            return None
        # A bare yield is ready at once: to be cancelled late is to be cancelled.
        is_future = awaited is not None
        faults = [each for each in self._faults if is_future or each in ("cancellation", "timeout")]
        number = self._offer.choose(len(faults))
        if number is None:
            return None
        fault = faults[number]
        task = asyncio.current_task()
        assert task is not None
        self._offer.happened = f"{_word(fault)} at {_place(chain)}"
        if isinstance(fault, type):
            self.raised = fault()
            return self.raised
        if fault == "timeout":
            self._timeout.reschedule(asyncio.get_running_loop().time())
            return None
        self.is_cancelled = True
        if fault == "cancellation":
            task.cancel()
        else:
            # It is called before the task's own wakeup, which is added later.
            awaited.add_done_callback(lambda _: task.cancel())
        return None


async def _awaiting(operation: Awaitable[_T]) -> _T:
    """Await anything that can be awaited, or raise TypeError."""
    return await operation


def _is_exception_class(fault: object) -> bool:
    return isinstance(fault, type) and issubclass(fault, Exception)


def _word(fault: Fault) -> str:
    return fault.__name__ if isinstance(fault, type) else fault


def _requests() -> int:
    """Return how often the running task was asked to be cancelled."""
    task = asyncio.current_task()
    return task.cancelling() if task is not None else 0


def _coroutines(operation: Any) -> list[Any]:
    """Return the coroutines that are in suspense in an awaitable, the outermost first."""
    chain = []
    while hasattr(operation, "cr_await"):
        chain.append(operation)
        operation = operation.cr_await
    return chain


def _name(awaited: Any) -> str:
    name: str = getattr(awaited, "__qualname__", None) or type(awaited).__qualname__
    return name


def _place(chain: list[Any]) -> str:
    """Return the name of what is awaited last, and the line of the program that awaits it."""
    # The frames of native coroutines are stand-ins, which show asyncio's own lines.
    frames: list[Any] = [each.cr_frame for each in chain if inspect.iscoroutine(each)]
    line = f", {frames[-1].f_code.co_filename}:{frames[-1].f_lineno}" if frames else ""
    return f"{_name(chain[-1])}{line}"
