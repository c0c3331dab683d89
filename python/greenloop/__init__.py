"""Greenloop: asyncio, written in Rust.

This module offers every public name of the running Python's asyncio, so that
`import greenloop as asyncio` works; `native_names` tells which of them are Greenloop's own. Beyond
those it adds `EventLoop`, `ThreadQueue`, what shows the tasks of a program and what it runs on
(`trace`, `watch`, `flight_recorder`, `stats`, `name`, `Deadlock`, `doctor`), and what makes asyncio
itself use Greenloop: `install`, `uninstall`, `installed_names`. Importing it changes nothing in
asyncio.

PYTEST_DONT_REWRITE: pytest would warn that it comes too late to rewrite assertions, where this was
imported before it, as the launcher does.
"""

import asyncio as _asyncio
import sys

# The one glob of the package: which names asyncio has differs from version to version, and those
# of the running one are what is promised. Where a name is also imported below, type checkers see
# asyncio's type, which ours implements.
from asyncio import *  # noqa: F403
from typing import TYPE_CHECKING as _TYPE_CHECKING
from typing import Any as _Any

from greenloop.interpreter import refuse_unsupported_interpreter as _refuse_unsupported_interpreter

# Before the extension is loaded, which would fail less clearly.
_refuse_unsupported_interpreter()

from greenloop._native import Future, Handle, Task, TimerHandle
from greenloop._native import __version__ as _version
from greenloop.adoption import install, installed_names, native_names, uninstall
from greenloop.deadlock import Deadlock
from greenloop.event_loop import EventLoop  # type: ignore[assignment,unused-ignore]
from greenloop.loop_log import log_loops_if_asked as _log_loops_if_asked
from greenloop.observation import doctor, flight_recorder, name, stats, trace, watch
from greenloop.primitives import PRIMITIVES as _PRIMITIVES
from greenloop.runners import Runner, new_event_loop, run
from greenloop.selector_event_loop import (
    SelectorEventLoop,  # type: ignore[assignment,unused-ignore]
)
from greenloop.subprocesses import SUBPROCESSES as _SUBPROCESSES
from greenloop.thread_queue import ThreadQueue

if sys.version_info >= (3, 12):
    from greenloop.adoption import eager_task_factory  # type: ignore[assignment,unused-ignore]

__version__ = _version

__all__ = [
    "Deadlock",
    "EventLoop",
    "ThreadQueue",
    "doctor",
    "flight_recorder",
    "install",
    "installed_names",
    "name",
    "native_names",
    "stats",
    "trace",
    "uninstall",
    "watch",
]
__all__ += [name for name in _asyncio.__all__ if name not in __all__]

_log_loops_if_asked()

if not _TYPE_CHECKING:
    # Queues, locks, timeouts and so on, in asyncio's place.
    globals().update(_PRIMITIVES | _SUBPROCESSES)

    def __getattr__(name: str) -> _Any:
        # Names that asyncio has without declaring them public, deprecated ones which it makes up on
        # demand (with its warning), and its modules, as in `asyncio.tasks.all_tasks`.
        try:
            if not name.startswith("__"):
                return getattr(_asyncio, name)
        except AttributeError:
            pass  # asyncio's message would name asyncio.
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__() -> list[str]:
        return sorted({*globals(), *dir(_asyncio)})
