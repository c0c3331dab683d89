"""Replacements of asyncio's parts: a loop, Task, Future, handles and primitives of one library.

This is the only file of the suite that knows Greenloop's names.
"""

import asyncio
import functools
import importlib
from asyncio import base_events, events, futures, tasks
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

GREENLOOP = "greenloop"
ASYNCIO = "asyncio"
CENSUS = "census"


@dataclass(frozen=True)
class Implementation:
    """The classes the suite is run on."""

    name: str
    event_loop: type
    # Stands where a test builds a bare BaseEventLoop and mocks its selector away.
    bare_event_loop: type
    task: type
    future: type
    handle: type
    timer_handle: type
    # The queues, locks, combinators and scopes that stand in for asyncio's, by asyncio's names.
    primitives: dict[str, object] = field(default_factory=dict)
    # How often each was made or called in this process; only the census counts.
    constructed: Counter = field(default_factory=Counter)


def load(name: str) -> Implementation:
    """The implementation of that name: greenloop, asyncio, census, or MODULE:CLASS.

    MODULE:CLASS is a loop alone, such as `uvloop:Loop`; Task and Future then stay asyncio's.
    """
    if name == GREENLOOP:
        return _greenloop()
    if name == ASYNCIO:
        return _standard(name, asyncio.SelectorEventLoop, base_events.BaseEventLoop)
    if name == CENSUS:
        return _census()
    module, separator, attribute = name.partition(":")
    if not separator:
        raise ValueError(f"unknown loop {name!r}: greenloop, asyncio, census or MODULE:CLASS")
    loop = getattr(importlib.import_module(module), attribute)
    return _standard(name, loop, loop)


def _greenloop() -> Implementation:
    import greenloop

    greenloop.install()
    return Implementation(
        name=GREENLOOP,
        event_loop=greenloop.EventLoop,
        bare_event_loop=greenloop.EventLoop,
        task=greenloop.Task,
        future=greenloop.Future,
        handle=greenloop.Handle,
        timer_handle=greenloop.TimerHandle,
        primitives={name: getattr(greenloop, name) for name in _primitive_names()},
    )


def _primitive_names() -> list[str]:
    """The public names of asyncio's that are ours, but for the classes of the scheduler."""
    import greenloop

    loops = {"EventLoop", "SelectorEventLoop", "new_event_loop", "run", "Runner"}
    scheduler = {"Future", "Handle", "Task", "TimerHandle", "eager_task_factory"}
    return sorted(greenloop.native_names() - loops - scheduler)


def _standard(name: str, event_loop: type, bare_event_loop: type) -> Implementation:
    return Implementation(
        name=name,
        event_loop=event_loop,
        bare_event_loop=bare_event_loop,
        task=tasks._CTask,
        future=futures._CFuture,
        handle=events.Handle,
        timer_handle=events.TimerHandle,
    )


def _census() -> Implementation:
    """asyncio's own classes, subclassed to count their construction, and functions, to count calls.

    Run through the same places as Greenloop, they show which tests reach those places at all.
    """
    constructed: Counter = Counter()

    def counted(kind: str, base: type) -> type:
        # In __new__, as a subclass need not call __init__.
        def __new__(cls, *args, **kwargs):
            constructed[kind] += 1
            if base.__new__ is object.__new__:
                return object.__new__(cls)
            return base.__new__(cls, *args, **kwargs)

        def __class_getitem__(cls, item):
            constructed[kind] += 1
            return base.__class_getitem__(item)

        methods = {"__new__": __new__}
        if hasattr(base, "__class_getitem__"):
            methods["__class_getitem__"] = classmethod(__class_getitem__)
        # The names of the base are kept because tests compare the text of repr().
        names = {"__module__": base.__module__, "__qualname__": base.__qualname__}
        return type(base.__name__, (base,), methods | names)

    def counted_function(name: str, function: Callable) -> Callable:
        @functools.wraps(function)
        def call(*args, **kwargs):
            constructed[name] += 1
            return function(*args, **kwargs)

        return call

    def counted_primitive(name: str) -> object:
        primitive = getattr(asyncio, name)
        return (counted if isinstance(primitive, type) else counted_function)(name, primitive)

    return Implementation(
        name=CENSUS,
        event_loop=counted("event_loop", asyncio.SelectorEventLoop),
        bare_event_loop=counted("event_loop", base_events.BaseEventLoop),
        task=counted("task", tasks._CTask),
        future=counted("future", futures._CFuture),
        handle=counted("handle", events.Handle),
        timer_handle=counted("handle", events.TimerHandle),
        primitives={name: counted_primitive(name) for name in _primitive_names()},
        constructed=constructed,
    )
