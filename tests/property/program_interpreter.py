"""Runs a random program on a loop and returns the trace: every event, in order, with its turn.

The turn is counted by a callback that schedules itself again, so two loops agree only if they also
need the same number of turns. Timers never race the machine: who sets one for the future burns the
time until it is due before the loop goes on. When nothing has happened for a while everything still
pending is cancelled, several times, for tasks may refuse.
"""

import asyncio
import contextvars
import functools
import gc
import sys
import threading

from random_programs import BODIES, CALLBACKS, FUTURES, VARIABLES, Program
from statements_on_primitives import PrimitiveStatements
from statements_that_wait import WaitingStatements
from trace_words import Reports, describe, is_lost, outcome, words

STARTS = 60
QUIET_TURNS = 8
TURNS = 4000
CANCEL_ROUNDS = 4


class StrangeBaseException(BaseException):
    """An exception that is no Exception, and none that ends a loop."""


ERRORS = {
    one.__name__: one
    for one in (
        ValueError,
        KeyError,
        TimeoutError,
        StopIteration,
        StopAsyncIteration,
        GeneratorExit,
        SystemExit,
        KeyboardInterrupt,
        asyncio.CancelledError,
        StrangeBaseException,
    )
}


def trace_of(program: Program, loop_under_test) -> list:
    """Run the program on a fresh loop; what was reported lost stands sorted at the end."""
    was_enabled = gc.isenabled()
    gc.disable()
    # What is older than the run is hidden from the collection at its end: 50 ms become 2.
    gc.freeze()
    # A coroutine that refused every cancellation may refuse its destruction too, which concerns no
    # loop.
    sys.unraisablehook = lambda unraisable: None
    try:
        run = ProgramRun(program, loop_under_test)
        with Reports(run.record) as reports:
            run.reports = reports
            run.drive()
            trace = run.trace
            # The reports must not keep the run alive whose end they are to describe.
            reports.only_lost_ones_from_here()
            del run
            while gc.collect():
                pass
        return [*trace, ("lost", sorted(reports.lost))]
    finally:
        sys.unraisablehook = sys.__unraisablehook__
        gc.unfreeze()
        if was_enabled:
            gc.enable()


