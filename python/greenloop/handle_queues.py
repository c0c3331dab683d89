"""The queues of handles, for functions of asyncio's own that are called on our loop.

Ours are native, and hold jobs rather than handles. But a wrapper of `BaseEventLoop._run_once` or
`call_at` calls asyncio's function in the end, and some libraries bring their own `_run_once`.
Such functions take handles out of `_ready`, and push timers into `_scheduled`.
"""

import sys
from collections.abc import Iterator
from typing import Any

# The functions that work on the queues, and do not just look. Those of libraries are copies.
_WORKING = frozenset({"_run_once", "call_at"})


class ReadyHandles:
    """The handles that are ready to run: a deque, as far as asyncio's functions use it."""

    __slots__ = ("_event_loop",)

    def __init__(self, event_loop: Any) -> None:
        self._event_loop = event_loop

    def _handles(self) -> list[Any]:
        handles: list[Any] = self._event_loop._ready_handles()
        return handles

    def __len__(self) -> int:
        return len(self._handles())

    def __iter__(self) -> Iterator[Any]:
        return iter(self._handles())

    def __getitem__(self, index: int) -> Any:
        return self._handles()[index]

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._handles()!r}>"

    def append(self, handle: Any) -> None:
        """Add a handle behind all others."""
        self._event_loop._add_callback(handle)

    def extend(self, handles: Any) -> None:
        """Add several."""
        for handle in handles:
            self.append(handle)

    def popleft(self) -> Any:
        """Take out the handle that is next, to be run by the caller."""
        handle = self._event_loop._take_ready()
        if handle is None:
            raise IndexError("pop from an empty deque")
        return handle

    def clear(self) -> None:
        """Take out all of them."""
        while self._event_loop._take_ready() is not None:
            pass


def is_asked_by_working_function() -> bool:
    """Return whether the caller of our caller works on the queues, and does not just look."""
    return sys._getframe(2).f_code.co_name in _WORKING
