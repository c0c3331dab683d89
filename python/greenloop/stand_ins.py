"""Stand-ins: coroutines in whose frames tools see where a native awaitable waits.

`queue.get()` of ours has no frame, since no Python code runs in it. A tool that asks for one, as
`asyncio.capture_call_graph` does, is given that of a stand-in: a coroutine that is named as
asyncio's function, stands in its file at the line of its `await`, and is suspended for ever. The
native code calls this module when an attribute such as `cr_frame` is read, and at no other time.

A frame that is made for asyncio's own code object would not do: it belongs to no coroutine, and
call graphs show it as that of an ordinary function.
"""

import dis
import functools
from asyncio import locks, queues, selector_events, streams, taskgroups, tasks, timeouts
from collections.abc import Coroutine, Iterator, Sequence
from inspect import CO_COROUTINE
from types import CodeType, FunctionType
from typing import Any, NamedTuple


def _own_names(module: Any) -> dict[str, Any]:
    return {
        name: value
        for name, value in vars(module).items()
        if getattr(value, "__module__", None) == module.__name__
    }


# asyncio's classes and functions by their names, as they are before `install`.
_ORIGINALS: dict[str, Any] = {}
for _module in (queues, locks, tasks, timeouts, taskgroups, streams, selector_events):
    _ORIGINALS |= _own_names(_module)


class _Place(NamedTuple):
    """A function of asyncio's: its code, and the globals of its module."""

    code: CodeType
    names: dict[str, Any]


class _Await(NamedTuple):
    """An `await` in a function."""

    line: int
    # Whether it awaits what a call returns, and not an object that is there already.
    is_call: bool
    # The names that are looked up for it, that of the called function among them.
    names: frozenset[str]


class _Endless:
    """The object that a stand-in awaits, as asyncio's coroutines await a future's iterator."""

    __slots__ = ()

    def __await__(self) -> Iterator[None]:
        return self  # type: ignore[return-value]

    def __next__(self) -> None:
        return None


def code_of(name: str) -> CodeType | None:
    """Return the code of asyncio's function with this qualified name, if there is one."""
    place = _find(name)
    return place.code if place else None


def stand_in(names: Sequence[str], awaited: str | None) -> Coroutine[Any, Any, Any] | None:
    """Return a coroutine that is suspended in asyncio's function, which awaits the next, and so on.

    The functions are named from the outermost to the innermost; those that asyncio does not have
    are left out. The innermost awaits a coroutine named `awaited`, or a future, of which the name
    is empty. `None` says that it has not begun yet.
    """
    if _find(names[0]) is None:
        return None
    inner = [name.rpartition(".")[2] for name in names[1:]]
    coroutines: list[Any] = []
    try:
        for name, next_name in reversed(list(zip(names, [*inner, awaited], strict=True))):
            place = _find(name)
            if place is not None and place.code.co_flags & CO_COROUTINE:
                function = FunctionType(_suspending(place.code, next_name), place.names)
                coroutines.append(function(coroutines[-1] if coroutines else _Endless()))
        coroutines[-1].send(None)
    except BaseException:
        # Those that have not begun would warn that nobody awaits them.
        for coroutine in coroutines:
            coroutine.close()
        raise
    return coroutines[-1]  # type: ignore[no-any-return]


@functools.cache
def _find(name: str) -> _Place | None:
    first, *rest = name.replace(".<locals>", "").split(".")
    found: Any = _ORIGINALS.get(first)
    function = found
    for part in rest:
        if isinstance(found, FunctionType):
            # A function inside a function is a constant of it.
            constants = found.__code__.co_consts
            codes = [code for code in constants if isinstance(code, CodeType)]
            found = next((code for code in codes if code.co_name == part), None)
        else:
            found = function = getattr(found, part, None)
    code = getattr(found, "__code__", found)
    if not isinstance(code, CodeType) or code.co_name != name.rpartition(".")[2]:
        return None  # Another version of asyncio does not have it, or a program has replaced it.
    return _Place(code, function.__globals__)


@functools.cache
def _suspending(code: CodeType, awaited: str | None) -> CodeType:
    """Return the code of a function that does nothing but await, where `code` awaits `awaited`."""
    first = code.co_firstlineno
    line = first if awaited is None else max(first, _line_of_await(code, awaited))
    text = "\n" * (first - 1) + "async def function(awaited):" + "\n" * (line - first)
    compiled = compile(text + " await awaited", code.co_filename, "exec", dont_inherit=True)
    (body,) = (constant for constant in compiled.co_consts if isinstance(constant, CodeType))
    return body.replace(co_name=code.co_name, co_qualname=code.co_qualname)


def _line_of_await(code: CodeType, awaited: str) -> int:
    awaits = _awaits(code)
    called = [found for found in awaits if found.is_call and awaited in found.names]
    if called:
        return called[0].line
    objects = [found for found in awaits if not found.is_call] or awaits
    if not objects:
        return code.co_firstlineno
    # A function that may await its argument does so before it waits for a future of its own.
    return objects[0 if awaited else -1].line


def _awaits(code: CodeType) -> list[_Await]:
    awaits = []
    names: set[str] = set()
    before = ""
    for instruction in dis.get_instructions(code):
        if instruction.opname == "GET_AWAITABLE":
            line = instruction.positions and instruction.positions.lineno
            if instruction.arg:
                # `async with` says which of its two methods it awaits.
                names.add("__aenter__" if instruction.arg == 1 else "__aexit__")
            is_call = bool(instruction.arg) or before.startswith("CALL")
            awaits.append(_Await(line or code.co_firstlineno, is_call, frozenset(names)))
            names.clear()
        elif isinstance(instruction.argval, str):
            names.add(instruction.argval)
        if instruction.opname != "CACHE":
            before = instruction.opname
    return awaits
