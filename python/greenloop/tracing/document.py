"""A trace: the events of a recording as columns, and a head that says what their numbers mean.

`docs/trace-format.md` defines both. A column is a view of the bytes of the document, so a million
events are read and written without a Python object for any of them; objects are made when
somebody iterates, for a piece of the columns at a time.
"""

from __future__ import annotations

import array
import json
import math
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice, starmap
from typing import Any, Final, Literal, NamedTuple

from greenloop.tracing.head import Head, TraceError, head_of

COLUMNS: Final[tuple[tuple[str, Literal["d", "I", "B"]], ...]] = (
    ("time", "d"),
    ("value", "d"),
    ("task", "I"),
    ("other", "I"),
    ("site", "I"),
    ("kind", "B"),
    ("detail", "B"),
)
"""The columns in the order of the document, with the type codes of `array`."""

_WIDTHS = {"d": 8, "I": 4, "B": 1}
BYTES_PER_EVENT: Final = sum(_WIDTHS[code] for _, code in COLUMNS)

_PIECE = 1 << 15
"""How many events are objects at the same time while a trace is iterated over."""


class Event(NamedTuple):
    """One event. The numbers are named in `kinds`; the tasks, resources and sites in the trace."""

    time: int
    """Nanoseconds since the recording began."""
    kind: int
    detail: int
    task: int
    other: int
    site: int
    value: int


class Trace:
    """A recording of the tasks of a loop.

    Each column is a `memoryview` with one number for each event: `time`, `value` (floats with whole
    values), `task`, `other`, `site`, `kind`, `detail` (ints). They are read-only by agreement.
    `head` says what the numbers stand for; `tasks`, `resources`, `sites` and `process` are its
    parts.

    Args:
        head: The head as the JSON object that `docs/trace-format.md` defines.
        columns: Any buffer with the columns of that document, one after the other, little-endian.
            It is not copied, and must not change afterwards.

    Raises:
        TraceError: The head is not one, or the columns are not as long as it says.
    """

    time: memoryview
    value: memoryview
    task: memoryview
    other: memoryview
    site: memoryview
    kind: memoryview
    detail: memoryview

    def __init__(
        self, head: Mapping[str, Any], columns: bytes | bytearray | memoryview = b""
    ) -> None:
        self.head: Head = head_of(head)
        self.tasks = self.head.tasks
        self.resources = self.head.resources
        self.sites = self.head.sites
        self.process = self.head.process
        self._written = dict(head)
        self._columns = memoryview(columns).cast("B")
        length = self.head.events
        if len(self._columns) != length * BYTES_PER_EVENT:
            raise TraceError(
                f"the columns of the trace have {len(self._columns)} bytes,"
                f" expected {length * BYTES_PER_EVENT} for {length} events;"
                f" the file is {_how_wrong(len(self._columns), length)}"
            )
        start = 0
        for name, code in COLUMNS:
            end = start + length * _WIDTHS[code]
            setattr(self, name, _view(self._columns[start:end], code))
            start = end

    def __len__(self) -> int:
        return self.head.events

    def __repr__(self) -> str:
        return (
            f"<Trace of {len(self)} events, {len(self.tasks)} tasks, "
            f"{len(self.resources)} resources>"
        )

    def rows(self) -> Iterator[tuple[int, int, int, int, int, int, int]]:
        """Iterate over the events as plain tuples with the fields of `Event`: for long traces."""
        columns: list[tuple[memoryview, Callable[[memoryview], Any]]] = [
            (self.time, _ints),
            (self.kind, memoryview.tolist),
            (self.detail, memoryview.tolist),
            (self.task, memoryview.tolist),
            (self.other, memoryview.tolist),
            (self.site, memoryview.tolist),
            (self.value, _ints),
        ]
        for start in range(0, len(self), _PIECE):
            yield from zip(
                *(read(column[start : start + _PIECE]) for column, read in columns), strict=True
            )

    def events(self) -> Iterator[Event]:
        """Iterate over the events in their order."""
        return starmap(Event, self.rows())

    def name_of(self, number: int) -> str:
        """Return the name of a task or resource, `#` and the number if the head has none."""
        known = self.tasks.get(number) or self.resources.get(number)
        return known.name if known is not None else f"#{number}"

    def head_as_json(self) -> dict[str, Any]:
        """Return the head as the JSON object of the file, with fields that are not known here."""
        return dict(self._written)

    def to_bytes(self) -> bytes:
        """Return the document: the head as a line of JSON, then the columns.

        The line has spaces at its end, so that the columns begin at a multiple of 8 bytes: a reader
        can look at them in place.
        """
        head = json.dumps(self._written, ensure_ascii=False, separators=(",", ":")).encode(
            "utf-8", "surrogatepass"
        )
        return b"".join((head, b" " * (-(len(head) + 1) % 8), b"\n", self._columns))

    @classmethod
    def from_bytes(cls, document: bytes | bytearray | memoryview) -> Trace:
        """Read the trace that `to_bytes` wrote.

        Raises:
            TraceError: These bytes are not a trace, or not all of one.
        """
        view = memoryview(document).cast("B")
        end = _end_of_line(view)
        line = bytes(view[:end])
        try:
            head = json.loads(line.decode("utf-8", "surrogatepass"))
        except ValueError:
            raise TraceError(
                f"not a trace: it begins with {line[:40]!r}, expected a line of JSON"
            ) from None
        if end == len(view):
            head_of(head)
            raise TraceError("the trace ends in its head, expected a line end and the columns")
        columns = view[end + 1 :]
        if columns[:8].tobytes().startswith(b'{"'):
            head_of(head)
            raise TraceError(
                "the trace is written as JSON lines, expected columns;"
                " greenloop.tracing.json_lines reads it"
            )
        trace = cls(head, columns)
        _check_numbers(trace)
        return trace

    def save(self, path: str) -> None:
        """Write the document into a file.

        Raises:
            OSError: The file cannot be written.
        """
        with open(path, "wb") as file:
            file.write(self.to_bytes())

    @classmethod
    def load(cls, path: str) -> Trace:
        """Read the trace from a file that `save` wrote.

        Raises:
            OSError: The file cannot be read.
            TraceError: It has no trace, or not all of one; the message begins with the path.
        """
        with open(path, "rb") as file:
            document = file.read()
        try:
            return cls.from_bytes(document)
        except TraceError as error:
            raise TraceError(f"{path}: {error}") from None


