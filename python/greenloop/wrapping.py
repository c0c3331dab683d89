"""A coroutine of any awaitable, of which `ensure_future` makes a task.

It is Python, because code that inspects a task looks at its coroutine's frame. The native code
calls it when an object other than a coroutine or a future becomes a task.
"""

import asyncio.tasks
import sys
from collections.abc import Awaitable
from typing import Any

if sys.version_info >= (3, 12):

    async def wrap_awaitable(awaitable: Awaitable[Any]) -> Any:
        """Await `awaitable` and return its result."""
        return await awaitable

    # asyncio defines it inside `ensure_future`; a task's repr shows this name.
    wrap_awaitable.__name__ = "_wrap_awaitable"
    wrap_awaitable.__qualname__ = "ensure_future.<locals>._wrap_awaitable"
else:
    wrap_awaitable = asyncio.tasks._wrap_awaitable  # type: ignore[attr-defined]
