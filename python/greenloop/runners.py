"""`run` and `Runner`: asyncio's own, with Greenloop's event loop as the default.

Everything but the choice of the loop is inherited, so that signals, contexts, shutdown and error
texts are those of the running Python, whichever version it is.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeAlias, TypeVar

from greenloop.event_loop import EventLoop

_T = TypeVar("_T")

if sys.version_info >= (3, 14):
    _Main: TypeAlias = Awaitable[_T]
else:
    _Main: TypeAlias = Coroutine[Any, Any, _T]


def new_event_loop() -> EventLoop:
    """Return a new, open event loop that runs in no thread yet.

    It is the loop factory to hand to `asyncio.run`, `asyncio.Runner`, uvicorn and test plugins.
    """
    return EventLoop()


# typeshed marks Runner as final because its documentation discourages inheritance; at run time it
# is an ordinary class, and inheriting is what keeps ours identical to it.
class Runner(asyncio.Runner):  # type: ignore[misc]
    """`asyncio.Runner`, whose loop is Greenloop's unless a `loop_factory` says otherwise."""

    def __init__(
        self,
        *,
        debug: bool | None = None,
        loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None,
    ) -> None:
        if loop_factory is None:
            loop_factory = self._new_current_loop
        super().__init__(debug=debug, loop_factory=loop_factory)

    def _new_current_loop(self) -> asyncio.AbstractEventLoop:
        # asyncio.Runner does the same when it is given no factory: the new loop becomes the
        # thread's current loop, and the flag makes close() take it back.
        loop = new_event_loop()
        asyncio.set_event_loop(loop)
        self._set_event_loop = True
        return loop


if sys.version_info >= (3, 12):

    def run(
        main: _Main[_T],
        *,
        debug: bool | None = None,
        loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None,
    ) -> _T:
        """Run the coroutine on a new Greenloop loop and return its result, as `asyncio.run`."""
        _refuse_running_loop()
        with Runner(debug=debug, loop_factory=loop_factory) as runner:
            return runner.run(main)

else:

    def run(main: _Main[_T], *, debug: bool | None = None) -> _T:
        """Run the coroutine on a new Greenloop loop and return its result, as `asyncio.run`."""
        _refuse_running_loop()
        with Runner(debug=debug) as runner:
            return runner.run(main)


def _refuse_running_loop() -> None:
    # asyncio._get_running_loop is the documented way for loops to ask without an exception.
    if asyncio._get_running_loop() is not None:
        # asyncio's words, since programs and tests compare them.
        raise RuntimeError("asyncio.run() cannot be called from a running event loop")
