"""Values that the fuzzer hands to Greenloop: garbage, and objects whose special methods misbehave.

An evil object asks its world what to do whenever one of its methods is called: answer as expected,
raise, return garbage, or do something to another object first, often the one that is calling.
"""

import asyncio
import contextvars
import random

# What each special method returns if it behaves.
EXPECTED = {
    "__eq__": lambda w: True,
    "__ne__": lambda w: False,
    "__lt__": lambda w: True,
    "__gt__": lambda w: False,
    "__le__": lambda w: True,
    "__ge__": lambda w: False,
    "__hash__": lambda w: 1,
    "__bool__": lambda w: True,
    "__len__": lambda w: 2,
    "__index__": lambda w: 3,
    "__int__": lambda w: 3,
    "__float__": lambda w: 0.001,
    "__repr__": lambda w: "evil",
    "__str__": lambda w: "evil",
    "__iter__": lambda w: iter(()),
    "__next__": lambda w: w.raise_one(),
    "__await__": lambda w: iter((None,)),
    "__aiter__": lambda w: w.awaitable(),
    "__anext__": lambda w: w.awaitable(),
    "__aenter__": lambda w: w.awaitable(),
    "__aexit__": lambda w: w.awaitable(),
    "__enter__": lambda w: None,
    "__exit__": lambda w: None,
    "__call__": lambda w: None,
    "__contains__": lambda w: True,
    "__getitem__": lambda w: w.pick(),
    "__setitem__": lambda w: None,
    "__delitem__": lambda w: None,
    "__add__": lambda w: 1.5,
    "__radd__": lambda w: 1.5,
    "__sub__": lambda w: 1.5,
    "__rsub__": lambda w: 1.5,
    "__buffer__": lambda w: memoryview(b"evil"),
    "__bytes__": lambda w: b"evil",
    "__fspath__": lambda w: "/nowhere/evil",
    "__get__": lambda w: w.pick(),
    "__set__": lambda w: None,
    "__getattr__": lambda w: w.method(),
    "__reduce_ex__": lambda w: (int, ()),
    "__instancecheck__": lambda w: True,
    "__del__": lambda w: None,
    "send": lambda w: None,
    "throw": lambda w: None,
    "close": lambda w: None,
    "fileno": lambda w: w.descriptor(),
    # Of loops, futures, transports and protocols, by which they are asked for.
    "get_loop": lambda w: w.loop,
    "get_debug": lambda w: False,
    "time": lambda w: 1.0,
    "call_soon": lambda w: w.pick(),
    "call_at": lambda w: w.pick(),
    "create_future": lambda w: w.pick(),
    "create_task": lambda w: w.pick(),
    "call_exception_handler": lambda w: None,
    "done": lambda w: True,
    "cancelled": lambda w: False,
    "result": lambda w: w.pick(),
    "exception": lambda w: None,
    "cancel": lambda w: True,
    "uncancel": lambda w: 0,
    "cancelling": lambda w: 0,
    "add_done_callback": lambda w: None,
    "remove_done_callback": lambda w: 1,
    "set_result": lambda w: None,
    "set_exception": lambda w: None,
    "_make_cancelled_error": lambda w: ValueError(),
    "acquire": lambda w: w.awaitable(),
    "release": lambda w: None,
    "locked": lambda w: True,
    "write": lambda w: None,
    "get_extra_info": lambda w: None,
    "is_closing": lambda w: False,
    "pause_reading": lambda w: None,
    "resume_reading": lambda w: None,
    "connection_made": lambda w: None,
    "connection_lost": lambda w: None,
    "data_received": lambda w: None,
    "eof_received": lambda w: None,
    "get_buffer": lambda w: bytearray(64),
    "buffer_updated": lambda w: None,
    "pause_writing": lambda w: None,
    "resume_writing": lambda w: None,
    "feed_data": lambda w: None,
    "feed_eof": lambda w: None,
    "set_transport": lambda w: None,
    "_get": lambda w: w.pick(),
    "_put": lambda w: None,
    "_init": lambda w: None,
    "qsize": lambda w: 1,
}  # fmt: skip
# A class with these can hardly be used for anything else.
DOMINANT = {"__getattr__", "__get__", "__set__", "__del__"}


def special(name):
    def method(self, *arguments, **keywords):
        world = self.__dict__.get("world")
        if world is None or world.over:
            world = OVER
        return world.react(name, arguments)

    method.__name__ = name
    return method


class Over:
    """What objects ask that live on when their world has ended: they behave."""

    over = True

    def react(self, name, arguments):
        if name == "__getattr__":
            raise AttributeError(*arguments[:1])
        return EXPECTED[name](self)

    def raise_one(self):
        raise StopIteration

    def pick(self):
        return None

    method = descriptor = awaitable = pick
    loop = None


OVER = Over()


class Base(BaseException):
    """An exception that neither asyncio nor Greenloop knows of."""


class EvilException(Exception):
    """An exception that is not what its class says."""

    def __new__(cls, *arguments):
        if random.Random(len(arguments)).random() < 0.5:
            return super().__new__(cls, *arguments)
        return 5


class NeedsArguments(Exception):
    def __init__(self, one, two):
        pass


