"""The names of resources, as the program calls them: by `greenloop.name`, else by a variable."""

from __future__ import annotations

from types import FrameType

from greenloop.tracing import naming


class Names:
    """Finds the names of resources in the frames of those that wait for them."""

    def __init__(self) -> None:
        self._found: dict[int, str | None] = {}

    def of(self, resource: object, stack: list[FrameType]) -> str | None:
        """Return the name of a resource, if it has one.

        Args:
            resource: Any object.
            stack: The frames of a task that uses it, the outermost first.
        """
        key = id(resource)
        if self._found.get(key) is None:
            self._found[key] = naming.given_name(resource) or _variable_of(resource, stack)
        return self._found[key]


def _variable_of(resource: object, stack: list[FrameType]) -> str | None:
    for frame in reversed(stack):
        values = naming.locals_of(frame)
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
