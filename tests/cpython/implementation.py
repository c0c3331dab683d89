"""What can be put in asyncio's place: a loop, a Task, a Future and the handles of one library.

This is the only file of the suite that knows Greenloop's names.
"""

import asyncio
import importlib
from asyncio import base_events, events, futures, tasks
from collections import Counter
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
    # How often each kind was constructed in this process; only the census counts.
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
    )


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
    """asyncio's own classes, subclassed to count their construction.

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
        # The name of the base is kept because tests compare the text of repr().
        return type(base.__name__, (base,), methods)

    return Implementation(
        name=CENSUS,
        event_loop=counted("event_loop", asyncio.SelectorEventLoop),
        bare_event_loop=counted("event_loop", base_events.BaseEventLoop),
        task=counted("task", tasks._CTask),
        future=counted("future", futures._CFuture),
        handle=counted("handle", events.Handle),
        timer_handle=counted("handle", events.TimerHandle),
        constructed=constructed,
    )
