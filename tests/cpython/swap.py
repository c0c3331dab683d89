"""Puts an implementation where the test modules will find what is asyncio's.

It happens in the worker's process, in two steps: `put_in_place` before a test module is
imported, because test classes fetch `tasks._CTask` and its like while they are being defined;
`adapt` after it, for what a module binds under a name of its own. `leftovers` and `probe` then
show that the tests cannot but get our classes.

The suite tests each behaviour twice, as "C" and as "Py". The C classes are the ones replaced.
`_PyTask` and `_PyFuture` stay asyncio's: on our loop, or in a pair with one of ours, they are
the foreign Task and Future that we must work with.
"""

import asyncio
import sys
import unittest.async_case
from asyncio import base_events, futures, tasks, unix_events
from types import ModuleType

from test.test_asyncio import utils as test_utils

from .implementation import Implementation

# Taken before anything is replaced; a later look for leftovers compares with these.
_ORIGINALS = {
    "Task": tasks._CTask,
    "Future": futures._CFuture,
    "SelectorEventLoop": unix_events._UnixSelectorEventLoop,
}
_PUBLIC = {name: getattr(asyncio, name) for name in dir(asyncio) if not name.startswith("_")}

# The standard library's own definition of its loop. Nobody but the line that defines it and the
# aliases, which are replaced, goes through this name.
_DEFINITIONS = {"asyncio.unix_events._UnixSelectorEventLoop"}


class _Overlay(ModuleType):
    """A module seen with one name replaced, for one importer alone."""

    def __init__(self, module: ModuleType, **replaced: object):
        super().__init__(module.__name__)
        self.__dict__.update(replaced)
        self.__dict__["_module"] = module

    def __getattr__(self, name: str) -> object:
        return getattr(self._module, name)


def put_in_place(implementation: Implementation) -> None:
    """Replaces asyncio's classes in asyncio's namespaces. Call it before importing tests."""
    for namespace in (asyncio, tasks):
        namespace.Task = implementation.task
    for namespace in (asyncio, futures):
        namespace.Future = implementation.future
    tasks._CTask = implementation.task
    futures._CFuture = implementation.future

    for namespace in (asyncio, unix_events):
        for alias in ("SelectorEventLoop", "EventLoop"):
            if hasattr(namespace, alias):
                setattr(namespace, alias, implementation.event_loop)
    # The tests drop the policy again and again (`set_event_loop_policy(None)`), after which
    # asyncio makes one of this class. Everything without a loop factory asks it: new_event_loop,
    # Runner, run, IsolatedAsyncioTestCase.
    unix_events._UnixDefaultEventLoopPolicy._loop_factory = implementation.event_loop

    # Not `base_events.BaseEventLoop` itself: test.test_asyncio.utils.TestLoop stays a subclass
    # of that one, as the foreign loop on which our Task and Future have to work.
    asyncio.BaseEventLoop = implementation.bare_event_loop
    # Not `events.Handle`, from which foreign loops make theirs: whether to replace that one is up
    # to greenloop.install.
    asyncio.Handle = implementation.handle
    asyncio.TimerHandle = implementation.timer_handle

    if hasattr(tasks, "create_eager_task_factory"):
        # asyncio's own has closed over the C Task.
        factory = tasks.create_eager_task_factory(implementation.task)
        asyncio.eager_task_factory = tasks.eager_task_factory = factory

    # The modules of asyncio's take primitives from each other. An implementation that installs
    # itself has been here before.
    for module in _modules_of_asyncio():
        for name, primitive in implementation.primitives.items():
            if vars(module).get(name) is _PUBLIC[name]:
                setattr(module, name, primitive)


def adapt(module: ModuleType, implementation: Implementation) -> None:
    """Replaces what an imported test module has bound by itself."""
    if hasattr(module, "BaseEventLoopTests"):
        module.base_events = _Overlay(base_events, BaseEventLoop=implementation.bare_event_loop)
    if hasattr(module, "SelectEventLoopTests"):
        _replace_selector_classes(module, implementation)


