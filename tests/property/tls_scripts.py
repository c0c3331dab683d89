"""Random scripts for a TLS connection: what peer, transport and application do, and when."""

import asyncio
import ssl
from dataclasses import dataclass

from hypothesis import strategies as st

VERSIONS = [ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_2]

SIZES = st.sampled_from([1, 7, 100, 1000, 16384, 16385, 40_000])
PIECES = st.sampled_from([1, 5, 30, 500, 16000, 1 << 20])
LIMITS = st.sampled_from([None, 0, 1, 10, 1000, 40_000, 300_000])

COMMON_STEP = st.one_of(
    st.tuples(st.just("peer sends"), SIZES, PIECES),
    st.tuples(st.just("peer writes"), SIZES),
    st.tuples(st.just("deliver"), PIECES),
    st.tuples(st.just("deliver all")),
    st.tuples(st.just("turn")),
    st.tuples(st.just("write"), SIZES),
    st.tuples(st.just("writelines"), st.lists(SIZES, max_size=3)),
    st.tuples(st.just("pause_reading")),
    st.tuples(st.just("resume_reading")),
    st.tuples(st.just("transport is full")),
    st.tuples(st.just("transport has room")),
    st.tuples(st.just("sizes")),
)
RARE_STEP = st.one_of(
    st.tuples(st.just("peer closes")),
    st.tuples(st.just("garbage")),
    st.tuples(st.just("eof")),
    st.tuples(st.just("end"), st.sampled_from([None, ConnectionResetError, ValueError])),
    st.tuples(st.just("close")),
    st.tuples(st.just("abort")),
    st.tuples(st.just("timers")),
    st.tuples(st.just("write limits"), LIMITS, LIMITS),
    st.tuples(st.just("read limits"), LIMITS, LIMITS),
    st.tuples(st.just("set_protocol"), st.booleans()),
)
# What ends a connection is one step of twenty, so that most of them live for a while.
STEP = st.integers(0, 19).flatmap(lambda number: RARE_STEP if number == 19 else COMMON_STEP)
EVENTS = [
    "connection_made",
    "data_received",
    "buffer_updated",
    "eof_received",
    "pause_writing",
    "resume_writing",
    "connection_lost",
    "get_buffer",
]
REACTION = st.one_of(
    COMMON_STEP,
    RARE_STEP,
    st.tuples(st.just("raise"), st.sampled_from([ValueError, OSError, asyncio.CancelledError])),
    st.tuples(st.just("return"), st.just(True)),
)


@dataclass
class Script:
    """What happens, and what the application does when it is told of something for the nth time."""

    server_side: bool
    buffered: bool
    room: int
    # Whether the handshake is over before the steps begin, as mostly it is.
    connected: bool
    steps: list[tuple]
    reactions: dict[tuple[str, int], tuple]
    # TLS 1.2 makes its handshake in other steps, and sends no session afterwards.
    version: ssl.TLSVersion
    # Whether the ssl object is of a class that nobody knows.
    subclass: bool
    debug: bool


SCRIPT = st.builds(
    Script,
    server_side=st.booleans(),
    buffered=st.booleans(),
    room=st.sampled_from([1, 10, 1000, 16384, 65536]),
    connected=st.sampled_from([True, True, True, False]),
    steps=st.lists(STEP, min_size=12, max_size=40),
    reactions=st.dictionaries(
        st.tuples(st.sampled_from(EVENTS), st.integers(0, 3)), REACTION, max_size=3
    ),
    version=st.sampled_from(VERSIONS),
    subclass=st.sampled_from([False, False, True]),
    debug=st.sampled_from([False, False, True]),
)
