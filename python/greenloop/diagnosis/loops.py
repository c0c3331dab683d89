"""Event loops as a report shows them: whose they are, which short cuts are closed, and why."""

from __future__ import annotations

import asyncio
import sys
from asyncio import events
from types import TracebackType
from typing import Any, Self

from greenloop import _native
from greenloop.event_loop import _HOOKS, EventLoop

_Facts = dict[str, Any]


def describe(loop: asyncio.AbstractEventLoop) -> _Facts:
    """Return the facts about a loop that is open."""
    kind = type(loop)
    facts: _Facts = {"loop": f"{kind.__module__}.{kind.__qualname__}", "debug": loop.get_debug()}
    if not isinstance(loop, _native.EventLoop):
        return facts | {"native": False}
    overridden = loop._overridden_methods()
    return facts | {
        "native": True,
        "subclass": kind is not EventLoop,
        "overridden": overridden,
        "handles run by": "a replaced Handle._run" if _runs_by_name() else "the loop",
        "short cuts": _short_cuts(loop, overridden),
    }


def _runs_by_name() -> bool:
    return _HOOKS.are_in_handles()


def _short_cuts(loop: Any, overridden: list[str]) -> str:
    if loop._takes_short_cuts:
        return "taken" if not overridden else "taken, but for what is overridden"
    if loop.is_closed():
        return "not taken: the loop is closed"
    if loop.get_debug():
        return "not taken: debug mode shows every call"
    return f"not taken: {', '.join(overridden) or 'a method'} is overridden"


def describe_present_loop() -> _Facts:
    """Return the facts about this thread's running loop, else about a new one of Greenloop's.

    A new loop shows what a program has replaced in the classes.
    """
    running = asyncio._get_running_loop()
    if running is not None:
        return {"running": True} | describe(running)
    loop = EventLoop()
    try:
        return {"running": False} | describe(loop)
    finally:
        loop.close()


def modules_with_greenloop_as_asyncio() -> list[str]:
    """Return the names of the modules that have run `import greenloop as asyncio`."""
    ours = sys.modules["greenloop"]
    return sorted(
        name
        for name, module in list(sys.modules.items())
        if getattr(module, "__dict__", {}).get("asyncio") is ours
    )


class Watch:
    """Inside of `with`, notes each loop that runs in the process, also another library's.

    `seen` has the facts of each, as they were when it ended its last run.
    """

    def __init__(self) -> None:
        self._loops: dict[int, tuple[asyncio.AbstractEventLoop, _Facts]] = {}

    @property
    def seen(self) -> list[_Facts]:
        """The loops in the order in which they began to run."""
        return [facts for _, facts in self._loops.values()]

    def __enter__(self) -> Self:
        self._original = events._set_running_loop
        asyncio._set_running_loop = events._set_running_loop = self._set_running_loop
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        asyncio._set_running_loop = events._set_running_loop = self._original

    def _set_running_loop(self, loop: asyncio.AbstractEventLoop | None, /) -> None:
        # At the end of a run it is None that runs next.
        there = loop if loop is not None else asyncio._get_running_loop()
        self._original(loop)
        if there is not None and not there.is_closed():
            # Held, so that no other loop gets its address.
            self._loops[id(there)] = there, describe(there)
