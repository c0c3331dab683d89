"""Those outside of the tasks that a task may wait for: threads of executors, children, pipes."""

from __future__ import annotations

import concurrent.futures
import functools
import gc
import os
import re
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import thread as threads
from types import FrameType
from typing import Any, Final

from greenloop import _native
from greenloop.watching import frames

_STANDARD_LIBRARY: Final = os.path.dirname(str(threading.__file__)) + os.sep

_LONGEST_COMMAND: Final = 60

_BYTES: Final = re.compile(r"<\w+ (\d+) bytes")
"""How the text of a stream reader begins."""


def job_of(future: object) -> concurrent.futures.Future[Any] | None:
    """Return the concurrent future whose outcome a future of asyncio's gets, if there is one."""
    for callback, *_ in getattr(future, "_callbacks", None) or ():
        for cell in getattr(callback, "__closure__", None) or ():
            try:
                held = cell.cell_contents
            except ValueError:  # It is empty.
                continue
            if isinstance(held, concurrent.futures.Future):
                return held
    return None


def job_in_words(job: concurrent.futures.Future[Any]) -> str:
    """Tell of a job of an executor: its function, and where that is, or how many are before it."""
    for thread, frame in sys._current_frames().items():
        stack = frames.of_thread(frame)
        for depth, each in enumerate(stack):
            if each.f_code.co_qualname == "_WorkItem.run":
                item = _native._locals_of(each).get("self")
                if getattr(item, "future", None) is job:
                    function = _function_of(item)
                    return f"the job {function} of an executor{_place(stack[depth + 1 :], thread)}"
                break
    for items, workers in _lines():
        for before, item in enumerate(items):
            if getattr(item, "future", None) is job:
                busy = f", behind {before} others" if before else ""
                text = f"the job {_function_of(item)} of an executor, which has not begun{busy}"
                return f"{text}; {workers}"
    return "a job of an executor"


def _place(stack: list[FrameType], ident: int) -> str:
    """Tell where the thread of a job is, the innermost place outside of the standard library."""
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    for frame in reversed(stack):
        path = frame.f_code.co_filename
        if not path.startswith(_STANDARD_LIBRARY) or "site-packages" in path:
            return f", which is at {path}:{frame.f_lineno} in thread {names.get(ident, ident)!r}"
    return f", which runs in thread {names.get(ident, ident)!r}"


def _lines() -> Iterator[tuple[list[Any], str]]:
    """Yield the jobs that wait in each executor of the process, and words for its workers."""
    queues: dict[int, tuple[Any, list[threading.Thread]]] = {}
    for thread, queue in list(threads._threads_queues.items()):
        queues.setdefault(id(queue), (queue, []))[1].append(thread)
    for queue, workers in queues.values():
        held = gc.get_referents(queue)
        if len(held) == 1 and type(held[0]) is list:
            held = held[0]
        current = sys._current_frames()
        places = [
            _place(frames.of_thread(current.get(worker.ident or 0)), worker.ident or 0)
            for worker in workers[:3]
        ]
        yield held, f"{len(workers)} threads are busy{''.join(places)}"
    # It is a large module, which is there if there is such an executor.
    processes = sys.modules.get("concurrent.futures.process")
    for manager in list(getattr(processes, "_threads_wakeups", ())):
        items = getattr(manager, "pending_work_items", {})
        yield list(items.values()), "it is one of processes"


def _function_of(item: Any) -> str:
    """Name the function of a job."""
    task = getattr(item, "task", None)
    function = task[0] if type(task) is tuple and task else getattr(item, "fn", None)
    while isinstance(function, functools.partial):
        # `asyncio.to_thread` has its function called by a context.
        is_run = getattr(function.func, "__name__", "") == "run" and function.args
        function = function.args[0] if is_run else function.func
    return str(getattr(function, "__qualname__", None) or type(function).__qualname__)


def threads_in_line(queue: Any) -> str:
    """Tell how many threads wait in a `ThreadQueue`."""
    lines = (queue._getters, queue._putters, queue._joiners)
    waiting = sum(type(each).__name__ == "_ThreadWaiter" for line in lines for each in list(line))
    return f"{waiting or 'no'} thread{'' if waiting == 1 else 's'} waiting"


def child_of(stack: list[FrameType]) -> str | None:
    """Tell of the child process for whose end a task waits.

    Args:
        stack: The frames of the task, the outermost first.
    """
    for frame in reversed(stack):
        owner = _native._locals_of(frame).get("self")
        transport = getattr(owner, "_transport", owner)
        if hasattr(transport, "get_pid"):
            return child_in_words(transport) + _unread(getattr(transport, "_protocol", None))
    return None


def child_in_words(transport: Any) -> str:
    """Name the child process of a transport: its number and its command."""
    child = transport.get_extra_info("subprocess")
    command = getattr(child, "args", "")
    if not isinstance(command, str | bytes):
        command = " ".join(os.fsdecode(part) for part in command)
    command = os.fsdecode(command)
    if len(command) > _LONGEST_COMMAND:
        command = command[: _LONGEST_COMMAND - 1] + "…"
    return f"the child process {transport.get_pid()} ({command})"


def _unread(protocol: object) -> str:
    """Tell which pipes of a child are full of what nobody reads."""
    words = ""
    for name in ("stdout", "stderr"):
        reader: Any = getattr(protocol, name, None)
        if reader is not None and getattr(reader, "_paused", False):
            # Its buffer is not asked: that of Greenloop's would become a bytearray for it.
            amount = _BYTES.match(repr(reader))
            size = f" with {amount[1]} bytes" if amount else ""
            words += f", whose {name} is full{size} that nobody reads"
    return words
