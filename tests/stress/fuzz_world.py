"""A world of the fuzzer: a loop, objects made on it, and operations on them, all chosen by a seed.

Nothing here says what should happen. Whoever runs a world looks for crashes, panics, SystemError
and hangs.
"""

import asyncio
import random
import socket
import traceback

from fuzz_names import KEYWORDS
from fuzz_operations import OPERATIONS_AND_WEIGHTS, make, run_for_a_while
from fuzz_values import EXCEPTIONS, EXPECTED, GARBAGE, evil, give

import greenloop

# How many operations a world has, those of its evil objects included.
OPERATIONS = 60
# An operation inside of an operation that an operation has called is stopped here.
DEPTH = 4
POOL = 40
# A world that nobody stops is interrupted: its main task waits for what never comes.
PATIENCE = 2.0

# Evil objects may be asked by a thread that the operation before has left.
socket.getaddrinfo = lambda *arguments, **keywords: (_ for _ in ()).throw(socket.gaierror(1, "no"))


class Overdue(BaseException):
    """What an alarm raises in a world that waits for ever."""


class World:
    """One random program."""

    over = False

    def __init__(self, seed):
        self.seed = seed
        self.rng = random.Random(seed)
        self.pool = []
        self.budget = OPERATIONS
        self.depth = 0
        self.running = 0
        self.trace = None
        self.problems = []
        self.sockets = []
        self.loop = greenloop.new_event_loop()
        self.loop.set_exception_handler(self.handle_exception)

    # What happens to it.

    def run(self):
        """Do everything, and leave nothing."""
        rng = self.rng
        for _ in range(rng.randrange(2, 12)):
            self.add(self.tolerate(make, self))
        while self.budget > 0:
            self.step()
        self.tolerate(self._close)
        self.over = True
        self.pool.clear()
        for one in self.sockets:
            one.close()

    def _close(self):
        for _ in range(3):
            run_for_a_while(self)
        type(self.loop).close(self.loop)

    def handle_exception(self, loop, context):
        self.saw(context.get("exception"))
        if self.rng.random() < 0.1:
            self.step()

    def saw(self, error):
        """Look at an exception that somebody has caught: some must never be."""
        seen = set()
        while isinstance(error, BaseException) and id(error) not in seen:
            seen.add(id(error))
            if type(error).__name__ in ("PanicException", "SystemError"):
                self.problems.append("".join(traceback.format_exception(error)))
            error = error.__context__

    def tolerate(self, function, *arguments):
        """Call a function; whatever it raises is looked at and forgotten."""
        try:
            return function(*arguments)
        except Overdue:
            raise
        except BaseException as error:
            self.saw(error)
            return error

    def react(self, name, arguments):
        """Answer for an evil object whose method was called."""
        self.tell("react", name)
        rng = self.rng
        choice = rng.random()
        for argument in arguments[:2]:
            if rng.random() < 0.2:
                self.add(argument)
        if choice < 0.2:
            self.raise_one()
        if choice < 0.45:
            self.step()
        elif choice < 0.55:
            return self.pick()
        if name == "__getattr__":
            raise AttributeError(*arguments[:1])
        return EXPECTED[name](self)

    # What it takes its values from.

    def add(self, value):
        if type(value) in (list, tuple, set):
            # What private attributes show: handles, callbacks with their contexts, waiters.
            for one in list(value)[:3]:
                self.add(one)
        place = self.rng.randrange(POOL) if len(self.pool) >= POOL else POOL
        # Between these lines the collector may have run an end that takes from the pool.
        if place < len(self.pool):
            self.pool[place] = value
        else:
            self.pool.append(value)

    def pick(self):
        """Any value."""
        choice = self.rng.random()
        if choice < 0.5 and self.pool:
            return self.rng.choice(self.pool)
        if choice < 0.6:
            return evil(self)
        if self.depth > 20:
            return None
        self.depth += 1
        try:
            return self.rng.choice(GARBAGE)(self)
        finally:
            self.depth -= 1

    def ours(self):
        """An object of Greenloop's, if there is one."""
        found = [one for one in self.pool if type(one).__module__.startswith("greenloop")]
        return self.rng.choice(found) if found else self.pick()

    def several(self):
        return [self.pick() for _ in range(self.rng.choice([0, 0, 1, 1, 1, 2, 2, 3, 4, 5]))]

    def keywords(self):
        if self.rng.random() < 0.7:
            return {}
        return {self.rng.choice(KEYWORDS): self.pick() for _ in range(self.rng.randrange(1, 3))}

    def raise_one(self):
        raise self.rng.choice(EXCEPTIONS)(self)

    def method(self):
        """A callable that does something."""

        def callback(*arguments):
            for argument in arguments[:2]:
                self.add(argument)
            return self.react("__call__", arguments)

        return callback

    def awaitable(self):
        if self.rng.random() < 0.4:
            return give()
        return self.body()

    def socket(self):
        near, far = socket.socketpair()
        near.setblocking(False)
        far.setblocking(False)
        if self.rng.random() < 0.5:
            far.send(b"some\nlines\n")
        if self.rng.random() < 0.2:
            far.close()
        self.sockets += [near, far]
        return near

    def descriptor(self):
        return self.rng.choice(self.sockets or [self.socket()]).fileno()

    async def body(self):
        """What a task of this world does."""
        rng = self.rng
        for _ in range(rng.randrange(1, 4)):
            try:
                choice = rng.randrange(8)
                if choice == 0:
                    await asyncio.sleep(0)
                elif choice <= 2:
                    self.add(await self.ours())
                elif choice == 3:
                    async with self.ours() as value:
                        self.add(value)
                        self.step()
                elif choice == 4:
                    async for value in self.ours():
                        self.add(value)
                        break
                elif choice == 5:
                    async with greenloop.timeout(rng.choice([0, 0.001, None])) as timeout:
                        self.add(timeout)
                        await self.ours()
                elif choice == 6:
                    async with greenloop.TaskGroup() as group:
                        self.add(group)
                        group.create_task(self.body())
                        self.step()
                else:
                    self.step()
            except (GeneratorExit, Overdue):
                raise
            except BaseException as error:
                self.saw(error)
                if rng.random() < 0.3:
                    raise

    # What it does.

    def step(self):
        """One operation, whatever comes of it."""
        if self.over or self.budget <= 0 or self.depth >= DEPTH:
            return None
        self.budget -= 1
        self.depth += 1
        try:
            (operation,) = self.rng.choices(*OPERATIONS_AND_WEIGHTS)
            self.tell(operation.__name__)
            result = self.tolerate(operation, self)
        finally:
            self.depth -= 1
        if result is not None:
            self.add(result)
        return None

    def tell(self, *words):
        if self.trace is not None:
            self.trace(self.depth, *words)
