"""Which of asyncio's names are Greenloop's, and how asyncio itself can be made to use them.

Importing Greenloop patches nothing. `install` replaces the names below in asyncio's own modules for
the whole process, so that a program written with `import asyncio` runs on Greenloop unchanged, and
`uninstall` puts back what stood there. A module that has said `from asyncio import Task` before
keeps what it took: install first, import the program afterwards.
"""

import asyncio
import asyncio.events
import asyncio.futures
import asyncio.tasks
import asyncio.unix_events
import sys
from typing import Any, NamedTuple

from greenloop._native import Future, Handle, Task, TimerHandle
from greenloop.event_loop import EventLoop
from greenloop.runners import Runner, new_event_loop, run

if sys.version_info >= (3, 14):
    from greenloop._native import ThreadSafeHandle

_NATIVE: dict[str, Any] = {
    "Future": Future,
    "Handle": Handle,
    "Runner": Runner,
    "Task": Task,
    "TimerHandle": TimerHandle,
    "new_event_loop": new_event_loop,
    "run": run,
}
if sys.version_info >= (3, 12):
    eager_task_factory = asyncio.create_eager_task_factory(Task)
    # A loop of ours makes what these would make without calling them.
    EAGER_TASK_FACTORIES: list[Any] = [asyncio.eager_task_factory, eager_task_factory]
    _NATIVE["eager_task_factory"] = eager_task_factory
if sys.version_info >= (3, 13):
    _NATIVE["EventLoop"] = EventLoop


def native_names() -> frozenset[str]:
    """Return those of asyncio's public names under which `greenloop` offers its own object.

    Every other name of asyncio's is offered too, and is asyncio's own.
    """
    return frozenset(_NATIVE)


def install() -> None:
    """Replace asyncio's classes and its default event loop by Greenloop's, for the whole process.

    Installing twice does the same as installing once. Objects made before stay what they are.
    """
    if _installed:
        return
    for owner, name, ours in _replacements():
        _installed.append(_Replaced(owner, name, getattr(owner, name), ours))
        setattr(owner, name, ours)


def uninstall() -> None:
    """Put back what `install` replaced; do nothing if nothing is installed.

    A name that somebody else has replaced since then stays theirs.
    """
    while _installed:
        replaced = _installed.pop()
        if getattr(replaced.owner, replaced.name) is replaced.ours:
            setattr(replaced.owner, replaced.name, replaced.original)


def installed_names() -> tuple[str, ...]:
    """Return the dotted names that `install` has replaced, sorted; empty if it is not installed."""
    return tuple(sorted(f"{_dotted(owner)}.{name}" for owner, name, _, _ in _installed))


class _Replaced(NamedTuple):
    owner: Any
    name: str
    original: Any
    ours: Any


# In the order of replacement. Only `install` and `uninstall` change it.
_installed: list[_Replaced] = []


def _replacements() -> list[tuple[Any, str, Any]]:
    """List what is to be replaced: the owner (a module or a class), the name there, our object."""
    replacements: list[tuple[Any, str, Any]] = [
        (asyncio, "Future", Future),
        (asyncio.futures, "Future", Future),
        (asyncio, "Task", Task),
        (asyncio.tasks, "Task", Task),
        (asyncio, "Handle", Handle),
        (asyncio.events, "Handle", Handle),
        (asyncio, "TimerHandle", TimerHandle),
        (asyncio.events, "TimerHandle", TimerHandle),
        # asyncio.run, Runner and new_event_loop stay as they are: all three ask the policy for the
        # loop, and so does everything that was imported from asyncio before.
        (_default_policy_class(), "_loop_factory", EventLoop),
    ]
    if sys.version_info >= (3, 12):
        replacements += [
            (asyncio, "eager_task_factory", eager_task_factory),
            (asyncio.tasks, "eager_task_factory", eager_task_factory),
        ]
    if sys.version_info >= (3, 13):
        replacements += [
            (asyncio, "EventLoop", EventLoop),
            (asyncio.unix_events, "EventLoop", EventLoop),
        ]
    if sys.version_info >= (3, 14):
        replacements.append((asyncio.events, "_ThreadSafeHandle", ThreadSafeHandle))
    # A policy that another library has set would keep that library's loop the default. The stock
    # policy, if one is in use, is kept: it knows the current loop and the child watcher.
    policy = asyncio.events._event_loop_policy  # type: ignore[attr-defined]
    if policy is not None and type(policy) is not _default_policy_class():
        replacements.append((asyncio.events, "_event_loop_policy", _default_policy_class()()))
    return replacements


def _default_policy_class() -> Any:
    """Return the class of asyncio's stock policy, without 3.14's warning about its public name.

    Replacing its loop factory rather than setting a policy of our own keeps child watchers, the
    current loop and `set_event_loop_policy(None)` what they are in asyncio.
    """
    return asyncio.unix_events._UnixDefaultEventLoopPolicy


def _dotted(owner: Any) -> str:
    if isinstance(owner, type):
        return f"{owner.__module__}.{owner.__qualname__}"
    return str(owner.__name__)
