"""A world of the fuzzer: a loop, objects made on it, and operations on them, all chosen by a seed.

Nothing here says what should happen. Whoever runs a world looks for crashes, panics, SystemError
and hangs.
"""

import asyncio
import contextvars
import copy
import gc
import pickle
import random
import socket
import threading
import traceback
import warnings
import weakref

from fuzz_recipes import RECIPES
from fuzz_values import EXCEPTIONS, EXPECTED, GARBAGE, evil, give

import greenloop
from greenloop import _native

# How many operations a world has, those of its evil objects included.
OPERATIONS = 60
# Who operates inside of an operation that an operation called is stopped here.
DEPTH = 4
POOL = 40
# A world that nobody stops is interrupted: its main task waits for what never comes.
PATIENCE = 2.0

CLASSES = sorted(
    {
        value
        for module in (greenloop, _native)
        for name, value in vars(module).items()
        if isinstance(value, type) and value.__module__.startswith("greenloop")
    },
    key=lambda cls: (cls.__module__, cls.__qualname__),
)
# Ours derive from these, whose methods can be called on ours as well.
BASES = [
    asyncio.Future,
    asyncio.Task,
    asyncio.Handle,
    asyncio.TimerHandle,
    asyncio.Transport,
    object,
]
# CPython's own method reads a null pointer, also of a bare task of its own.
CRASHES_BY_ITSELF = asyncio.Task, "get_context"
# These run until they are stopped, or start processes; the world has its own operations for them.
LEFT_OUT = {
    "run_forever", "run_until_complete", "run", "_run_once", "_run_forever_setup", "to_thread",
    "subprocess_exec", "subprocess_shell", "create_subprocess_exec", "create_subprocess_shell",
    "shutdown_default_executor", "install", "uninstall", "set_event_loop_policy",
    "__class_getitem__", "__init_subclass__", "__subclasshook__",
}  # fmt: skip
FUNCTIONS = sorted(
    (module.__name__, name)
    for module in (greenloop, _native)
    for name, value in vars(module).items()
    if callable(value)
    and not isinstance(value, type)
    and name not in LEFT_OUT
    and not name.startswith("__")
    and (getattr(value, "__module__", None) or "").startswith("greenloop")
)
KEYWORDS = [
    "loop", "context", "limit", "timeout", "delay", "when", "result", "name", "eager_start", "args",
    "return_when", "sock", "ssl", "return_exceptions", "maxsize", "value", "lock", "parties", "n",
    "msg", "callback", "coro", "server_hostname", "server_side", "host", "port", "path", "file",
    "exc", "separator", "high", "low", "data", "reader", "transport", "protocol", "handler",
    "client_connected_cb", "ssl_handshake_timeout", "unknown",
]  # fmt: skip
NAMES = [
    "\ud800",
    "",
    "nul\0nul",
    "of_mine",
    "__dict__",
    "__class__",
    "__weakref__",
    "__doc__",
    "__module__",
]

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
        self.loop.set_exception_handler(self._handle_exception)

    # What happens to it.

    def run(self):
        """Do everything, and leave nothing."""
        rng = self.rng
        for _ in range(rng.randrange(2, 12)):
            self.add(self.tolerate(self._make))
        while self.budget > 0:
            self.step()
        self.tolerate(self._close)
        self.over = True
        self.pool.clear()
        for one in self.sockets:
            one.close()

    def _close(self):
        for _ in range(3):
            self._run_for_a_while()
        type(self.loop).close(self.loop)

    def _handle_exception(self, loop, context):
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
        if len(self.pool) < POOL:
            self.pool.append(value)
        else:
            self.pool[self.rng.randrange(POOL)] = value

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
            (operation,) = self.rng.choices(OPERATIONS_AND_WEIGHTS[0], OPERATIONS_AND_WEIGHTS[1])
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

    def _make(self):
        self.tell("make", name := self.rng.choice(list(RECIPES)))
        return RECIPES[name](self)

    def _call(self, function, name="?"):
        arguments, keywords = self.several(), self.keywords()
        self.tell("call", name, len(arguments), *map(_kind, arguments), *keywords)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return function(*arguments, **keywords)

    def _call_method(self):
        thing = self.ours()
        name = self._name_of(thing, True)
        self.tell(_kind(thing), name)
        return self._call(getattr(thing, name), name)

    def _name_of(self, thing, callable_only=False):
        names = [name for name in sorted(set(dir(type(thing)))) if name not in LEFT_OUT]
        # Private and special names are half of all, and less often what is meant.
        plain = [name for name in names if not name.startswith("__")]
        return self.rng.choice(plain if plain and self.rng.random() < 0.7 else names)

    def _call_unbound(self):
        cls = self.rng.choice(CLASSES)
        name = self._name_of_class(cls)
        self.tell(cls.__name__, name)
        return self._call(getattr(cls, name), name)

    def _call_on_another(self):
        """`Class.method(an object of ours, ...)`."""
        cls = self.rng.choice(CLASSES + BASES)
        name = self._name_of_class(cls)
        receiver = self.ours()
        self.tell(cls.__name__, name, _kind(receiver))
        if (cls, name) == CRASHES_BY_ITSELF:
            return None
        function = getattr(cls, name)
        return self._call(lambda *arguments, **keywords: function(receiver, *arguments, **keywords))

    def _name_of_class(self, cls):
        return self.rng.choice([name for name in sorted(dir(cls)) if name not in LEFT_OUT])

    def _use_descriptor(self):
        cls = self.rng.choice(CLASSES + BASES)
        name = self.rng.choice(sorted(vars(cls)))
        if name in LEFT_OUT:
            return None
        descriptor, receiver = vars(cls)[name], self.ours()
        self.tell(cls.__name__, name, _kind(receiver))
        choice = self.rng.randrange(3)
        if choice == 0:
            return descriptor.__get__(receiver, self.rng.choice([cls, type(receiver)]))
        if choice == 1:
            value = self.rng.choice(CLASSES) if name == "__class__" else self.pick()
            return descriptor.__set__(receiver, value)
        return descriptor.__delete__(receiver)

    def _make_without_init(self):
        cls = self.rng.choice(CLASSES)
        self.tell(cls.__name__)
        return cls.__new__(cls)

    def _make_with_garbage(self):
        cls = self.rng.choice(CLASSES)
        self.tell(cls.__name__)
        return self._call(cls)

    def _make_subclass(self):
        cls = self.rng.choice(CLASSES)
        bases = (cls,) if self.rng.random() < 0.7 else (cls, self.rng.choice(CLASSES))
        names = self.rng.sample(sorted(dir(cls)), min(4, len(dir(cls))))
        members = {}
        for name in names:
            if name not in (
                "__class__",
                "__new__",
                "__dict__",
                "__weakref__",
                "__getattribute__",
                "__init__",
            ):
                members[name] = lambda this, *arguments, name=name, **keywords: self.react(
                    "__call__", arguments
                )
        made = type(cls)("Mine", bases, members)
        return self._call(made) if self.rng.random() < 0.6 else made.__new__(made)

    def _initialise_again(self):
        thing = self.ours()
        self.tell(_kind(thing))
        if type(thing) in CLASSES and self.rng.random() < 0.4:
            others = [
                one
                for one in (self.tolerate(self._make) for _ in range(3))
                if type(one) is type(thing)
            ]
            if others:
                self.add(others[0])
        self._call(thing.__init__, "__init__")

    def _get_attribute(self):
        thing = self.ours()
        return getattr(thing, self._name_of(thing))

    def _set_attribute(self):
        thing = self.ours()
        name = self.rng.choice(NAMES) if self.rng.random() < 0.2 else self._name_of(thing)
        if thing is self.loop and name in ("time", "stop", "call_later"):
            return
        self.tell(_kind(thing), name.encode("ascii", "replace"))
        setattr(thing, name, self.pick())

    def _delete_attribute(self):
        thing = self.ours()
        name = self.rng.choice(NAMES) if self.rng.random() < 0.2 else self._name_of(thing)
        delattr(thing, name)

    def _call_function(self):
        module, name = self.rng.choice(FUNCTIONS)
        function = getattr(greenloop if module == "greenloop" else _native, name)
        self.tell(name)
        return self._call(function, name)

    def _make_in_order(self):
        return self._make()

    def _run_for_a_while(self):
        if self.running:
            return
        loop, rng = self.loop, self.rng
        self.running += 1
        try:
            if rng.random() < 0.5:
                loop.call_soon(self.step)
            if rng.random() < 0.5:
                self.add(loop.create_task(self.body()))
            loop.call_later(rng.choice([0, 0.0005, 0.002]), loop.stop)
            loop.run_forever()
        finally:
            self.running -= 1

    def _run_until_complete(self):
        if self.running:
            return
        self.running += 1
        try:
            self.loop.call_later(0.002, self.loop.stop)
            self.add(self.loop.run_until_complete(self.ours()))
        finally:
            self.running -= 1

    def _schedule(self):
        self.loop.call_soon(self.step)

    def _schedule_task(self):
        return self.loop.create_task(self.body())

    def _start_task_of_ours(self):
        return self.loop.create_task(self.ours())

    def _collect(self):
        gc.collect(self.rng.randrange(3))

    def _in_a_thread(self):
        thread = threading.Thread(target=self.step)
        thread.start()
        thread.join()

    def _copy(self):
        thing = self.ours()
        choice = self.rng.randrange(4)
        if choice == 0:
            return copy.copy(thing)
        if choice == 1:
            return copy.deepcopy(thing)
        if choice == 2:
            return pickle.loads(pickle.dumps(thing))
        return thing.__reduce_ex__(self.rng.randrange(5))

    def _ask(self):
        thing = self.ours()
        question = self.rng.choice(QUESTIONS)
        return question(thing, self)

    def _drive(self):
        """Drive an awaitable by hand."""
        thing = self.ours()
        if self.rng.random() < 0.5:
            thing = thing.__await__()
        for _ in range(self.rng.randrange(1, 4)):
            choice = self.rng.randrange(5)
            if choice == 0:
                self.add(thing.send(self.pick()))
            elif choice == 1:
                self.add(thing.throw(*self.several()))
            elif choice == 2:
                self.add(thing.throw(self.rng.choice(EXCEPTIONS)(self)))
            elif choice == 3:
                self.add(next(thing))
            else:
                thing.close()
        return thing

    def _forget(self):
        if self.pool:
            del self.pool[self.rng.randrange(len(self.pool))]

    def _refer_weakly(self):
        return weakref.ref(self.ours(), self.method())

    def _cancel(self):
        return self.ours().cancel()

    def _in_a_context(self):
        return contextvars.copy_context().run(self.step)

    def _send(self):
        if self.sockets:
            self.rng.choice(self.sockets).send(b"more\nlines\n" * self.rng.choice([1, 1000]))

    def _close_a_socket(self):
        if self.sockets:
            self.rng.choice(self.sockets).close()

    def _debug(self):
        self.loop.set_debug(self.rng.random() < 0.5)

    def _new_loop(self):
        old, self.loop = self.loop, greenloop.new_event_loop()
        self.loop.set_exception_handler(self._handle_exception)
        if not self.running:
            type(old).close(old)
        return old


