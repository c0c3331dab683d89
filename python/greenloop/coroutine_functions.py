"""Coroutine functions: native functions that count as such where asyncio uses `async def`.

Programs ask `inspect.iscoroutinefunction` how to handle a callback, and `unittest.mock` how to
replace a method, but neither a built-in function nor a built-in method has a place for the mark.
So we offer a copy of asyncio's function, with its signature and documentation, and a call of it is
a call of the native one. Where asyncio documents nothing, the native function's documentation is
kept. The list of these functions is computed rather than written down.
"""

import functools
import inspect
from types import BuiltinFunctionType, FunctionType
from typing import Any

from greenloop import _native


def declared_function(native: Any, original: Any) -> Any:
    """Return a module's native function in the form that asyncio's own has."""
    if not isinstance(native, BuiltinFunctionType) or not _is_copied(original):
        return native
    function = _copy(original, native, "greenloop", original.__name__)
    _native._enter_natively(function, native)
    return function


def declare_methods(native: type, original: type) -> None:
    """Give those of a class's methods asyncio's form that are coroutine functions in asyncio.

    `__init__`, which as the name of a slot says nothing of its arguments, gets it too.
    """
    for owner in filter(_is_ours, native.__mro__):
        for name, method in list(vars(owner).items()):
            if not inspect.ismethoddescriptor(method):
                continue
            asyncios: Any = getattr(original, name, None)
            is_own = owner is native and name == "__init__" and isinstance(asyncios, FunctionType)
            if is_own or _is_copied(asyncios):
                qualified_name = f"{owner.__qualname__}.{name}"
                function = _copy(asyncios, method, owner.__module__, qualified_name)
                _native._enter_method_natively(owner, name, function)


def _is_ours(owner: type) -> bool:
    return owner.__module__.partition(".")[0] == "greenloop"


def _is_copied(original: Any) -> bool:
    # asyncio's function may have been replaced by something else.
    return isinstance(original, FunctionType) and inspect.iscoroutinefunction(original)


def _copy(original: FunctionType, native: object, module: str, qualified_name: str) -> FunctionType:
    function = FunctionType(
        original.__code__,
        original.__globals__,
        original.__name__,
        original.__defaults__,
        original.__closure__,
    )
    function.__kwdefaults__ = original.__kwdefaults__
    functools.update_wrapper(function, original)
    del function.__wrapped__  # type: ignore[attr-defined]
    if function.__doc__ is None:
        function.__doc__ = native.__doc__
    function.__module__ = module
    function.__qualname__ = qualified_name
    return function
