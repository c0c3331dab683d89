"""The primitives that programs wait with: what of asyncio's has to be native, and no longer run."""

import asyncio
import types

# Each is written in Python in asyncio, and the reason why a fast loop alone does not help.
PRIMITIVES = (
    "Queue", "LifoQueue", "PriorityQueue",
    "Event", "Lock", "Semaphore", "BoundedSemaphore", "Condition", "Barrier",
    "sleep", "gather", "shield", "wait", "wait_for", "as_completed", "create_task", "ensure_future",
    "timeout", "timeout_at", "Timeout", "TaskGroup",
)  # fmt: skip

CLASSES = tuple(name for name in PRIMITIVES if isinstance(getattr(asyncio, name), type))
FUNCTIONS = tuple(name for name in PRIMITIVES if name not in CLASSES)
COROUTINE_FUNCTIONS = ("sleep", "wait", "wait_for")


def codes_of(name):
    """Every code object of the primitive as asyncio has it, with what is nested in it."""
    primitive = getattr(asyncio, name)
    owners = primitive.__mro__[:-1] if isinstance(primitive, type) else ()
    functions = [primitive, *(value for owner in owners for value in vars(owner).values())]
    pending = [one.__code__ for one in functions if isinstance(one, types.FunctionType)]
    found = set()
    while pending:
        code = pending.pop()
        if code.co_filename.startswith(asyncio.__path__[0]) and code not in found:
            found.add(code)
            pending += [one for one in code.co_consts if isinstance(one, types.CodeType)]
    return found
