"""The loops of random programs: the oracle, and those that must do as it does, or must not."""

import asyncio
import heapq
import itertools
import sys
import types
from asyncio import futures, tasks
from collections.abc import Callable
from dataclasses import dataclass

import greenloop


@dataclass(frozen=True)
class LoopUnderTest:
    """A loop with the Task, Future and combinators that belong to it."""

    name: str
    api: types.ModuleType
    new_loop: Callable[[], asyncio.AbstractEventLoop]
    task: type
    future: type
    # Whether error texts are those of asyncio's C classes too.
    same_texts: bool = True
    # Whether its time passes by itself.
    real_time: bool = True

    def eager_task_factory(self) -> Callable:
        """A task factory that starts this loop's own tasks eagerly (Python 3.12 on)."""
        return asyncio.create_eager_task_factory(self.task)


class FairTimerHandle(asyncio.TimerHandle):
    """A timer that knows which one was set first."""

    __slots__ = ("_number",)

    _numbers = itertools.count()

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self._number = next(self._numbers)

    def __lt__(self, other):
        return (self._when, self._number) < (other._when, other._number)


class FairTimersLoop(asyncio.SelectorEventLoop):
    """The oracle: asyncio with the one promise we make beyond it, order among equal deadlines.

    asyncio's heap leaves that order to chance, so without this no program could set equal ones.
    """

    def call_at(self, when, callback, *arguments, context=None):
        """Set a fair timer, as asyncio sets an unfair one."""
        self._check_closed()
        if self._debug:
            self._check_thread()
            self._check_callback(callback, "call_at")
        timer = FairTimerHandle(when, callback, arguments, self, context)
        heapq.heappush(self._scheduled, timer)
        timer._scheduled = True
        return timer


class PurePythonLoop(FairTimersLoop):
    """asyncio with its Python twins of Task and Future: a second opinion on its order."""

    def create_future(self):
        """Give the Python Future."""
        return futures._PyFuture(loop=self)

    def create_task(self, coro, **keywords):
        """Give the Python Task, unless a factory is set."""
        if self.get_task_factory() is not None:
            return super().create_task(coro, **keywords)
        return tasks._PyTask(coro, loop=self, **keywords)


class LastInFirstOutLoop(FairTimersLoop):
    """A wrong loop: two callbacks scheduled in one turn can change places."""

    def _run_once(self):
        if len(self._ready) > 2:
            self._ready.rotate(1)
        super()._run_once()


class ExtraTurnLoop(FairTimersLoop):
    """A wrong loop: the order is right, but a finished task needs one turn more."""

    def create_task(self, coro, **keywords):
        """Wrap the coroutine so that it ends a turn late."""

        async def late():
            try:
                return await coro
            finally:
                await asyncio.sleep(0)

        return super().create_task(late(), **keywords)


class ForgetfulQueue(asyncio.Queue):
    """A wrong queue: when a woken task is cancelled instead, nobody else is woken for it."""

    def _wakeup_next(self, waiters):
        while waiters:
            waiter = waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                waiters.clear()
                break


class ImpatientLock(asyncio.Lock):
    """A wrong lock: who asks last gets it first."""

    def _wake_up_first(self):
        if self._waiters:
            self._waiters.rotate(1)
        super()._wake_up_first()


def _asyncio_with(**replaced: object) -> types.ModuleType:
    """Make a module that has what asyncio has, but for what is replaced."""
    module = types.ModuleType("asyncio")
    vars(module).update({**vars(asyncio), **replaced})
    return module


ORACLE = LoopUnderTest("asyncio", asyncio, FairTimersLoop, asyncio.Task, asyncio.Future)
SECOND_OPINION = LoopUnderTest(
    "asyncio-python", asyncio, PurePythonLoop, tasks._PyTask, futures._PyFuture, same_texts=False
)
WRONG_LOOPS = [
    LoopUnderTest(loop.__name__, asyncio, loop, asyncio.Task, asyncio.Future)
    for loop in (LastInFirstOutLoop, ExtraTurnLoop)
]
WRONG_PRIMITIVES = [
    LoopUnderTest(
        wrong.__name__,
        _asyncio_with(**{wrong.__base__.__name__: wrong}),
        FairTimersLoop,
        asyncio.Task,
        asyncio.Future,
    )
    for wrong in (ForgetfulQueue, ImpatientLock)
]
GREENLOOP = LoopUnderTest(
    "greenloop", greenloop, greenloop.new_event_loop, greenloop.Task, greenloop.Future
)
# Our queues, locks and combinators must not need our loop, nor our tasks.
NATIVE_ON_ASYNCIO = LoopUnderTest(
    "native-on-asyncio", greenloop, FairTimersLoop, asyncio.Task, asyncio.Future
)
CONTESTANTS = [GREENLOOP, NATIVE_ON_ASYNCIO]
# Since 3.14 asyncio.current_task does not know asyncio's own Python Task.
if sys.version_info < (3, 14):
    CONTESTANTS.append(SECOND_OPINION)
