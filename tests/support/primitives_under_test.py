"""Where asyncio's waiting primitives and Greenloop's are used: both loops, both kinds of tasks."""

import asyncio
import asyncio.locks
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import greenloop
from greenloop import _native


@dataclass(frozen=True)
class Setting:
    """The classes of one kind, and what runs a coroutine that uses them."""

    classes: ModuleType
    run: Callable[[Coroutine], Any]

    def __getattr__(self, name: str) -> type:
        return getattr(self.classes, name)


async def turns(number: int) -> None:
    """Let everybody else go on for so many turns."""
    for _ in range(number):
        await asyncio.sleep(0)


def run_in_tasks_of_asyncio(coroutine: Coroutine) -> Any:
    """Run a coroutine on Greenloop's loop, but in tasks of `_asyncio`'s class."""

    def new_task(loop: asyncio.AbstractEventLoop, coroutine: Coroutine, **keywords: Any) -> Any:
        return asyncio.tasks._CTask(coroutine, loop=loop, **keywords)

    with greenloop.Runner() as runner:
        runner.get_loop().set_task_factory(new_task)
        return runner.run(coroutine)


def run_in_debug_mode(coroutine: Coroutine) -> Any:
    """Run a coroutine on Greenloop's loop in debug mode."""
    return greenloop.run(coroutine, debug=True)


ORACLE = Setting(asyncio.locks, asyncio.run)

SETTINGS = {
    "asyncio": ORACLE,
    "greenloop": Setting(_native, greenloop.run),
    "greenloop-debug": Setting(_native, run_in_debug_mode),
    "greenloop-on-asyncio": Setting(_native, asyncio.run),
    "greenloop-in-asyncio-tasks": Setting(_native, run_in_tasks_of_asyncio),
}

# The same for what ends a wait from outside, which asyncio has elsewhere.
SCOPES = {
    name: Setting(asyncio if setting is ORACLE else _native, setting.run)
    for name, setting in SETTINGS.items()
}