def leftovers(module: ModuleType, implementation: Implementation) -> list[str]:
    """Places where a test could still find a class of asyncio's that should be replaced."""
    ours = (implementation.task, implementation.future, implementation.event_loop)
    replaced = {id(original) for original in _ORIGINALS.values() if original not in ours}
    replaced |= {
        id(_PUBLIC[name])
        for name, primitive in implementation.primitives.items()
        if primitive is not _PUBLIC[name]
    }
    found = []
    for candidate in (module, *_modules_of_asyncio(), unittest.async_case):
        name = candidate.__name__
        found += _search(name, candidate, name, replaced, set())
    return [place for place in found if place not in _DEFINITIONS]


def probe(implementation: Implementation) -> list[str]:
    """Differences between what asyncio's entry points produce and the implementation's classes.

    It makes loops, so it belongs into a process of its own.
    """
    wrong = []

    for name, primitive in implementation.primitives.items():
        if getattr(asyncio, name) is not primitive:
            wrong.append(f"asyncio.{name} is {getattr(asyncio, name)!r}, not {primitive!r}")

    def expect(entry: str, made: object, expected: type) -> None:
        if type(made) is not expected:
            wrong.append(f"{entry} makes {type(made)!r}, not {expected!r}")

    async def look(loop: asyncio.AbstractEventLoop, entry: str) -> None:
        expect(f"{entry}: create_task", asyncio.current_task(), implementation.task)
        expect(f"{entry}: create_future", loop.create_future(), implementation.future)
        expect(
            f"{entry}: ensure_future",
            _consumed(asyncio.ensure_future(_nothing())),
            implementation.task,
        )

    loop = asyncio.new_event_loop()
    expect("new_event_loop()", loop, implementation.event_loop)
    loop.run_until_complete(look(loop, "new_event_loop()"))
    loop.close()

    with asyncio.Runner() as runner:
        expect("Runner()", runner.get_loop(), implementation.event_loop)
        runner.run(look(runner.get_loop(), "Runner()"))

    foreign = test_utils.TestLoop()
    foreign.run_until_complete(look(foreign, "a foreign loop"))
    foreign.close()
    return wrong


def _replace_selector_classes(module: ModuleType, implementation: Implementation) -> None:
    """One class for the loop under test in place of one for each of asyncio's selectors."""
    bases = module.SelectEventLoopTests.__bases__
    for name, candidate in list(vars(module).items()):
        if (
            isinstance(candidate, type)
            and candidate.__module__ == module.__name__
            and issubclass(candidate, bases)
            and "create_event_loop" in vars(candidate)
            and issubclass(candidate, unittest.TestCase)
        ):
            delattr(module, name)

    def create_event_loop(self):
        return implementation.event_loop()

    module.LoopTests = type(
        "LoopTests",
        bases,
        {"create_event_loop": create_event_loop, "__module__": module.__name__},
    )


def _modules_of_asyncio() -> list[ModuleType]:
    return [
        module for name, module in list(sys.modules.items()) if name.partition(".")[0] == "asyncio"
    ]


def _search(
    place: str, owner: object, module: str, replaced: set[int], seen: set[int]
) -> list[str]:
    """The names under which a module, or a class defined in it, holds what was replaced."""
    found = []
    for name, value in list(vars(owner).items()):
        if id(value) in replaced:
            found.append(f"{place}.{name}")
        elif isinstance(value, type) and value.__module__ == module and id(value) not in seen:
            seen.add(id(value))
            found += _search(f"{place}.{name}", value, module, replaced, seen)
    return found


async def _nothing() -> None:
    pass


def _consumed(task: asyncio.Future) -> asyncio.Future:
    """The task, cancelled so that nobody complains of its never having run."""
    task.cancel()
    return task
