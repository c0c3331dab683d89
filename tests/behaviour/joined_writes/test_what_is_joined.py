"""Writes of one job in several pieces: if they are a habit, the kernel sends them as one.

On asyncio each piece is sent at once. On our loop these tests say the same of all that can be
asked, and some say what is joined, and when nothing is.
"""

import contextvars
import signal
import sys

import pytest
from habits import in_a_job, received, unsent, waits_with

import greenloop
from connections import everything, run
from greenloop._native import SocketTransport


def test_a_habit_joins_what_a_job_writes_and_a_job_that_writes_once_ends_it(loop, habitual):
    protocol, far = habitual
    is_ours = type(protocol.transport) is SocketTransport
    number = protocol.transport.get_extra_info("socket").fileno()

    def job():
        protocol.transport.write(b"a")
        first = waits_with(number)
        protocol.transport.write(b"b")
        return first, waits_with(number)

    assert in_a_job(loop, job) == ((1, 2) if is_ours else (0, 0))
    assert received(far, 2) == b"ab"
    in_a_job(loop, protocol.transport.write, b"c")
    assert received(far, 1) == b"c"
    assert in_a_job(loop, job) == (0, 0)


@pytest.mark.slow
def test_a_peer_that_waits_for_the_first_piece_gets_it_although_the_job_goes_on(loop, habitual):
    """The kernel waits for 200 ms with what more is to follow."""
    protocol, far = habitual

    def job():
        protocol.transport.write(b"a")
        return received(far, 1)

    assert in_a_job(loop, job) == b"a"


def test_a_program_can_turn_joining_off(loop, habitual, monkeypatch):
    protocol, _ = habitual
    loop.join_writes = False

    def job():
        protocol.transport.write(b"a")
        return unsent(protocol.transport)

    assert in_a_job(loop, job) == 0
    for value, expected in [("0", False), ("1", True), ("", True)]:
        monkeypatch.setenv("GREENLOOP_JOIN_WRITES", value)
        other = greenloop.new_event_loop()
        assert other.join_writes is expected
        other.close()


def test_a_bytearray_can_be_changed_as_soon_as_it_is_written(loop, habitual):
    protocol, far = habitual
    data = bytearray(b"abc")

    def job():
        protocol.transport.write(data)
        data[:] = b"xyzzy"
        protocol.transport.write(data)
        data.clear()

    in_a_job(loop, job)
    assert received(far, 8) == b"abcxyzzy"


def test_what_is_written_outside_of_a_job_is_sent_at_once(loop, habitual):
    protocol, _ = habitual
    protocol.transport.write(b"a")
    assert unsent(protocol.transport) == 0


def test_a_signals_handler_sends_at_once(loop, habitual):
    protocol, _ = habitual
    seen = []

    def handler(*_):
        protocol.transport.write(b"a")
        seen.append(unsent(protocol.transport))
        loop.call_soon_threadsafe(loop.stop)

    before = signal.signal(signal.SIGALRM, handler)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.01)
        loop.run_forever()
    finally:
        signal.signal(signal.SIGALRM, before)
    assert seen == [0]


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
    assert received(far, 2) == b"ab"


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
            protocol.transport.write(bytes(100_000))

    contextvars.copy_context().run(loop.call_soon, job)
    run(loop)
    assert "pause" in protocol.names
    received = bytearray()
    while len(received) < 20_000_000:
        received += everything(far)
        run(loop, 1)
    assert received == bytes(20_000_000)
    # From 3.15 on a connection has a context of its own.
    assert seen == ["in the job" if sys.version_info < (3, 15) else "nowhere"]


def test_a_peer_that_is_gone_ends_the_connection_with_the_same_error(loop, habitual):
    protocol, far = habitual
    protocol.transport.pause_reading()
    far.close()

    def job():
        protocol.transport.write(b"a")
        protocol.transport.write(b"b")

    for _ in range(2):
        in_a_job(loop, job)
    name, exception = protocol.calls[-1]
    assert (name, type(exception)) == ("lost", BrokenPipeError)
    assert protocol.names.count("lost") == 1
