"""Random reads of random bytes, chopped at random: the native reader does what asyncio's does.

A program feeds chunks into a reader, one a turn, while a task reads from it; the trace says what
each read came to and in which turn, and when the transport was paused and resumed.
"""

import asyncio
import sys
from asyncio import streams
from dataclasses import dataclass

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import greenloop
from greenloop import _native

# What the oracle is compared with: the class, and the loop it works on.
UNDER_TEST = {
    "native on greenloop": (_native.StreamReader, greenloop.new_event_loop),
    "native on asyncio": (_native.StreamReader, asyncio.SelectorEventLoop),
    "subclass": (type("Subclass", (_native.StreamReader,), {}), greenloop.new_event_loop),
    "customised": (
        type(
            "Customised",
            (_native.StreamReader,),
            {
                "_maybe_resume_transport": lambda self: (
                    _native.StreamReader._maybe_resume_transport(self)
                )
            },
        ),
        greenloop.new_event_loop,
    ),
    "exposed": (
        type(
            "Exposed",
            (_native.StreamReader,),
            {
                "__init__": lambda self, *args, **keywords: (
                    _native.StreamReader.__init__(self, *args, **keywords),
                    self._buffer,
                )[0]
            },
        ),
        greenloop.new_event_loop,
    ),
}
ORACLE = (streams.StreamReader, asyncio.SelectorEventLoop)

FEW_BYTES = st.text("ab\n", max_size=40).map(str.encode)
SEPARATOR = st.text("ab\n", max_size=3).map(str.encode)
COUNT = st.integers(-2, 12)
SEPARATORS = SEPARATOR
if sys.version_info >= (3, 13):
    SEPARATORS = SEPARATOR | st.lists(SEPARATOR, max_size=3).map(tuple)
READ = st.one_of(
    st.tuples(st.just("readline")),
    st.tuples(st.just("__anext__")),
    st.tuples(st.just("readexactly"), COUNT),
    st.tuples(st.just("read"), COUNT),
    st.tuples(st.just("readuntil"), SEPARATORS),
    st.tuples(st.just("at_eof")),
)


@dataclass
class Program:
    """What is fed and what is read."""

    chunks: list[bytes]
    reads: list[tuple]
    limit: int
    # How it ends: by an end of file, an exception, or not at all.
    end: str
    # After how many chunks the reading task is cancelled, if at all.
    cancelled_after: int | None


PROGRAM = st.builds(
    Program,
    chunks=st.lists(FEW_BYTES, max_size=8),
    reads=st.lists(READ, max_size=8),
    limit=st.integers(1, 12),
    end=st.sampled_from(["eof", "exception", "nothing"]),
    cancelled_after=st.none() | st.integers(0, 8),
)


class Transport:
    """Says when it is paused and resumed."""

    def __init__(self, trace):
        self.trace = trace

    def pause_reading(self):
        self.trace.append("pause")

    def resume_reading(self):
        self.trace.append("resume")

    def __repr__(self):
        return "<Transport>"


def outcome_of(error):
    """What of an exception is compared."""
    details = {
        key: vars(error)[key] for key in ("partial", "expected", "consumed") if key in vars(error)
    }
    return type(error).__name__, str(error), details, type(error.__context__).__name__


async def run(program, reader_class, trace):
    reader = reader_class(limit=program.limit, loop=asyncio.get_running_loop())
    reader.set_transport(Transport(trace))
    turn = 0

    async def read_all():
        for name, *arguments in program.reads:
            try:
                outcome = getattr(reader, name)(*arguments)
                if name != "at_eof":
                    outcome = await outcome
            except (Exception, asyncio.CancelledError) as error:
                outcome = outcome_of(error)
            trace.append((turn, name, outcome))
        trace.append("all is read")

    task = asyncio.create_task(read_all())
    for number, chunk in enumerate([*program.chunks, None]):
        await asyncio.sleep(0)
        turn += 1
        if number == program.cancelled_after:
            task.cancel("enough")
        if chunk is not None:
            reader.feed_data(chunk)
        elif program.end == "eof":
            reader.feed_eof()
        elif program.end == "exception":
            reader.set_exception(ConnectionResetError("gone"))
        trace.append(repr(reader).partition(" waiter=")[0])
    for _ in range(40):
        await asyncio.sleep(0)
        turn += 1
    trace.append((task.done(), reader._waiter is None, reader._paused, reader._eof))
    trace.append(bytes(reader._buffer))
    if not reader._eof:
        reader.feed_eof()
    await task


def trace_of(program, reader_class, new_loop):
    trace = []
    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(run(program, reader_class, trace))
    return trace


@pytest.mark.parametrize("under_test", UNDER_TEST.values(), ids=UNDER_TEST.keys())
@given(PROGRAM)
@example(Program([b"ab" * 30], [("readline",), ("readline",)], 3, "eof", None))
@example(Program([b"aaaaaaaaaa\n", b"b\n"], [("readline",), ("readline",)], 3, "eof", None))
@example(Program([b"aa", b"\nb"], [("read", -1)], 1, "eof", None))
def test_reads_are_those_of_asyncio(under_test, program):
    assert trace_of(program, *under_test) == trace_of(program, *ORACLE)


@given(
    FEW_BYTES,
    st.lists(st.integers(0, 40), max_size=8),
    st.lists(READ.filter(lambda read: read[0] in ("readline", "readexactly", "readuntil"))),
)
def test_chopping_changes_nothing(content, cuts, reads):
    bounds = [0, *sorted(min(cut, len(content)) for cut in cuts), len(content)]
    chunks = [content[begin:end] for begin, end in zip(bounds, bounds[1:], strict=False)]

    def results(chunks):
        program = Program(chunks, reads, 1000, "eof", None)
        trace = trace_of(program, _native.StreamReader, greenloop.new_event_loop)
        return [entry[1:] for entry in trace if isinstance(entry, tuple)]

    assert results(chunks)[:-1] == results([content])[:-1]
