"""`GREENLOOP_LOG=1`: each process says which loops run in it, a line at the first start of each.

A program under the launcher may start workers, and a library may choose its own loop; nothing else
would show that. The lines go to standard error. It costs nothing unless it is asked for.
"""

import asyncio
import os
import sys
import weakref
from asyncio import events
from typing import Any

_VARIABLE = "GREENLOOP_LOG"


def log_loops_if_asked() -> None:
    """Log the start of each loop if the environment asks for it: any value but "" and "0" does.

    For the purpose it replaces `asyncio._set_running_loop`, by which every loop, also another
    library's, says that it runs. Libraries imported before are not seen.
    """
    if os.environ.get(_VARIABLE, "") not in ("", "0"):
        asyncio._set_running_loop = events._set_running_loop = _set_running_loop


def _set_running_loop(loop: asyncio.AbstractEventLoop | None, /) -> None:
    _original(loop)
    if loop is not None and _is_new(loop):
        kind = type(loop)
        line = f"greenloop: process {os.getpid()} runs {kind.__module__}.{kind.__qualname__}"
        if sys.stderr is not None:  # As in a process without a console.
            print(line, file=sys.stderr, flush=True)


def _is_new(loop: Any) -> bool:
    # Addresses are reused, so they alone would not suffice. A forked process is another one.
    key = os.getpid(), id(loop)
    known = _seen.get(key)
    if known is not None and known() is loop:
        return False
    _seen[key] = weakref.ref(loop, lambda _: _seen.pop(key, None))
    return True


_original = events._set_running_loop
_seen: dict[tuple[int, int], "weakref.ref[Any]"] = {}
