"""`SelectorEventLoop`: the class that replaces asyncio's of that name after `install`.

A program that makes an `asyncio.SelectorEventLoop()` (`asyncio.EventLoop()` from 3.13 on, which is
the same class there) wants the usual loop of its system, and gets ours. A program that hands over
a selector, or derives a class, wants asyncio's own: the selector is polled in each turn, and a
subclass may override any of asyncio's insides. Both get asyncio's.
"""

import asyncio
from asyncio import unix_events
from typing import Any

from greenloop.event_loop import EventLoop

# asyncio's class, before the public name is replaced.
_Asyncios: Any = unix_events._UnixSelectorEventLoop


class _OneOfTwo(type):
    """The class of a class that makes a loop of ours or one of asyncio's."""

    def __new__(
        cls, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **rest: Any
    ) -> Any:
        if any(type(base) is cls for base in bases):
            # Deriving from the stand-in derives from the class that it represents.
            bases = tuple(_Asyncios if type(base) is cls else base for base in bases)
            return type(_Asyncios)(name, bases, namespace, **rest)
        return super().__new__(cls, name, bases, namespace, **rest)

    def __init__(
        cls, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **_: Any
    ) -> None:
        super().__init__(name, bases, namespace)

    def __call__(cls, selector: Any = None) -> asyncio.AbstractEventLoop:
        return EventLoop() if selector is None else _Asyncios(selector)

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, _Asyncios)

    def __subclasscheck__(cls, subclass: type) -> bool:
        return issubclass(subclass, _Asyncios)

    def __setattr__(cls, name: str, value: object) -> None:
        setattr(_Asyncios, name, value)

    def __delattr__(cls, name: str) -> None:
        delattr(_Asyncios, name)


class SelectorEventLoop(_Asyncios, metaclass=_OneOfTwo):  # type: ignore[misc]
    """Greenloop's event loop; asyncio's own with a selector, and for classes derived from it.

    `isinstance` says yes to both, since ours derives from asyncio's. Attributes are those of
    asyncio's class.
    """
