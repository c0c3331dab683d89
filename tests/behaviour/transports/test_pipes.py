"""Pipes as transports: what goes through them, and that each descriptor is closed once."""

import asyncio
import gc
import os
import socket

import pytest

from connections import Recorder, run, run_until


@pytest.fixture
def pipe():
    """The two ends of a pipe as files."""
    near, far = os.pipe()
    files = open(near, "rb", 0), open(far, "wb", 0)
    yield files
    for file in files:
        file.close()


def read_from(loop, file, **reactions):
    protocol = Recorder(**reactions)
    loop.run_until_complete(loop.connect_read_pipe(lambda: protocol, file))
    return protocol


def write_to(loop, file, **reactions):
    protocol = Recorder(**reactions)
    loop.run_until_complete(loop.connect_write_pipe(lambda: protocol, file))
    return protocol


def test_what_is_written_at_one_end_is_read_at_the_other(loop, pipe):
    near, far = pipe
    reading, writing = read_from(loop, near), write_to(loop, far)
    whole = os.urandom(300_000)
    writing.transport.write(whole[:7])
    writing.transport.write(bytearray(whole[7:100_000]))
    writing.transport.write(memoryview(whole)[100_000:])
    writing.transport.write_eof()
    run_until(loop, lambda: "lost" in reading.names)
    assert b"".join(call[1] for call in reading.calls if call[0] == "data") == whole
    assert [name for name in reading.names if name != "data"] == ["made", "eof", "lost"]
    run_until(loop, lambda: "lost" in writing.names)
    assert writing.names == ["made", "pause", "resume", "lost"]


def test_a_writer_is_told_that_nobody_reads_any_more(loop, pipe):
    near, far = pipe
    protocol = write_to(loop, far)
    near.close()
    run_until(loop, lambda: "lost" in protocol.names)
    protocol.transport.write(b"for nobody")
    # Nothing waited to be written: it is no error.
    assert protocol.calls == [("made",), ("lost", None)]


@pytest.mark.parametrize("end", ["close", "abort", "the other end"])
@pytest.mark.parametrize("direction", ["read", "write"])
def test_a_descriptor_is_closed_once(loop, pipe, direction, end):
    """Its number is somebody else's at once, who must not lose it."""
    near, far = pipe
    if direction == "read":
        protocol, file, other = read_from(loop, near), near, far
    else:
        protocol, file, other = write_to(loop, far), far, near
    transport, number = protocol.transport, file.fileno()
    if end == "the other end":
        other.close()
    else:
        getattr(transport, end if hasattr(transport, end) else "close")()
    run_until(loop, lambda: "lost" in protocol.names)
    assert file.closed
    # The lowest free number is the next that is used.
    taken = []
    while number not in taken:
        taken.append(os.open(os.devnull, os.O_RDONLY))
    transport.close()
    file.close()
    run(loop)
    transport = protocol = file = None
    gc.collect()
    for one in taken:
        # Fails for a descriptor that is not open.
        os.close(one)


@pytest.mark.parametrize("direction", ["read", "write"])
def test_a_descriptor_that_is_shared_with_a_socket_is_closed_once(loop, direction):
    """A socket may stand for a pipe, as the input of a subprocess does."""
    near, far = socket.socketpair()
    connect = read_from if direction == "read" else write_to
    protocol = connect(loop, near)
    number = near.fileno()
    protocol.transport.close()
    run_until(loop, lambda: "lost" in protocol.names)
    assert near.fileno() == -1
    taken = []
    while number not in taken:
        taken.append(os.open(os.devnull, os.O_RDONLY))
    near.close()
    protocol.transport.close()
    run(loop)
    for one in taken:
        os.close(one)
    far.close()


def test_a_regular_file_is_no_pipe(loop, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"content")
    for mode, connect in (("rb", loop.connect_read_pipe), ("wb", loop.connect_write_pipe)):
        with path.open(mode) as file, pytest.raises(ValueError, match="Pipe transport is"):
            loop.run_until_complete(connect(asyncio.Protocol, file))


def test_a_named_pipe_and_a_terminal_carry_data(loop, tmp_path):
    path = str(tmp_path / "fifo")
    os.mkfifo(path)
    own, terminal = os.openpty()
    for near, far in [(os.open(path, os.O_RDWR), None), (own, terminal)]:
        far = os.open(path, os.O_RDWR) if far is None else far
        with open(near, "rb", 0) as source:
            protocol = read_from(loop, source)
            os.write(far, b"data\n")
            run_until(loop, lambda: "data" in protocol.names)
            assert protocol.calls[-1][1].rstrip() == b"data"
            protocol.transport.close()
            run(loop)
        os.close(far)
