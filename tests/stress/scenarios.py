"""The parts of scenarios, and how the scenarios of a module are found.

A scenario is a function `(loop, one, …)` of a loop and the `Contestant` that made it; see
`differential.py`, which compares the outcomes of scenarios.
"""

import asyncio
import types
from collections.abc import Callable


def scenarios_of(*modules: types.ModuleType) -> list[Callable]:
    """All scenarios that stand in the modules, in their order."""
    return [
        value
        for module in modules
        for value in list(vars(module).values())
        if isinstance(value, types.FunctionType)
        and value.__module__ == module.__name__
        and value.__code__.co_varnames[:2] == ("loop", "one")
    ]


class Trouble(Exception):
    """What user code raises here."""


def raiser(error):
    """A callable that raises."""

    def user_code(*_, **__):
        raise error("from user code")

    return user_code


async def give(value=None):
    await asyncio.sleep(0)
    return value


def attempt(function, *arguments):
    """What a call comes to."""
    try:
        return repr(function(*arguments))
    except Exception as error:
        return type(error), str(error)