class ProgramRun(WaitingStatements, PrimitiveStatements):
    """One run: the loop, the things a program names by number, and the trace."""

    def __init__(self, program: Program, loop_under_test) -> None:
        self.program = program
        self.under_test = loop_under_test
        self.api = loop_under_test.api
        self.loop = loop_under_test.new_loop()
        self.trace: list[tuple] = []
        self.turn = 0
        self.last_event = 0
        self.starts = 0
        self.cancel_rounds = 0
        self.finished = False
        self.tasks: dict[int, asyncio.Task] = {}
        self.every_task: list[asyncio.Task] = []
        self.variables = [
            contextvars.ContextVar(f"variable{n}", default=None) for n in range(VARIABLES)
        ]
        self.done_callbacks = [
            functools.partial(self.done_callback, n) for n in range(CALLBACKS + 1)
        ]
        if program.debug:
            self.loop.set_debug(True)
            self.loop.slow_callback_duration = 1000
        if program.eager:
            self.loop.set_task_factory(loop_under_test.eager_task_factory())
        self.loop.set_exception_handler(lambda loop, context: self.reports.from_context(context))
        self.futures = [self.loop.create_future() for _ in range(FUTURES)]

    def record(self, *event: object) -> None:
        """Add an event to the trace, which ends with the loop: then only garbage can speak."""
        if not self.loop.is_closed():
            self.last_event = self.turn
            self.trace.append((self.turn, *event))

    # The life of a run.

    def drive(self) -> None:
        """Run the loop until the end, starting it again whenever the program stops it."""
        loop = self.loop
        self.make_primitives()
        loop.call_soon(self.tick)
        for number in range(self.program.roots):
            loop.call_soon(self.guarded, "root", self.do_spawn, number, "loop", True, False)
        runs = 0
        while not self.finished:
            runs += 1
            try:
                if self.program.until_complete and runs == 1:
                    self.record("completed", loop.run_until_complete(self.body(0)))
                else:
                    loop.run_forever()
                    self.record("stopped")
            except BaseException as exception:
                self.record("escaped", describe(exception))
        for task in self.every_task:
            self.record(
                "task", words(task.get_name()), outcome(task), task.cancelling(), words(repr(task))
            )
        for future in self.futures:
            self.record("future", outcome(future), words(repr(future)))
        self.record("miscounted", self.miscounted())
        # What is still open ends here, by this loop's own rules, before the trace is closed. A task
        # that begins only now may stop the loop once more, with an exception that leaves it.
        while True:
            try:
                loop.run_until_complete(loop.shutdown_asyncgens())
            except BaseException as exception:
                self.record("escaped", describe(exception))
            else:
                break
        loop.close()

    def tick(self) -> None:
        """Count a turn, and see to it that the run ends."""
        self.turn += 1
        if self.turn - self.last_event <= QUIET_TURNS and self.turn < TURNS:
            self.loop.call_soon(self.tick)
        elif self.cancel_rounds == 0:
            # Once in a run the loop has nothing to do and waits for the operating system.
            self.loop.call_later(0.0002, self.cancel_everything)
        else:
            self.cancel_everything()

    def cancel_everything(self) -> None:
        """Cancel what is left, or stop after the last round."""
        self.cancel_rounds += 1
        if self.cancel_rounds == 1:
            self.record("stuck", self.stuck())
        if self.cancel_rounds > CANCEL_ROUNDS:
            self.finished = True
            self.loop.stop()
            return
        for task in self.every_task:
            if not task.done():
                self.record("cancelling", words(task.get_name()), task.cancel())
        for future in self.futures:
            future.cancel()
        self.last_event = self.turn
        self.loop.call_soon(self.tick)

    # What a program consists of.

    async def body(self, number: int):
        """Execute a body; the result tells which one it was."""
        self.starts += 1
        if number == BODIES or self.starts > STARTS:
            return ("empty", number)
        body, swallowed = self.program.bodies[number], 0
        self.record("start", number, self.whereabouts())
        try:
            for statement in body.statements:
                try:
                    await self.execute(number, statement)
                except GeneratorExit:
                    raise
                except BaseException as exception:
                    self.record("raised", number, statement[0], describe(exception))
                    if swallowed == body.tolerance:
                        raise
                    swallowed += 1
        finally:
            self.record("end", number, self.whereabouts())
        return ("body", number)

    def callback(self, number: int, *_) -> None:
        """Do what callback `number` consists of; an exception leaves it for the loop."""
        self.record("callback", number, self.whereabouts())
        if number < CALLBACKS:
            for statement in self.program.callbacks[number]:
                self.execute_now(statement)

    def done_callback(self, number: int, future) -> None:
        """Be told that a future is done."""
        self.record("done", number, outcome(future), self.whereabouts())
        if number < CALLBACKS:
            for statement in self.program.callbacks[number]:
                self.execute_now(statement)

    def whereabouts(self) -> tuple:
        """Tell which task is running, and in which context."""
        task = asyncio.current_task(self.loop)
        return (task and words(task.get_name()), *[variable.get() for variable in self.variables])

    def guarded(self, name: str, function, *arguments) -> object:
        """Call the function; its exception becomes an event."""
        try:
            return function(*arguments)
        except Exception as exception:
            self.record("refused", name, describe(exception))

    # Statements that a callback can do too.

    def execute_now(self, statement: tuple) -> None:
        """Execute a statement that does not wait."""
        verb, *arguments = statement
        getattr(self, f"do_{verb}")(*arguments)

    def do_spawn(self, body: int, flavour: str, named: bool, own_context: bool) -> asyncio.Task:
        """Create a task: by the loop, of the loop's own class, or of asyncio's."""
        keywords = {"name": f"body {body}, {len(self.every_task)}"} if named else {}
        if own_context:
            keywords["context"] = contextvars.Context()
        coroutine = self.body(body)
        if flavour == "loop":
            task = self.loop.create_task(coroutine, **keywords)
        else:
            kind = self.under_test.task if flavour == "own" else asyncio.Task
            task = kind(coroutine, loop=self.loop, **keywords)
        self.tasks[body] = task
        self.every_task.append(task)
        self.record("spawned", words(task.get_name()), task.done())
        return task

    def do_set_result(self, number: int, value: int) -> None:
        """Give a future its result."""
        self.guarded("set_result", self.futures[number].set_result, value)

    def do_set_exception(self, number: int, error: str) -> None:
        """Give a future its exception."""
        self.guarded("set_exception", self.futures[number].set_exception, ERRORS[error]("given"))

    def do_cancel(self, target: tuple, message: object) -> None:
        """Cancel a task or future, if it is there."""
        future = self.target(target)
        if future is not None:
            arguments = () if message is None else (message,)
            self.record("cancel", target, future.cancel(*arguments))

    def do_uncancel(self, number: int) -> None:
        """Take one request to cancel back."""
        if number in self.tasks:
            self.record("uncancel", number, self.tasks[number].uncancel())

    def do_new_future(self, number: int, flavour: str) -> None:
        """Forget a future and take a fresh one."""
        if flavour == "loop":
            self.futures[number] = self.loop.create_future()
        else:
            kind = self.under_test.future if flavour == "own" else asyncio.Future
            self.futures[number] = kind(loop=self.loop)

    def do_call_soon(self, callback: int, own_context: bool, cancelled: bool) -> None:
        """Schedule a callback."""
        keywords = {"context": contextvars.Context()} if own_context else {}
        handle = self.loop.call_soon(self.callback, callback, **keywords)
        if cancelled:
            handle.cancel()

    def do_call_soon_threadsafe(self, callbacks: list[int]) -> None:
        """Schedule callbacks from another thread, which has ended when this returns."""

        def schedule() -> None:
            for number in callbacks:
                self.loop.call_soon_threadsafe(self.callback, number)

        thread = threading.Thread(target=schedule)
        thread.start()
        thread.join()

    def do_timers(self, timers: list[tuple[int, int, bool]]) -> None:
        """Set timers around one moment, many of them equal, and wait until all are due."""
        moment = self.loop.time() + 0.00001
        for offset, callback, cancelled in timers:
            handle = self.loop.call_at(moment + offset * 0.000002, self.callback, callback)
            if cancelled:
                handle.cancel()
        self.burn_until(moment + 0.000006)

    def burn_until(self, deadline: float) -> None:
        """Let the time pass until a deadline is past, with the loop's resolution to spare."""
        while self.under_test.real_time and self.loop.time() <= deadline + 0.000005:
            pass

    def do_add_done_callback(self, target: tuple, callback: int, own_context: bool) -> None:
        """Ask to be told."""
        future = self.target(target)
        if future is not None:
            keywords = {"context": contextvars.Context()} if own_context else {}
            future.add_done_callback(self.done_callbacks[callback], **keywords)

    def do_remove_done_callback(self, target: tuple, callback: int) -> None:
        """Ask not to be told after all."""
        future = self.target(target)
        if future is not None:
            removed = future.remove_done_callback(self.done_callbacks[callback])
            self.record("removed", target, removed)

    def do_set_variable(self, number: int, value: int) -> None:
        """Change the current context."""
        self.variables[number].set(value)

    def do_set_name(self, number: int, value: object) -> None:
        """Rename a task."""
        if number in self.tasks:
            self.tasks[number].set_name(value)

    def do_look(self, target: tuple) -> None:
        """See all that can be seen of a task or future from outside."""
        future = self.target(target)
        if future is not None:
            self.record("look", target, outcome(future), words(repr(future)))

    def do_tasks(self) -> None:
        """See which tasks the loop has."""
        self.record(
            "tasks", sorted(words(task.get_name()) for task in asyncio.all_tasks(self.loop))
        )

    def do_raise(self, error: str) -> None:
        """Raise."""
        raise ERRORS[error]("raised")

    def do_exception_handler(self, kind: str) -> None:
        """Change who gets the reports."""

        def refuse(loop, context):
            self.reports.from_context(context)
            if not is_lost(context["message"]):
                raise ValueError("from the exception handler")

        handlers = {
            "record": lambda loop, context: self.reports.from_context(context),
            "raise": refuse,
            "none": None,
        }
        self.loop.set_exception_handler(handlers[kind])

    def do_stop(self) -> None:
        """End this run of the loop."""
        self.loop.stop()

    def target(self, target: tuple):
        """Find a task or future by number."""
        kind, number = target
        return self.futures[number] if kind == "future" else self.tasks.get(number)
