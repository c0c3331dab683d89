"""Which of asyncio's names are Greenloop's, and how asyncio itself can be made to use them.

Importing Greenloop patches nothing. `install` replaces the names below in asyncio's own modules for
the whole process, so that a program written with `import asyncio` runs on Greenloop unchanged, and
`uninstall` restores them. A module that has run `from asyncio import Task` before keeps asyncio's
class: install first, import the program afterwards.
"""

import asyncio
import asyncio.events
import asyncio.tasks
import asyncio.unix_events
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any, NamedTuple

from greenloop import _native
from greenloop.event_loop import EventLoop
from greenloop.primitives import PRIMITIVES
from greenloop.runners import Runner, new_event_loop, run
from greenloop.selector_event_loop import SelectorEventLoop
from greenloop.subprocesses import SUBPROCESSES
from greenloop.whole_process import leave_whole_process, take_whole_process

# What is replaced wherever asyncio has it.
_REPLACING: dict[str, Any] = {
    **PRIMITIVES,
    **SUBPROCESSES,
    "SelectorEventLoop": SelectorEventLoop,
}
if sys.version_info >= (3, 12):
    eager_task_factory = asyncio.create_eager_task_factory(_native.Task)
    eager_task_factory.__doc__ = "Return a new task, whose coroutine has run to its first wait."
    # Our loop makes the objects of these classes without calling them.
    _native._set_eager_task_factories([asyncio.eager_task_factory, eager_task_factory])
    _REPLACING["eager_task_factory"] = eager_task_factory
if sys.version_info >= (3, 13):
    _REPLACING["EventLoop"] = SelectorEventLoop  # The same class in asyncio as well.

# asyncio.run, Runner and new_event_loop are not replaced: all three ask the policy for the loop,
# and so does everything that was imported from asyncio before.
_NATIVE: dict[str, Any] = {
    **_REPLACING,
    **({"EventLoop": EventLoop} if sys.version_info >= (3, 13) else {}),
    "Runner": Runner,
    "new_event_loop": new_event_loop,
    "run": run,
}

# asyncio's own objects when Greenloop was imported. A name that was replaced since in one of
# asyncio's modules is still asyncio's own in the others.
_ORIGINALS: dict[str, Any] = {name: getattr(asyncio, name) for name in _REPLACING}


def native_names() -> frozenset[str]:
    """Return those of asyncio's public names under which `greenloop` offers its own object.

    Every other name of asyncio's is offered too, and is asyncio's own.
    """
    return frozenset(_NATIVE)


def install(*, whole_process: bool = False) -> None:
    """Replace asyncio's classes, functions and default event loop by Greenloop's, process-wide.

    With `whole_process`, as the launcher does it, interpreters that multiprocessing starts run on
    Greenloop as well ("spawn" and "forkserver"), and uvicorn and gunicorn take it where they choose
    a loop by themselves; a loop that is named stays the one that is named.

    Installing twice does the same as installing once. Objects made before stay what they are, and
    so do classes that were derived from asyncio's before.
    """
    if whole_process:
        take_whole_process()
    if _installed:
        return
    # Listed first, since replacing changes the objects that are searched for.
    for owner, name, ours in list(_replacements()):
        _installed.append(_Replaced(owner, name, vars(owner)[name], ours))
        setattr(owner, name, ours)


def uninstall() -> None:
    """Put back what `install` replaced; do nothing if nothing is installed.

    A name that other code has replaced since then is left alone.
    """
    leave_whole_process()
    originals = {name: original for owner, name, original, _ in _installed if owner is asyncio}
    while _installed:
        replaced = _installed.pop()
        if getattr(replaced.owner, replaced.name) is replaced.ours:
            setattr(replaced.owner, replaced.name, replaced.original)
    # A module of asyncio's that was imported in the meantime has taken our objects.
    for module in _modules_of_asyncio():
        for name, original in originals.items():
            if vars(module).get(name) is _REPLACING[name]:
                setattr(module, name, original)


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


def _replacements() -> Iterator[tuple[Any, str, Any]]:
    """Give what is to be replaced: the owner (a module or a class), the name there, our object."""
    for name, ours in _REPLACING.items():
        asyncios = (_ORIGINALS[name], getattr(asyncio, name))
        for module in _modules_of_asyncio():
            there = vars(module).get(name)
            # Only under its own name: an object called `_CTask` or `_UnixSelectorEventLoop` is
            # asyncio's and says so, though it is the same object.
            if any(there is one for one in asyncios):
                yield module, name, ours
    if sys.version_info >= (3, 14):
        yield asyncio.events, "_ThreadSafeHandle", _native.ThreadSafeHandle
    yield _default_policy_class(), "_loop_factory", EventLoop
    # A policy that another library has set would keep that library's loop the default. The stock
    # policy, if one is in use, is kept: it knows the current loop and the child watcher.
    policy = asyncio.events._event_loop_policy  # type: ignore[attr-defined]
    if policy is not None and type(policy) is not _default_policy_class():
        yield asyncio.events, "_event_loop_policy", _default_policy_class()()


def _modules_of_asyncio() -> list[ModuleType]:
    """List asyncio and those of its modules that are loaded, which take names from each other."""
    return [
        module
        for name, module in sorted(sys.modules.items())
        if name == "asyncio" or name.startswith("asyncio.")
        if isinstance(module, ModuleType)
    ]


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
