"""A whole process on Greenloop, beyond asyncio's names: child processes, and servers' defaults.

A program can get past `install` in two ways, by interpreters that it starts through multiprocessing
and by a server's own preference for another loop. Both are closed here, for the launcher and for
`install(whole_process=True)`. A loop that a program or its user names is left alone:
`uvloop.install()`, `--loop uvloop`.
"""

import asyncio
import functools
import os
import sys
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

from greenloop.import_hook import after_import
from greenloop.runners import new_event_loop


def take_whole_process() -> None:
    """Have children of multiprocessing run on Greenloop, and servers choose it by default."""
    _state.active = True
    if not _state.prepared:
        _state.prepared = True
        for name, action in _ACTIONS.items():
            after_import(name, action)


def leave_whole_process() -> None:
    """Let children and servers run as they do without Greenloop."""
    _state.active = False


def is_taken() -> bool:
    """Return whether children and servers run on Greenloop."""
    return _state.active


class _State:
    # Whether it is in force. The functions that were put in place ask at each call.
    active = False
    # Whether they have been put in place, which happens once.
    prepared = False


_state = _State()


# Children of multiprocessing. "spawn" and "forkserver" start `python -c` with one of these in the
# code, whatever the version of Python; with "fork", nothing needs to be done.
_STARTS = "from multiprocessing.spawn import ", "from multiprocessing.forkserver import "


def _start_children_under_the_launcher(module: ModuleType) -> None:
    """Have `multiprocessing.util` start interpreters as this one was started."""
    util: Any = module
    start = util.spawnv_passfds
    _replace(
        util,
        "spawnv_passfds",
        lambda path, args, passfds: start(path, _under_the_launcher(path, args), passfds),
    )


def _under_the_launcher(executable: str | bytes, arguments: Sequence[Any]) -> Sequence[Any]:
    """Return a command of multiprocessing's with the launcher in it; any other as it is.

    An executable that the program has named itself (`multiprocessing.set_executable`) may have no
    Greenloop, and stays plain.
    """
    if os.fsdecode(executable) != sys.executable or "-c" not in arguments:
        return arguments
    place = arguments.index("-c")
    code = str(*arguments[place + 1 : place + 2])
    if not any(start in code for start in _STARTS):
        return arguments
    return [*arguments[:place], "-m", "greenloop", *arguments[place:]]


# Servers that take uvloop when they find it, unless they are told otherwise.


def _choose_in_uvicorn(module: ModuleType) -> None:
    """Make the loop of `--loop auto`, uvicorn's default, ours."""
    # uvicorn 0.36 and newer asks for a factory, older ones have the policy set.
    if hasattr(module, "auto_loop_factory"):
        _replace(module, "auto_loop_factory", lambda *_, **__: new_event_loop)
    if hasattr(module, "auto_loop_setup"):
        _replace(module, "auto_loop_setup", lambda *_, **__: None)


def _choose_in_gunicorn(module: ModuleType) -> None:
    """Make the loop of `--asgi-loop auto`, the default of gunicorn's own ASGI worker, ours."""
    worker: Any = getattr(module, "ASGIWorker", None)
    if not hasattr(worker, "_setup_event_loop"):
        return
    set_up = worker._setup_event_loop

    def choose(self: Any) -> None:
        if getattr(self.cfg, "asgi_loop", "auto") != "auto":
            set_up(self)
            return
        self.loop = new_event_loop()
        asyncio.set_event_loop(self.loop)

    _replace(worker, "_setup_event_loop", choose)


def _replace(owner: Any, name: str, ours: Callable[..., Any]) -> None:
    """Put `ours` in place of a function, to be called in its stead while Greenloop is in force."""
    original = getattr(owner, name)

    @functools.wraps(original)
    def function(*args: Any, **keywords: Any) -> Any:
        return (ours if _state.active else original)(*args, **keywords)

    setattr(owner, name, function)


_ACTIONS: dict[str, Callable[[ModuleType], None]] = {
    "multiprocessing.util": _start_children_under_the_launcher,
    "uvicorn.loops.auto": _choose_in_uvicorn,
    "gunicorn.workers.gasgi": _choose_in_gunicorn,
}