def make_evil_classes():
    """Classes with all kinds of parents, each with some of the methods: the same ones always."""
    rng = random.Random("evil")
    parents = [
        object, object, object, object, int, str, bytes, bytearray, float, list, tuple, dict, set,
        Exception, BaseException, StopIteration, OSError, asyncio.CancelledError, asyncio.Future,
        asyncio.AbstractEventLoop, asyncio.Protocol, asyncio.BufferedProtocol, asyncio.Transport,
        asyncio.Handle, asyncio.Queue, asyncio.Lock,
    ]  # fmt: skip
    classes = []
    for number in range(120):
        parent = parents[number % len(parents)]
        names = [name for name in EXPECTED if rng.random() < 0.35 and name not in DOMINANT]
        names += [name for name in DOMINANT if rng.random() < 0.15]
        if "__eq__" in names and "__hash__" not in names:
            names.append("__hash__")
        members = {name: special(name) for name in names}
        try:
            classes.append(type(f"Evil{number}", (parent,), members))
        except TypeError:
            continue
    return classes


EVIL_CLASSES = make_evil_classes()


def evil(world):
    """A new evil object of that world."""
    cls = world.rng.choice(EVIL_CLASSES)
    try:
        if issubclass(cls, asyncio.Future):
            made = cls(loop=world.loop)
        elif issubclass(cls, asyncio.Handle):
            made = cls(print, (), world.loop)
        else:
            made = cls()
        made.__dict__["world"] = world
    except Exception:
        return object()
    return made


async def give(value=None):
    return value


async def yield_one():
    yield 1


def generate():
    yield


class YieldsGarbage:
    """An awaitable whose iterator gives a loop what no future is."""

    def __init__(self, value):
        self.value = value

    def __await__(self):
        yield self.value


GARBAGE = [
    lambda w: None,
    lambda w: True,
    lambda w: 0,
    lambda w: 1,
    lambda w: 2,
    lambda w: 7,
    lambda w: -1,
    lambda w: -3,
    lambda w: 2**31,
    lambda w: 2**63 - 1,
    lambda w: 2**63,
    lambda w: -(2**63),
    lambda w: 10**30,
    lambda w: 0.0,
    lambda w: 0.001,
    lambda w: -1.5,
    lambda w: float("nan"),
    lambda w: float("inf"),
    lambda w: float("-inf"),
    lambda w: 1e300,
    lambda w: "",
    lambda w: "text",
    lambda w: "\ud800",
    lambda w: "nul\0nul",
    lambda w: b"",
    lambda w: b"bytes\nof two lines\n",
    lambda w: bytearray(b"bytearray\n"),
    lambda w: memoryview(b"memory\nview"),
    lambda w: memoryview(bytearray(16)).cast("I"),
    lambda w: memoryview(bytes(16))[::2],
    lambda w: object(),
    lambda w: Ellipsis,
    lambda w: NotImplemented,
    lambda w: (),
    lambda w: (1, 2),
    lambda w: [],
    lambda w: [None, 5],
    lambda w: [w.pick() for _ in range(3)],
    lambda w: (w.pick(), w.pick()),
    lambda w: {},
    lambda w: {"key": 1},
    lambda w: {5: w.pick()},
    lambda w: set(),
    lambda w: iter([1, 2]),
    lambda w: range(3),
    lambda w: int,
    lambda w: type,
    lambda w: ValueError,
    lambda w: ValueError("value"),
    lambda w: StopIteration,
    lambda w: StopIteration(5),
    lambda w: StopAsyncIteration(),
    lambda w: GeneratorExit,
    lambda w: GeneratorExit(),
    lambda w: KeyboardInterrupt,
    lambda w: asyncio.CancelledError,
    lambda w: asyncio.CancelledError("words"),
    lambda w: TimeoutError(),
    lambda w: BaseExceptionGroup("group", [Base()]),
    lambda w: Base,
    lambda w: EvilException,
    lambda w: NeedsArguments,
    lambda w: print.__self__,
    lambda w: len,
    lambda w: lambda *arguments: None,
    lambda w: w.method(),
    lambda w: w.method(),
    lambda w: w.raise_one,
    lambda w: give(),
    lambda w: give(5),
    lambda w: w.body(),
    lambda w: w.body(),
    lambda w: yield_one(),
    lambda w: generate(),
    lambda w: YieldsGarbage(w.pick()),
    lambda w: give,
    lambda w: contextvars.copy_context(),
    lambda w: contextvars.Context(),
    lambda w: contextvars.ContextVar("variable"),
    lambda w: w.loop,
    lambda w: w.loop,
    lambda w: w.descriptor(),
    lambda w: w.socket(),
]  # fmt: skip

EXCEPTIONS = [
    lambda w: ValueError("evil"),
    lambda w: TypeError("evil"),
    lambda w: AttributeError("evil"),
    lambda w: KeyError("evil"),
    lambda w: IndexError("evil"),
    lambda w: RuntimeError("evil"),
    lambda w: MemoryError(),
    lambda w: RecursionError(),
    lambda w: OSError(11, "evil"),
    lambda w: BlockingIOError(),
    lambda w: InterruptedError(),
    lambda w: ConnectionResetError(),
    lambda w: TimeoutError(),
    lambda w: StopIteration(5),
    lambda w: StopAsyncIteration(),
    lambda w: GeneratorExit(),
    lambda w: asyncio.CancelledError("evil"),
    lambda w: asyncio.InvalidStateError(),
    lambda w: asyncio.QueueEmpty(),
    lambda w: asyncio.IncompleteReadError(b"", 5),
    lambda w: KeyboardInterrupt(),
    lambda w: SystemExit(3),
    lambda w: Base(),
    lambda w: BaseExceptionGroup("group", [ValueError(), Base()]),
]  # fmt: skip
