"""`Watch`: a callback for a socket that is ready, called once in each turn while it is.

This is what a level-triggered poller does for a descriptor of the system.
"""

from __future__ import annotations

import contextvars
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from greenloop.testing.network.loop_face import LoopFace


class Watch:
    """A callback that waits for a socket, with the part of a handle that asyncio's code uses."""

    def __init__(
        self,
        face: LoopFace,
        is_ready: Callable[[], bool],
        callback: Callable[..., object],
        arguments: tuple[Any, ...],
        context: contextvars.Context | None,
    ) -> None:
        """Wait with a callback, which runs in a context, or in a copy of the present one."""
        self._face = face
        self._is_ready = is_ready
        self._callback = callback
        self._arguments = arguments
        self._context = contextvars.copy_context() if context is None else context
        self._is_queued = False
        self._is_cancelled = False
        self.look()

    def look(self) -> None:
        """Have the callback called in the next turn if the socket is ready."""
        if self._is_queued or self._is_cancelled or not self._is_ready():
            return
        self._is_queued = True
        self._face.soon(self._run, context=self._context)

    def cancel(self) -> None:
        """Call no more."""
        self._is_cancelled = True

    def cancelled(self) -> bool:
        """Return whether `cancel` was called."""
        return self._is_cancelled

    def _run(self) -> None:
        self._is_queued = False
        if self._is_cancelled or not self._is_ready():
            return
        try:
            self._callback(*self._arguments)
        finally:
            self.look()
