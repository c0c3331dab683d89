"""The statements of a random program that may suspend their coroutine."""

import concurrent.futures
import functools

from trace_words import describe, outcome, words


class WaitingStatements:
    """What a `ProgramRun` can do inside a coroutine."""

    async def execute(self, number: int, statement: tuple) -> None:
        """Execute any statement, on behalf of a body, as long as there is a loop."""
        if self.loop.is_closed():
            return
        verb, *arguments = statement
        wait = getattr(self, f"await_{verb}", None)
        if wait is None:
            self.execute_now(statement)
        else:
            await wait(number, *arguments)

    async def execute_all(self, number: int, statements: list[tuple]) -> None:
        """Execute statements one after the other."""
        for statement in statements:
            await self.execute(number, statement)

    def awaitable(self, reference: tuple):
        """Find or make what a reference names; a task that is not there yet is created."""
        kind, number = reference
        if kind == "future":
            return self.futures[number]
        if kind == "coroutine":
            return self.body(number)
        if kind == "primitive":
            verb, *arguments = number
            return getattr(self, verb)(*arguments)
        return self.tasks.get(number) or self.do_spawn(number, "loop", True, False)

    def awaitables(self, references: list[tuple]) -> list:
        """Find or make several, none of them twice."""
        return [self.awaitable(reference) for reference in dict.fromkeys(references)]

    def futures_of(self, references: list[tuple]) -> list:
        """Find or make several that are futures already."""
        return [self.api.ensure_future(one, loop=self.loop) for one in self.awaitables(references)]

    async def await_yield(self, number: int, times: int) -> None:
        """Let the others run, several times."""
        for time in range(times):
            await self.api.sleep(0)
            self.record("resumed", number, time, self.whereabouts())

    async def await_sleep(self, number: int, ticks: int) -> None:
        """Sleep as `asyncio.sleep` does, with the time burnt so that one turn is enough."""
        future = self.loop.create_future()
        handle = self.loop.call_later(ticks * 0.000003, future.set_result, ticks)
        self.burn_until(handle.when())
        try:
            self.record("slept", number, await future)
        finally:
            handle.cancel()

    async def await_await(self, number: int, reference: tuple) -> None:
        """Await a future, a task or a coroutine."""
        self.record("awaited", number, words(repr(await self.awaitable(reference))))

    async def await_shield(self, number: int, reference: tuple) -> None:
        """Await with a shield around it."""
        self.record(
            "shielded", number, words(repr(await self.api.shield(self.awaitable(reference))))
        )

    async def await_wait_for(self, number: int, reference: tuple, timeout: float | None) -> None:
        """Await with a limit."""
        result = await self.api.wait_for(self.awaitable(reference), timeout)
        self.record("waited for", number, words(repr(result)))

    async def await_gather(
        self, number: int, references: list[tuple], return_exceptions: bool
    ) -> None:
        """Await several at once."""
        gathered = self.api.gather(
            *self.awaitables(references), return_exceptions=return_exceptions
        )
        results = await gathered
        self.record(
            "gathered",
            number,
            [
                describe(one) if isinstance(one, BaseException) else words(repr(one))
                for one in results
            ],
        )

    async def await_wait(
        self, number: int, references: list[tuple], return_when: str, timeout: float | None
    ) -> None:
        """Wait for several."""
        waited = self.futures_of(references)
        try:
            done, pending = await self.api.wait(waited, timeout=timeout, return_when=return_when)
        finally:
            # Whose exception `wait` has looked at depends on the order of a set, by address.
            for one in waited:
                if one.done():
                    outcome(one)
        self.record(
            "waited",
            number,
            [outcome(one) for one in waited if one in done],
            [one in pending for one in waited],
        )

    async def await_as_completed(self, number: int, references: list[tuple]) -> None:
        """Take several as they come."""
        waited = self.futures_of(references)
        # asyncio keeps these in a set and schedules their callbacks in its order, by address: done
        # ones would come in an order that is nobody's promise, so only one of those may be among
        # them.
        done = [one for one in waited if one.done()]
        for next_one in self.api.as_completed([one for one in waited if one not in done[1:]]):
            self.record("completed next", number, words(repr(await next_one)))

    async def await_timeout(
        self, number: int, delay: float | None, statements: list[tuple]
    ) -> None:
        """Execute statements with a limit."""
        async with self.api.timeout(delay) as timeout:
            if delay is not None and delay < 1:
                self.burn_until(timeout.when())
            await self.execute_all(number, statements)
        self.record("in time", number, timeout.expired())

    async def await_task_group(
        self, number: int, bodies: list[int], statements: list[tuple]
    ) -> None:
        """Execute statements beside a group of tasks."""
        bodies = [body for body in bodies if body > number]
        # Several children are cancelled in the order of a set, which is nobody's promise.
        kind = self.api.TaskGroup if len(bodies) < 2 else _ordered(self.api.TaskGroup)
        async with kind() as group:
            for body in bodies:
                task = group.create_task(
                    self.body(body), name=f"grouped {body}, {len(self.every_task)}"
                )
                if len(bodies) > 1:
                    group.children.append(task)
                self.tasks[body] = task
                self.every_task.append(task)
            await self.execute_all(number, statements)

    async def await_finally(
        self, number: int, statements: list[tuple], afterwards: list[tuple]
    ) -> None:
        """Execute statements, and others whatever happens."""
        try:
            await self.execute_all(number, statements)
        finally:
            self.record("finally", number)
            await self.execute_all(number, afterwards)

    async def await_iterate(self, number: int, length: int, stop_after: int) -> None:
        """Iterate over an asynchronous generator, perhaps not to its end."""

        async def count():
            try:
                for one in range(length):
                    await self.api.sleep(0)
                    yield one
            finally:
                self.record("generator closed", number)

        numbers = count()
        try:
            async for one in numbers:
                self.record("iterated", number, one)
                if one == stop_after:
                    break
        finally:
            await numbers.aclose()

    async def await_executor(self, number: int, value: int) -> None:
        """Let an executor do something; it does so at once, for threads would race."""
        if value == 9:
            result = await self.loop.run_in_executor(_AtOnce(), int, "nine")
        else:
            result = await self.loop.run_in_executor(_AtOnce(), abs, -value)
        self.record("executed", number, result)

    async def await_bad_yield(self, number: int, what: str) -> None:
        """Hand the task something that it cannot wait for."""
        values = {
            "None": None,
            "number": 7,
            "object": _Nothing(),
            "own_future": self.futures[0],
        }
        self.record("answered", number, await _Yield(values[what]))


class _Yield:
    """An awaitable that yields whatever it was given."""

    def __init__(self, value: object) -> None:
        self._value = value

    def __await__(self):
        return (yield self._value)


class _Nothing:
    def __repr__(self) -> str:
        return "<nothing>"


@functools.cache
def _ordered(task_group: type) -> type:
    """Derive a group that cancels its children in the order of their creation."""

    class Ordered(task_group):
        def __init__(self):
            super().__init__()
            self.children = []

        def _abort(self):
            self._aborting = True
            for child in self.children:
                if not child.done():
                    child.cancel()

    # Reports name it.
    Ordered.__name__ = Ordered.__qualname__ = task_group.__name__
    return Ordered


class _AtOnce(concurrent.futures.Executor):
    def submit(self, function, /, *arguments, **keywords):
        future = concurrent.futures.Future()
        try:
            future.set_result(function(*arguments, **keywords))
        except Exception as exception:
            future.set_exception(exception)
        return future
