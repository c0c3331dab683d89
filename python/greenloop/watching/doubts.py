"""Doubts about a finding: why tasks that seem to wait for ever may go on, or are meant to wait.

The search of the native side (`_look_for_dead_tasks`) knows what refers to what, and takes a lock
for one that only its holder releases. But a lock of asyncio may be released by anybody who has it.
So a finding with a lock is dropped if something that is no part of it both has the lock and has to
do with releasing: a callback, a thread, another task. That costs a finding now and then, and no
false one is made.
"""

from __future__ import annotations

import functools
import gc
import inspect
import sys
import types
from collections.abc import Iterable
from typing import Any, Final

from greenloop import _native
from greenloop.tracing.kinds import Wait
from greenloop.watching import frames
from greenloop.watching.waits import Found, kind_and_resource

_RELEASE: Final = "release"

_NEAR: Final = 30
"""How many objects are looked at from a callback's object on."""

_PLAIN: Final[tuple[type, ...]] = (
    types.FunctionType,
    types.MethodType,
    types.BuiltinMethodType,
    functools.partial,
)

_WITH_FRAMES: Final[tuple[type, ...]] = (
    types.CoroutineType,
    types.GeneratorType,
    types.AsyncGeneratorType,
)

_SUSPENDING: Final = (
    inspect.CO_GENERATOR
    | inspect.CO_COROUTINE
    | inspect.CO_ITERABLE_COROUTINE
    | inspect.CO_ASYNC_GENERATOR
)
"""The flags of the code of generators and coroutines."""

_LIBRARIES: Final = ("greenloop", "asyncio", "_asyncio")


def locks_of(parties: Iterable[Any]) -> list[Any]:
    """Return the locks that tasks wait for."""
    found = []
    for task in parties:
        wait = _wait_of(task)
        if wait is not None and wait.kind == "lock":
            _, lock = kind_and_resource(wait)
            if lock is not None:
                found.append(lock)
    return found


def may_be_released(locks: list[Any], parties: list[Any]) -> bool:
    """Tell whether somebody else may release one of these locks.

    Args:
        locks: The locks.
        parties: The tasks that can never go on unless somebody does.
    """
    wanted = {id(lock) for lock in locks}
    own = {id(part) for task in parties for part, _ in frames.chain(task.get_coro())}
    for each in gc.get_objects():
        kind = type(each)
        if kind in _PLAIN:
            found = _releases(each, wanted)
        elif kind in _WITH_FRAMES:
            found = id(each) not in own and _is_about_to_release(each, wanted)
        else:
            continue
        if found:
            return True
    return any(_is_in_thread(frame, wanted) for frame in sys._current_frames().values())


def _releases(function: Any, wanted: set[int]) -> bool:
    """Tell whether something that can be called releases one of the locks."""
    if isinstance(function, functools.partial):
        return any(id(held) in wanted for held in function.args)
    if isinstance(function, types.BuiltinMethodType):
        return function.__name__ == _RELEASE and id(function.__self__) in wanted
    if isinstance(function, types.MethodType):
        if function.__name__ == _RELEASE and id(function.__self__) in wanted:
            return True
        code = getattr(function.__func__, "__code__", None)
        return code is not None and _names_it(code) and _leads_to(function.__self__, wanted)
    if not _names_it(function.__code__) or function.__code__.co_flags & _SUSPENDING:
        return False
    held = [*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()]
    for cell in function.__closure__ or ():
        try:
            held.append(cell.cell_contents)
        except ValueError:  # It is empty.
            continue
    return any(_leads_to(each, wanted) for each in held)


def _names_it(code: types.CodeType) -> bool:
    return _RELEASE in code.co_names


def _is_about_to_release(coroutine: Any, wanted: set[int]) -> bool:
    for name in ("cr_frame", "gi_frame", "ag_frame"):
        frame = getattr(coroutine, name, None)
        if frame is not None:
            return _has(frame, wanted)
    return False


def _is_in_thread(frame: types.FrameType | None, wanted: set[int]) -> bool:
    return any(_has(each, wanted) for each in frames.of_thread(frame))


def _has(frame: types.FrameType, wanted: set[int]) -> bool:
    if not _names_it(frame.f_code) or frames.is_of_library(frame):
        return False
    return any(_leads_to(value, wanted) for value in _native._locals_of(frame).values())


def _leads_to(held: object, wanted: set[int]) -> bool:
    """Tell whether an object is one of the locks, or leads to one within a few steps."""
    seen = {id(held)}
    ahead = [held]
    while ahead:
        each = ahead.pop(0)
        if id(each) in wanted:
            return True
        if isinstance(each, type | types.ModuleType | types.FunctionType) or len(seen) >= _NEAR:
            continue
        for further in gc.get_referents(each):
            if id(further) not in seen and gc.is_tracked(further):
                seen.add(id(further))
                ahead.append(further)
    return False


def waits_on_purpose(task: Any) -> bool:
    """Tell whether a task waits for what was made for its wait: `await asyncio.Future()`.

    Nothing but the wait itself refers to it, so nobody was ever to end it: a server waits like this
    until it is cancelled.
    """
    wait = _wait_of(task)
    if wait is None or wait.kind not in ("event", "future"):
        return False
    _, resource = kind_and_resource(wait)
    awaited = wait.awaited if resource is None else resource
    return all(_is_of_the_wait(held, task, wait) for held in gc.get_referrers(awaited))


def _is_of_the_wait(held: object, task: Any, wait: Found) -> bool:
    if held is task or held is wait or held is wait.__dict__ or _is_look(held, wait.awaited):
        return True
    if isinstance(held, types.FrameType):
        return frames.is_of_library(held)
    if isinstance(held, types.CoroutineType):
        frame = held.cr_frame
        return frame is None or frames.is_of_library(frame)
    if isinstance(held, types.MethodType):
        return held.__name__ == "wait"
    return type(held).__module__.partition(".")[0] in _LIBRARIES


def _is_look(held: object, awaited: object) -> bool:
    """Tell whether an object is what another thread has got from looking at the task just now."""
    return type(held) is tuple and len(held) == 7 and held[6] is awaited and type(held[0]) is int


def _wait_of(task: Any) -> Found | None:
    look = _native._look_at_task(task)
    if look is None or look[3] == 0:
        return None
    stack = frames.of_task(task)
    return Found(Wait(look[3]).label, look[4], look[5], look[6], task, stack)
