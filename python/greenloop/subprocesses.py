"""Subprocesses whose streams are Greenloop's.

These are asyncio's own functions, which use our readers and writers in place of asyncio's. The loop
starts a subprocess and waits for it, and does so in the same way for both.
"""

import asyncio.streams
import asyncio.subprocess
from types import FunctionType, SimpleNamespace
from typing import Any

from greenloop.primitives import PRIMITIVES

_STREAMS = SimpleNamespace(
    **{
        **vars(asyncio.streams),
        "StreamReader": PRIMITIVES["StreamReader"],
        "StreamWriter": PRIMITIVES["StreamWriter"],
    }
)


_DOCUMENTATION = """\
{}; return its `asyncio.subprocess.Process`.

`stdin`, `stdout` and `stderr` are None to inherit the file, PIPE, DEVNULL or a file. `limit` is
that of the readers behind PIPE, in bytes. Other keywords are those of `subprocess.Popen`. See
`asyncio.{}`.
"""


def _adapted(function: Any, **names: Any) -> Any:
    """Return a copy of one of asyncio's functions in which some names mean our objects."""
    copy = FunctionType(
        function.__code__,
        {**function.__globals__, "streams": _STREAMS, **names},
        function.__name__,
        function.__defaults__,
        function.__closure__,
    )
    copy.__kwdefaults__ = function.__kwdefaults__
    copy.__doc__ = function.__doc__
    copy.__qualname__ = function.__qualname__
    copy.__module__ = "greenloop"
    return copy


class SubprocessStreamProtocol(asyncio.subprocess.SubprocessStreamProtocol):
    """As asyncio's, which makes the streams as soon as the process runs."""

    connection_made = _adapted(asyncio.subprocess.SubprocessStreamProtocol.connection_made)


SUBPROCESSES: dict[str, Any] = {
    name: _adapted(getattr(asyncio, name), SubprocessStreamProtocol=SubprocessStreamProtocol)
    for name in ("create_subprocess_exec", "create_subprocess_shell")
}
for _name, _purpose in {
    "create_subprocess_exec": "Start `program` with the arguments `args`",
    "create_subprocess_shell": "Start a shell that runs the command `cmd`",
}.items():
    # asyncio does not document them.
    SUBPROCESSES[_name].__doc__ = _DOCUMENTATION.format(_purpose, _name)
