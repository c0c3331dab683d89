"""The native twins of asyncio's objects: those of its public names that the extension has too.

`PRIMITIVES` is the one list of them, and it is computed rather than written down: an object of the
extension that bears a public name of asyncio's does asyncio's work. The package exports them, and
`install` puts them in asyncio's place.
"""

import asyncio
from typing import Any

from greenloop import _native
from greenloop.coroutine_functions import declare_methods, declared_function

# The extension's loop is the engine of the public one, which `greenloop.event_loop` makes of it.
_ENGINES = frozenset({"EventLoop"})


def _find() -> dict[str, Any]:
    # `dir` and not `__all__`, in which 3.11 forgot TaskGroup.
    names = {name for name in dir(asyncio) if not name.startswith("_")} - _ENGINES
    return {
        name: _as_declared(name, vars(_native)[name]) for name in sorted(names & {*vars(_native)})
    }


def _as_declared(name: str, native: Any) -> Any:
    """Return the native object in the form that asyncio's own has."""
    original = getattr(asyncio, name)
    if not isinstance(native, type):
        return declared_function(native, original)
    if isinstance(original, type):
        declare_methods(native, original)
    return native


PRIMITIVES: dict[str, Any] = _find()
# From here on, any other object there was put there by the program.
_native._remember_originals()
