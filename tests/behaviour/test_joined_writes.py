"""What a job writes in several pieces: by habit they are joined, and nobody can tell by asking.

On asyncio each piece is sent at once. On our loop these tests say the same of all that can be
asked, and one says what is joined.
"""

import asyncio
import contextvars
import random
import signal
import socket
import sys

import pytest
from connections import Recorder, everything, run

import greenloop
from greenloop._native import SocketTransport

WELL_ESTABLISHED = 6
"""Of how many jobs a habit is made, and some more."""


async def write_in_pieces(transport, times=WELL_ESTABLISHED):
    for _ in range(times):
        transport.write(b"<")
        transport.write(b">")
        await asyncio.sleep(0)


@pytest.fixture
def habitual(loop, peer_of):
    """A transport to which jobs have written in pieces, its protocol and its peer."""
    protocol = Recorder()
    far = peer_of(protocol)
    loop.run_until_complete(write_in_pieces(protocol.transport))
    assert everything(far) == b"<>" * WELL_ESTABLISHED
    return protocol, far


def in_a_job(loop, function, *arguments):
    """What a callback of the loop's returns."""
    outcome = []
    loop.call_soon(lambda: outcome.append(function(*arguments)))
    run(loop)
    return outcome[0]


OBSERVERS = {
    "get_write_buffer_size": lambda transport: transport.get_write_buffer_size() == 0,
    "is_closing": lambda transport: transport.is_closing() is False,
    "get_extra_info": lambda transport: transport.get_extra_info("socket") is not None,
    "set_write_buffer_limits": lambda transport: transport.set_write_buffer_limits(99) is None,
    "close": lambda transport: transport.close() is None,
    "abort": lambda transport: transport.abort() is None,
    "write_eof": lambda transport: transport.write_eof() is None,
    "a memoryview": lambda transport: transport.write(memoryview(b"y")) is None,
    "much": lambda transport: transport.write(bytes(17 * 1024)) is None,
    "_buffer": lambda transport: len(transport._buffer) == 0,
    "_conn_lost": lambda transport: transport._conn_lost == 0,
}

if sys.version_info >= (3, 12):
    # Before, they are joined and written as one piece more.
    OBSERVERS["writelines"] = lambda transport: transport.writelines([b"y", b"z"]) is None
    OBSERVERS["no lines"] = lambda transport: transport.writelines([]) is None


@pytest.mark.parametrize("observe", OBSERVERS.values(), ids=OBSERVERS.keys())
def test_whoever_could_tell_has_everything_sent_first(loop, habitual, observe):
    protocol, far = habitual

    def job():
        protocol.transport.write(b"a")
        protocol.transport.write(bytearray(b"b"))
        assert observe(protocol.transport)
        return everything(far)

    assert in_a_job(loop, job).startswith(b"ab")


def test_a_habit_joins_what_a_job_writes_and_a_job_that_writes_once_ends_it(loop, habitual):
    protocol, far = habitual
    is_ours = type(protocol.transport) is SocketTransport

    def job():
        protocol.transport.write(b"a")
        before = everything(far)
        protocol.transport.write(b"b")
        return before + everything(far)

    assert in_a_job(loop, job) == (b"" if is_ours else b"ab")
    assert everything(far) == (b"ab" if is_ours else b"")
    in_a_job(loop, protocol.transport.write, b"c")
    assert everything(far) == b"c"
    assert in_a_job(loop, job) == b"ab"


def test_a_bytearray_can_be_changed_as_soon_as_it_is_written(loop, habitual):
    protocol, far = habitual
    data = bytearray(b"abc")

    def job():
        protocol.transport.write(data)
        data[:] = b"xyzzy"
        protocol.transport.write(data)
        data.clear()

    in_a_job(loop, job)
    assert everything(far) == b"abcxyzzy"


def test_what_is_written_outside_of_a_job_is_sent_at_once(loop, habitual):
    protocol, far = habitual
    protocol.transport.write(b"a")
    assert everything(far) == b"a"


def test_a_signals_handler_sends_at_once(loop, habitual):
    protocol, far = habitual
    seen = []

    def handler(*_):
        protocol.transport.write(b"a")
        seen.append(everything(far))
        loop.call_soon_threadsafe(loop.stop)

    before = signal.signal(signal.SIGALRM, handler)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.01)
        loop.run_forever()
    finally:
        signal.signal(signal.SIGALRM, before)
    assert seen == [b"a"]


