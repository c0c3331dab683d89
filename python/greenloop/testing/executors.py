"""The jobs of executors in a simulated run: their results are arrivals, which may be late.

A job that is handed over runs in its thread at once, and the loop's thread waits a moment for it,
so that what the job does has the same place in each run. One that takes longer goes on beside the
loop as it would in production, and the clock stands still until it has ended, or waits for the
loop.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import Any

from greenloop.event_loop import EventLoop
from greenloop.testing import threads

PATIENCE = 0.1
"""How long the loop's thread waits for a job, in seconds."""

A_MOMENT = 0.001
"""How long it waits without a look at what the job does, in seconds."""


class _Recording:
    """An executor in the place of another one, which keeps the future of what is submitted."""

    def __init__(self, executor: Executor) -> None:
        self.submitted: Future[Any] | None = None
        self._executor = executor
        self._may_begin = threading.Event()

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        if isinstance(self._executor, ThreadPoolExecutor):
            self.submitted = self._executor.submit(self._wait_and_call, function, *arguments)
        else:
            self.submitted = self._executor.submit(function, *arguments)
        return self.submitted

    def begin(self) -> None:
        """Let the job begin, now that the callbacks for its end are added."""
        self._may_begin.set()

    def _wait_and_call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        self._may_begin.wait()
        return function(*arguments)


def run_in_executor(
    loop: EventLoop, executor: Executor | None, function: Callable[..., Any], *arguments: Any
) -> asyncio.Future[Any]:
    """Do what `loop.run_in_executor` does, and wait a moment for the job."""
    native: Any = loop
    if executor is None:
        native._check_default_executor()
        if loop._default_executor is None:
            loop._default_executor = ThreadPoolExecutor(thread_name_prefix="asyncio")
        executor = loop._default_executor
    recording = _Recording(executor)
    ended = threading.Event()
    native._begin_job_outside()
    try:
        result: asyncio.Future[Any] = type(loop).run_in_executor(
            loop,
            recording,  # type: ignore[arg-type]
            function,
            *arguments,
        )
    except BaseException:
        recording.begin()
        native._end_to_await_job()
        native._end_job_outside()
        raise

    def end(_job: object) -> None:
        # The future of the loop was told before, by the callback that was added before.
        native._end_job_outside()
        ended.set()

    job = recording.submitted
    if job is None:
        # A subclass of the loop has found another way.
        end(None)
    else:
        job.add_done_callback(end)
        recording.begin()
        # One that waits for the loop does not end before the loop goes on.
        _ = ended.wait(A_MOMENT) or threads.settle(PATIENCE) or ended.wait(PATIENCE)
    native._end_to_await_job()
    return result
