"""The native twins of what asyncio offers: those of its public names that the extension has too.

`PRIMITIVES` is the one list of them, and it is found rather than written down: an object of the
extension that bears a public name of asyncio's does asyncio's work. The package exports them, and
`install` puts them in asyncio's place.
"""

import asyncio
import sys
from types import BuiltinFunctionType, FunctionType
from typing import Any

from greenloop import _native

# asyncio declares these with `async def`. The others that return something to be awaited are plain
# functions there too.
_COROUTINE_FUNCTIONS = frozenset({"sleep", "wait", "wait_for"})

# The extension's loop is the engine of the public one, which `greenloop.event_loop` makes of it.
_ENGINES = frozenset({"EventLoop"})


def _find() -> dict[str, Any]:
    # `dir` and not `__all__`, in which 3.11 forgot TaskGroup.
    names = {name for name in dir(asyncio) if not name.startswith("_")} - _ENGINES
    return {
        name: _as_declared(name, vars(_native)[name]) for name in sorted(names & {*vars(_native)})
    }


def _as_declared(name: str, native: Any) -> Any:
    """Return the native object in the form that asyncio's own has.

    `inspect.iscoroutinefunction` tells what `unittest.mock.patch` puts in place of a function, and
    a built-in function has no place for the mark. From 3.12 on the interpreter lets a Python
    function be entered elsewhere than at its code: so this is a copy of asyncio's function, with
    its signature and documentation, and a call of it is a call of the native one.
    """
    original = getattr(asyncio, name)
    if (
        sys.version_info < (3, 12)
        or name not in _COROUTINE_FUNCTIONS
        or not isinstance(original, FunctionType)  # Somebody has replaced it.
        or not isinstance(native, BuiltinFunctionType)
    ):
        return native
    function = FunctionType(
        original.__code__,
        original.__globals__,
        name,
        original.__defaults__,
        original.__closure__,
    )
    function.__kwdefaults__ = original.__kwdefaults__
    function.__doc__ = original.__doc__
    function.__module__ = "greenloop"
    _native._enter_natively(function, native)
    return function


PRIMITIVES: dict[str, Any] = _find()