@pytest.mark.parametrize("exception", [ZeroDivisionError, SystemExit, KeyboardInterrupt])
def test_what_a_job_that_raises_has_written_is_sent(loop, habitual, exception):
    protocol, far = habitual
    reported = []
    loop.set_exception_handler(lambda _, context: reported.append(type(context["exception"])))

    def job():
        protocol.transport.write(b"a")
        protocol.transport.write(b"b")
        raise exception

    loop.call_soon(job)
    if exception is ZeroDivisionError:
        run(loop)
        assert reported == [exception]
    else:
        with pytest.raises(exception):
            run(loop)
        assert reported == []
    assert everything(far) == b"ab"


def test_a_low_mark_asks_for_a_pause_as_soon_as_ever(loop, habitual):
    protocol, _ = habitual
    protocol.transport.set_write_buffer_limits(0)

    def job():
        while "pause" not in protocol.names:
            protocol.transport.write(bytes(1000))
        return protocol.transport.get_write_buffer_size() > 0

    assert in_a_job(loop, job)


def test_what_there_is_no_room_for_waits_and_goes_on_in_the_context_of_the_write(loop, habitual):
    protocol, far = habitual
    place = contextvars.ContextVar("place", default="nowhere")
    seen = []
    protocol.reactions["resume"] = lambda *_: seen.append(place.get())

    def job():
        place.set("in the job")
        for _ in range(200):
            protocol.transport.write(bytes(5000))

    contextvars.copy_context().run(loop.call_soon, job)
    run(loop)
    assert "pause" in protocol.names
    received = bytearray()
    while len(received) < 1_000_000:
        received += everything(far)
        run(loop, 1)
    assert received == bytes(1_000_000)
    # From 3.15 on a connection has a context of its own.
    assert seen == ["in the job" if sys.version_info < (3, 15) else "nowhere"]


def test_a_peer_that_is_gone_ends_the_connection_with_the_same_error(loop, habitual):
    protocol, far = habitual
    protocol.transport.pause_reading()
    far.close()

    def job():
        protocol.transport.write(b"a")
        protocol.transport.write(b"b")
        return protocol.transport.is_closing()

    assert in_a_job(loop, job) is True
    name, exception = protocol.calls[-1]
    assert (name, type(exception)) == ("lost", BrokenPipeError)
    assert protocol.names.count("lost") == 1


def test_a_transport_that_is_dropped_by_its_job_has_sent_what_it_wrote(loop):
    near, far = socket.socketpair()
    near.setblocking(False)
    far.setblocking(False)

    async def lead_a_life():
        transport, _ = await loop.create_connection(asyncio.Protocol, sock=near)
        await write_in_pieces(transport)
        transport.write(b"a")
        transport.write(b"b")
        transport.close()

    loop.run_until_complete(lead_a_life())
    run(loop)
    with far:
        assert everything(far) == b"<>" * WELL_ESTABLISHED + b"ab"
        assert far.recv(1) == b""


@pytest.mark.parametrize("seed", range(20))
def test_whatever_the_pieces_every_byte_arrives_in_order(loop, peer_of, seed):
    protocol = Recorder()
    far = peer_of(protocol)
    chance = random.Random(seed)
    written, received = bytearray(), bytearray()
    # Of one kind mostly, so that habits are made.
    pieces = chance.choice([1, 2, 2, 3])

    async def write():
        for _ in range(200):
            for _ in range(pieces if chance.random() < 0.95 else chance.randrange(4)):
                size = chance.choice([1, 10, 500, 9000, 70_000])
                data = chance.choice([bytes, bytearray, memoryview])(chance.randbytes(size))
                written.extend(data)
                protocol.transport.write(data)
            if chance.random() < 0.1:
                lines = [b"-" * chance.randrange(3), b"+"]
                written.extend(b"".join(lines))
                protocol.transport.writelines(lines)
            await asyncio.sleep(0)
            if chance.random() < 0.7:
                received.extend(everything(far))

    loop.run_until_complete(write())
    while protocol.transport.get_write_buffer_size():
        received.extend(everything(far))
        run(loop, 1)
    received.extend(everything(far))
    assert received == written


@pytest.mark.parametrize("streams", [asyncio, greenloop], ids=["asyncio's", "ours"])
def test_a_drain_sends_what_was_written_before_it(loop, streams):
    near, far = socket.socketpair()
    near.setblocking(False)
    far.setblocking(False)

    async def write():
        _, writer = await streams.open_connection(sock=near)
        for _ in range(WELL_ESTABLISHED):
            writer.write(b"<")
            writer.write(b">")
            await writer.drain()
            assert everything(far) == b"<>"
            await asyncio.sleep(0)
        writer.write(b"a")
        await writer.drain()
        assert everything(far) == b"a"
        writer.writelines([b"b", b"c"])
        await writer.drain()
        assert everything(far) == b"bc"
        writer.close()
        await writer.wait_closed()

    loop.run_until_complete(write())
    far.close()