def _kind(value):
    return type(value).__name__


QUESTIONS = [
    lambda thing, w: repr(thing),
    lambda thing, w: str(thing),
    lambda thing, w: hash(thing),
    lambda thing, w: bool(thing),
    lambda thing, w: len(thing),
    lambda thing, w: thing == w.pick(),
    lambda thing, w: thing < w.ours(),
    lambda thing, w: iter(thing),
    lambda thing, w: next(thing),
    lambda thing, w: w.pick() in thing,
    lambda thing, w: thing[w.pick()],
    lambda thing, w: dir(thing),
    lambda thing, w: vars(thing),
    lambda thing, w: format(thing, ""),
    lambda thing, w: thing(),
    lambda thing, w: memoryview(thing),
    lambda thing, w: list(thing),
    lambda thing, w: gc.get_referents(thing),
    lambda thing, w: thing.__sizeof__(),
    lambda thing, w: isinstance(thing, w.pick()),
    lambda thing, w: thing | w.pick(),
    lambda thing, w: delattr(thing, "__dict__"),
    lambda thing, w: setattr(thing, "__class__", w.rng.choice(CLASSES)),
    lambda thing, w: thing.__setstate__(w.pick()),
]
WEIGHTS = {
    World._call_method: 30,
    World._make_in_order: 12,
    World._call_unbound: 3,
    World._call_on_another: 5,
    World._use_descriptor: 5,
    World._make_without_init: 4,
    World._make_with_garbage: 6,
    World._make_subclass: 1,
    World._initialise_again: 8,
    World._get_attribute: 6,
    World._set_attribute: 6,
    World._delete_attribute: 2,
    World._call_function: 6,
    World._run_for_a_while: 6,
    World._run_until_complete: 2,
    World._schedule: 3,
    World._schedule_task: 4,
    World._start_task_of_ours: 5,
    World._collect: 2,
    World._in_a_thread: 1,
    World._copy: 3,
    World._ask: 10,
    World._drive: 8,
    World._forget: 5,
    World._refer_weakly: 2,
    World._cancel: 4,
    World._in_a_context: 1,
    World._send: 3,
    World._close_a_socket: 1,
    World._debug: 1,
    World._new_loop: 1,
}
OPERATIONS_AND_WEIGHTS = (list(WEIGHTS), list(WEIGHTS.values()))
