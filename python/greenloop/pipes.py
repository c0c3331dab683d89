"""`ReadPipeTransport` and `WritePipeTransport`: asyncio's, whose other end may be on the same loop.

A busy loop does not poll the operating system in every turn. So the loop is notified when data is
written to a pipe or one of its ends is closed, and its next turn polls. All else is inherited.
"""

from asyncio import unix_events
from typing import Any

# Known to the running Python only.
_ReadPipe: Any = unix_events._UnixReadPipeTransport  # type: ignore[attr-defined]
_WritePipe: Any = unix_events._UnixWritePipeTransport  # type: ignore[attr-defined]


class _ExpectingInput:
    """The common part of both: the end of a transport closes an end of a pipe."""

    __slots__ = ()

    _loop: Any

    def _call_connection_lost(self, exc: BaseException | None) -> None:
        loop = self._loop
        try:
            super()._call_connection_lost(exc)  # type: ignore[misc]
        finally:
            loop._write_to_self()


class ReadPipeTransport(_ExpectingInput, _ReadPipe):  # type: ignore[misc]
    """The reading end of a pipe on one of our loops; see asyncio.ReadTransport."""


class WritePipeTransport(_ExpectingInput, _WritePipe):  # type: ignore[misc]
    """The writing end of a pipe on one of our loops; see asyncio.WriteTransport."""

    def write(self, data: Any) -> None:
        """Write `data`, which a reader of the pipe on this loop sees in the next turn."""
        loop = self._loop
        super().write(data)
        # A transport has no loop any more when its connection is lost.
        if loop is not None:
            loop._write_to_self()

    def _write_ready(self) -> None:
        loop = self._loop
        super()._write_ready()
        loop._write_to_self()


# As asyncio names them where they are shown.
ReadPipeTransport.__name__ = _ReadPipe.__name__
WritePipeTransport.__name__ = _WritePipe.__name__
