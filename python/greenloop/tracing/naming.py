"""The names of resources: the one that the program gave, else the variable that holds the resource.

Of connections the addresses are noted as well, by which the two ends of one find each other.

Names are looked for while the resource is in use, in the frames of the task that has just met it:
local variables, attributes of `self`, globals of the module, and what small lists and dictionaries
among these hold. Looking calls no code of the program but `__hash__` and `__eq__` of keys.
"""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Iterator, Mapping
from types import FrameType
from typing import Any

import greenloop
from greenloop import _native

_MOST_ITEMS = 64
"""The largest list or dictionary in which resources are looked for."""


class Reference(weakref.ref[Any]):
    """The weak reference to a resource that was named. Nobody gets the resource from it."""

    __slots__ = ("key",)

    key: int
    """The identity of the resource."""


_given: dict[int, tuple[Reference, str]] = {}
"""The names that were given, by the identities of the resources."""


def name(resource: object, name: str) -> None:
    """`greenloop.name`."""
    if not isinstance(name, str):
        raise TypeError(f"the name of a resource has to be a str, not {type(name).__name__}")
    reference = Reference(resource, _forget)
    reference.key = id(resource)
    _given[reference.key] = reference, name


def _forget(reference: Reference) -> None:
    """Forget the name of a resource that is no more."""
    if (known := _given.get(reference.key)) is not None and known[0] is reference:
        del _given[reference.key]


class Finder:
    """Finds the names of resources, and remembers them by the numbers of the resources."""

    def __init__(self) -> None:
        self.found: dict[int, tuple[str, str]] = {}
        """For each number that was found: the name, and the name of the class."""
        self.ends: dict[int, tuple[object, object]] = {}
        """For each connection that was found: the address of this end, and of the other one."""

    def __call__(self, task: Any) -> None:
        """Look into the frames of a suspended task, the innermost last: its names are the best."""
        for frame in _frames(task.get_coro()):
            self._look_into(frame.f_globals)
            for variable, value in _native._locals_of(frame).items():
                self._note(variable, value)
                if variable == "self":
                    self._look_into(getattr(value, "__dict__", {}))

    def _look_into(self, names: Mapping[str, object]) -> None:
        for variable, value in list(names.items()):
            self._note(variable, value)

    def _note(self, variable: object, value: object) -> None:
        for found, resource in items_of(str(variable), value):
            number = _native._number_of(resource)
            if number:
                name = given_name(resource) or found
                self.found[number] = (name, type(resource).__name__)
            if type(resource) in (greenloop.StreamReader, greenloop.StreamWriter):
                self._note_connection(found, resource)

    def _note_connection(self, found: str, stream: Any) -> None:
        """Note the ends of a connection, and a name for a reader that only its writer leads to."""
        reader = stream if type(stream) is greenloop.StreamReader else stream._reader
        number = _native._number_of(reader)
        if number and number not in self.ends:
            self.found.setdefault(number, (given_name(stream) or found, "StreamReader"))
            self.ends[number] = addresses_of(stream._transport)


def addresses_of(transport: Any) -> tuple[object, object]:
    """Return the addresses of both ends of a transport of a library: None for one without."""
    if not type(transport).__module__.startswith(("greenloop", "asyncio")):
        return None, None
    return transport.get_extra_info("sockname"), transport.get_extra_info("peername")


def items_of(variable: str, value: object) -> Iterator[tuple[str, object]]:
    """Yield the value, or what a small container holds, each with the words for it."""
    if type(value) in (list, tuple) and len(value) <= _MOST_ITEMS:  # type: ignore[arg-type]
        for index, item in enumerate(value):  # type: ignore[arg-type,var-annotated]
            yield f"{variable}[{index}]", item
    elif type(value) is dict and len(value) <= _MOST_ITEMS:
        for key, item in itertools.islice(list(value.items()), _MOST_ITEMS):
            if type(key) in (str, int):
                yield f"{variable}[{key!r}]", item
    else:
        yield variable, value


def given_name(resource: object) -> str | None:
    """Return the name that `greenloop.name` gave a resource, if it did."""
    known = _given.get(id(resource))
    return known[1] if known is not None and known[0]() is resource else None


def _frames(coroutine: Any) -> Iterator[FrameType]:
    """Yield the frames of a coroutine and of what it awaits."""
    while coroutine is not None:
        frame = None
        for prefix, awaited in (("cr", "await"), ("gi", "yieldfrom"), ("ag", "await")):
            frame = getattr(coroutine, f"{prefix}_frame", None)
            if frame is not None:
                yield frame
                coroutine = getattr(coroutine, f"{prefix}_{awaited}", None)
                break
        else:
            return
