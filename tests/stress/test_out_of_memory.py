"""No memory is left for one allocation, or for several in a row: MemoryError, and nothing worse.

Each operation of the modules in `without_memory` is done again and again, each time with another of
its allocations failing (`failing_allocations`). No panic, no
crash, no error of the interpreter's own kind, no lost wake-up, and afterwards all works.

A few places of each operation are tried here; `GREENLOOP_ALLOCATIONS=all` tries all, and looks
whether what is excused because the interpreter itself breaks does so with asyncio. It takes some
minutes.
"""

import asyncio
import collections
import contextlib
import importlib.util
import json
import os
import pathlib
import socket
import subprocess
import sys

import pytest

import greenloop

HERE = pathlib.Path(__file__).parent
PROGRAM = HERE / "failing_allocations.py"
OPERATIONS = [
    HERE / "without_memory" / f"{name}.py"
    for name in ("loops", "tasks", "primitives", "combinators", "network")
]

needs_test_tools = pytest.mark.skipif(
    importlib.util.find_spec("_testcapi") is None,
    reason="the interpreter is built without its own test tools",
)

THOROUGH = os.environ.get("GREENLOOP_ALLOCATIONS") == "all"
PLACES = 0 if THOROUGH else 4


def outcomes(kind, paths, *only, patience="5"):
    """What came of each operation in some files."""
    done = subprocess.run(
        [sys.executable, PROGRAM, kind, str(PLACES), *paths],
        env={
            **os.environ,
            "GREENLOOP_OPERATIONS": " ".join(only),
            "GREENLOOP_PATIENCE": os.environ.get("GREENLOOP_PATIENCE", patience),
            "RUST_BACKTRACE": "0",
        },
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


@needs_test_tools
@pytest.mark.slow
@pytest.mark.parametrize("path", OPERATIONS, ids=lambda path: path.stem)
def test_what_finds_no_memory_raises_and_leaves_everything_usable(path):
    found = outcomes("greenloop", [path])
    assert len(found) > 10
    assert [(each["operation"], each["bad"]) for each in found if each["bad"]] == []
    # Failures really happened, and were told as what they are.
    seen = collections.Counter()
    for each in found:
        seen.update(each["outcomes"])
    assert seen["MemoryError"] > 2 * len(found)
    if THOROUGH:
        print(sum(each["tried"] for each in found), "failures in", len(found), "operations:", seen)


@needs_test_tools
@pytest.mark.slow
@pytest.mark.skipif(not THOROUGH, reason="asyncio is slow to die")
def test_what_is_excused_ends_the_interpreter_with_asyncio_too():
    from failing_allocations import is_excused, operations_of

    excused = [
        name
        for path in OPERATIONS
        for name, operation in operations_of(path)
        if is_excused(operation)
    ]
    unharmed = [
        each["operation"]
        for each in outcomes("asyncio", OPERATIONS, *excused, patience="1")
        if not each["excused"] and "SystemError" not in each["outcomes"]
    ]
    assert unharmed == []


HUGE = [2**60, 2**62, 2**63 - 1, 2**64]


async def receive(classes, loop, pair, size):
    pair[1].send(b"x")
    return await loop.sock_recv(pair[0], size)


async def receive_from(classes, loop, pair, size):
    pair[1].send(b"x")
    return await loop.sock_recvfrom(pair[0], size)


async def read_with_a_limit(classes, loop, pair, size):
    reader = classes.StreamReader(limit=size, loop=loop)
    reader.feed_data(b"line\n")
    return await reader.readline()


async def read(classes, loop, pair, size):
    reader = classes.StreamReader(loop=loop)
    reader.feed_data(b"line\n")
    reader.feed_eof()
    return await reader.read(size)


async def read_exactly(classes, loop, pair, size):
    reader = classes.StreamReader(loop=loop)
    reader.feed_data(b"line\n")
    reader.feed_eof()
    return await reader.readexactly(size)


async def make_a_queue(classes, loop, pair, size):
    queue = classes.Queue(size)
    queue.put_nowait(1)
    return queue.full()


async def make_a_semaphore(classes, loop, pair, size):
    semaphore = classes.Semaphore(size)
    await semaphore.acquire()
    return semaphore.locked()


async def serve_with_a_backlog(classes, loop, pair, size):
    server = await loop.create_server(asyncio.Protocol, "127.0.0.1", 0, backlog=size)
    server.close()


@pytest.mark.parametrize("size", HUGE, ids=hex)
@pytest.mark.parametrize(
    "use",
    [
        receive,
        receive_from,
        read_with_a_limit,
        read,
        read_exactly,
        make_a_queue,
        make_a_semaphore,
        serve_with_a_backlog,
    ],
)
def test_sizes_that_no_memory_holds_do_what_they_do_in_asyncio(use, size):
    expected = outcome(asyncio, asyncio.SelectorEventLoop, use, size)
    assert outcome(greenloop, greenloop.new_event_loop, use, size) == expected


def outcome(classes, make_loop, use, size):
    """What came of it, on a loop of one kind."""
    with contextlib.ExitStack() as stack:
        ends = socket.socketpair()
        for end in ends:
            stack.enter_context(end).setblocking(False)
        loop = make_loop()
        stack.callback(loop.close)
        try:
            return repr(loop.run_until_complete(use(classes, loop, ends, size)))
        except Exception as error:
            return type(error)
