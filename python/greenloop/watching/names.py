"""The names of resources, as the program calls them: by `greenloop.name`, else by a variable."""

from __future__ import annotations

from collections.abc import Callable
from types import FrameType

from greenloop import _native
from greenloop.tracing import naming


class Names:
    """Finds the names of resources among the variables of all tasks.

    The same variable may hold one resource in one task and another one in the next, as a parameter
    does. So a name that only one resource has is the better one.
    """

    def __init__(self, is_resource: Callable[[object], bool]) -> None:
        self._is_resource = is_resource
        self._types: dict[type, bool] = {}
        self._names: dict[int, dict[str, None]] = {}
        """The variables that hold a resource, by its identity, in the order of their finding."""
        self._bearers: dict[str, set[int]] = {}
        """The resources that a variable of this name holds."""

    def learn(self, stack: list[FrameType]) -> None:
        """Look at the variables of a task's frames, the innermost first."""
        for frame in reversed(stack):
            for variable, value in _native._locals_of(frame).items():
                if variable == "self":
                    attributes = getattr(value, "__dict__", None)
                    held = list(attributes.items()) if type(attributes) is dict else []
                    for attribute, each in held:
                        self._note(str(attribute), each)
                else:
                    for name, each in naming.items_of(variable, value):
                        self._note(name, each)

    def _note(self, name: str, value: object) -> None:
        kind = type(value)
        known = self._types.get(kind)
        if known is None:
            known = self._types[kind] = self._is_resource(value)
        if known:
            self._names.setdefault(id(value), {})[name] = None
            self._bearers.setdefault(name, set()).add(id(value))

    def of(self, resource: object, stack: list[FrameType]) -> str | None:
        """Return the name of a resource, if it has one.

        Args:
            resource: Any object.
            stack: The frames of a task that uses it, the outermost first.
        """
        given = naming.given_name(resource)
        if given is not None:
            return given
        names = self._names.get(id(resource))
        if not names:
            return _variable_of(resource, stack)
        return min(names, key=lambda name: len(self._bearers[name]))


def _variable_of(resource: object, stack: list[FrameType]) -> str | None:
    for frame in reversed(stack):
        values = _native._locals_of(frame)
        for variable, value in values.items():
            if value is resource:
                if variable != "self":
                    return variable
            elif (found := _within(variable, value, resource)) is not None:
                return found
        for variable, value in list(frame.f_globals.items()):
            if value is resource:
                return variable
    return None


def _within(variable: str, value: object, resource: object) -> str | None:
    """Look for a resource among the attributes of `self`, or the items of a small container."""
    attributes = getattr(value, "__dict__", None) if variable == "self" else None
    if type(attributes) is dict:
        for attribute, held in list(attributes.items()):
            if held is resource:
                return str(attribute)
    for name, held in naming.items_of(variable, value):
        if held is resource:
            return name
    return None
