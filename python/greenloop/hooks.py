"""Hooks that programs put into asyncio's own classes, and how ours honour them.

Tracing products wrap methods of `asyncio.BaseEventLoop`, and monitors replace
`asyncio.Handle._run`. Our loop inherits from asyncio's, so hooks on inherited methods take effect
by themselves. Where our class overrides a method of asyncio's, a hook on asyncio's method is put
into our class too, and removed again with the original. The classes are checked when a loop is
made, whenever a turn begins after one of them was changed, and before a method of an idle loop
runs.
"""

from asyncio import events, unix_events
from collections.abc import Iterator
from types import FunctionType
from typing import Any

from greenloop import _native

_ASYNCIOS: Any = unix_events._UnixSelectorEventLoop

# As they were when we were imported: later these may be ours.
_ASYNCIOS_HANDLES: tuple[Any, ...] = (events.Handle, events.TimerHandle)
_HANDLES: tuple[Any, ...] = (_native.Handle, _native.TimerHandle)

# Our methods that call asyncio's, if there is a hook.
_CALLING = frozenset({"add_signal_handler", "close"})

# asyncio's methods that work only on its selector.
_SELECTING = frozenset({"_add_reader", "_add_writer", "_remove_reader", "_remove_writer"})

_NOTHING: Any = object()


def _find(owner: type, name: str) -> Any:
    """Return the raw attribute of that name in a class or in its bases."""
    return next((vars(base)[name] for base in owner.__mro__ if name in vars(base)), _NOTHING)


class _Function:
    """A function of asyncio's as its source has it."""

    def __init__(self, owner: type, name: str) -> None:
        self._owner = owner
        self._name = name
        found = self.find()
        # An earlier replacement is no function, or one of another module, or bears marks.
        code = getattr(found, "__code__", None)
        module = next(base.__module__ for base in owner.__mro__ if name in vars(base))
        is_asyncios = type(found) is FunctionType and found.__globals__.get("__name__") == module
        self._function = found if is_asyncios and not vars(found) else _NOTHING
        # Some products leave the function in its place and change what it does.
        self._code = code

    def find(self) -> Any:
        """Return the present attribute."""
        return _find(self._owner, self._name)

    def is_replaced(self) -> bool:
        """Return whether that is anything else than asyncio's function, or does anything else."""
        found = self.find()
        return found is not self._function or found.__code__ is not self._code


class _Method:
    """A method of our class that a hook of asyncio's class may replace.

    As a descriptor it is in our class while there is a hook, and checks for it each time: a hook
    that was removed is called no more.
    """

    def __init__(self, owner: type, name: str) -> None:
        self.function = _Function(_ASYNCIOS, name)
        self._inherited = next(
            (vars(b)[name] for b in owner.__mro__[1:] if name in vars(b)), _NOTHING
        )
        # The class's own attribute, and the hook it was given last.
        self.own = self.given = vars(owner).get(name, _NOTHING)

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        own = self._inherited if self.own is _NOTHING else self.own
        found = self.function.find() if self.function.is_replaced() else own
        bind = getattr(type(found), "__get__", None)
        return found if bind is None else bind(found, instance, owner)


class Hooks:
    """The hooks in asyncio's classes, as the class of our loops honours them."""

    def __init__(self, event_loop_class: type) -> None:
        self._class = event_loop_class
        names = _names_with_two_methods(event_loop_class)
        self._methods = {name: _Method(event_loop_class, name) for name in names}
        self._runs = [_Function(owner, "_run") for owner in _ASYNCIOS_HANDLES]
        self._own_run = _find(_native.Handle, "_run")
        # Each class of asyncio's does its part of this, and calls the next one.
        owners = [base for base in _ASYNCIOS.__mro__[:-2] if "close" in vars(base)]
        self._closes = [_Function(owner, "close") for owner in owners]

    def are_in_close(self) -> bool:
        """Return whether `close` was replaced in one of asyncio's classes."""
        return any(function.is_replaced() for function in self._closes)

    def take_over(self) -> bool:
        """Have our class use the hooks of asyncio's; return whether `Handle._run` was replaced."""
        for name, method in self._methods.items():
            wanted = method if method.function.is_replaced() else method.own
            # An attribute set on our class itself takes precedence over a hook on asyncio's.
            if wanted is method.given or vars(self._class).get(name, _NOTHING) is not method.given:
                continue
            method.given = wanted
            if wanted is _NOTHING:
                delattr(self._class, name)
            else:
                setattr(self._class, name, wanted)
        return self.are_in_handles()

    def are_in_handles(self) -> bool:
        """Return whether `Handle._run` was replaced, in asyncio's classes or in ours."""
        ours = any(_find(owner, "_run") is not self._own_run for owner in _HANDLES)
        return ours or any(function.is_replaced() for function in self._runs)


def _names_with_two_methods(event_loop_class: type) -> Iterator[str]:
    """Give the names of asyncio's methods that our class overrides."""
    names = {name for base in _ASYNCIOS.__mro__[:-1] for name in vars(base)}
    for name in sorted(names):
        asyncios = _find(_ASYNCIOS, name)
        if name.startswith("__") or name in _CALLING | _SELECTING or not callable(asyncios):
            continue
        if _find(event_loop_class, name) is not asyncios:
            yield name