def columns_of(events: Iterable[tuple[int, int, int, int, int, int, int]]) -> bytes:
    """Return the columns of these events, which have the fields of `Event`, as `Trace` takes them.

    Raises:
        OverflowError: A number does not fit its column.
    """
    columns = {name: array.array(code) for name, code in COLUMNS}
    left = iter(events)
    while piece := list(islice(left, _PIECE)):
        for name, numbers in zip(Event._fields, zip(*piece, strict=True), strict=True):
            columns[name].extend(numbers)
    if sys.byteorder == "big":
        for column in columns.values():
            column.byteswap()
    return b"".join(column.tobytes() for column in columns.values())


def _view(column: memoryview, code: Literal["d", "I", "B"]) -> memoryview:
    if sys.byteorder == "little" or code == "B":
        return column.cast(code)  # type: ignore[return-value]  # A column of floats is one, too.
    swapped = array.array(code, column.tobytes())
    swapped.byteswap()
    return memoryview(swapped)


def _ints(column: memoryview) -> Iterator[int]:
    return map(int, column.tolist())


def _check_numbers(trace: Trace) -> None:
    """Refuse floats that are no numbers: every other pattern of bits is an event."""
    for name in ("time", "value"):
        column = getattr(trace, name).tolist()
        if not all(map(math.isfinite, column)):
            index = next(i for i, number in enumerate(column) if not math.isfinite(number))
            raise TraceError(
                f"event {index} of the trace has the {name} {column[index]}, expected a number"
            )


def _end_of_line(view: memoryview) -> int:
    """Where the first line ends; a long head is looked for in pieces, never copied whole."""
    for start in range(0, len(view), 1 << 16):
        found = bytes(view[start : start + (1 << 16)]).find(b"\n")
        if found >= 0:
            return start + found
    return len(view)


def _how_wrong(found: int, events: int) -> str:
    return "cut off" if found < events * BYTES_PER_EVENT else "longer than its head says"
