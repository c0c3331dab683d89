"""The frames of a suspended task, and where in its program it waits."""

from __future__ import annotations

import gc
import types
from collections.abc import Iterator
from types import FrameType
from typing import Any, Final

from greenloop.tracing.recording import libraries

_LIBRARIES: Final = tuple(libraries())

_SUSPENDED: Final = {
    types.CoroutineType: ("cr_frame", "cr_await"),
    types.GeneratorType: ("gi_frame", "gi_yieldfrom"),
    types.AsyncGeneratorType: ("ag_frame", "ag_await"),
}
"""What has a frame, and the names of the attributes for it and for what it awaits."""

_DEEPEST: Final = 10_000


def of_task(task: Any) -> list[FrameType]:
    """Return the frames of a suspended task, the outermost first."""
    return [frame for _, frame in chain(task.get_coro())]


def chain(coroutine: object) -> Iterator[tuple[object, FrameType]]:
    """Yield a suspended coroutine and all that it awaits which have frames, with these."""
    for _ in range(_DEEPEST):
        names = _SUSPENDED.get(type(coroutine))
        if names is not None:
            frame = getattr(coroutine, names[0])
            if frame is not None:
                yield coroutine, frame
            coroutine = getattr(coroutine, names[1])
        else:
            coroutine = _within(coroutine)
        if coroutine is None:
            return


def _within(awaited: object) -> object | None:
    """Return the suspended coroutine or generator in an object that has no frame of its own.

    That is an awaitable of Greenloop's that awaits another one, or what `async for` makes of an
    asynchronous generator.
    """
    if awaited is None or not gc.is_tracked(awaited) or _is_future(awaited):
        return None
    for held in gc.get_referents(awaited):
        if type(held) in _SUSPENDED:
            return held  # type: ignore[no-any-return]
        if type(held) is type(awaited) and type(held).__name__ == "Awaitable":
            return held
    return None


def _is_future(awaited: object) -> bool:
    return hasattr(awaited, "_asyncio_future_blocking") and hasattr(awaited, "add_done_callback")


def shown(frame: FrameType, lineno: int | None = None) -> dict[str, Any]:
    """Describe a frame: file, line and function."""
    code = frame.f_code
    return {
        "file": code.co_filename,
        "line": frame.f_lineno if lineno is None else lineno,
        "function": code.co_qualname,
    }


def is_of_library(frame: FrameType) -> bool:
    """Tell whether a frame is asyncio's or Greenloop's own."""
    return frame.f_code.co_filename.startswith(_LIBRARIES)


def place_in(frames: list[FrameType]) -> dict[str, Any] | None:
    """Describe the innermost frame of the program, or else the innermost of all."""
    for frame in reversed(frames):
        if not is_of_library(frame):
            return shown(frame)
    return shown(frames[-1]) if frames else None


def of_thread(frame: FrameType | None) -> list[FrameType]:
    """Return a running frame and those that called it, the outermost first."""
    frames = []
    while frame is not None:
        frames.append(frame)
        frame = frame.f_back
    frames.reverse()
    return frames


def of_code(code: types.CodeType, line: int) -> dict[str, Any]:
    """Describe a line of a code object as `shown` does a frame."""
    return {"file": code.co_filename, "line": line, "function": code.co_qualname}
