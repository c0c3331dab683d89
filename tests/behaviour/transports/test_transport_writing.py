"""Data that a protocol writes, and the ways in which a connection ends."""

import asyncio
import logging
import os
import socket
from asyncio import constants

import pytest

from connections import Recorder, everything, run

# Writing.


@pytest.mark.parametrize("busy", [0, 1, 200])
@pytest.mark.parametrize(
    ("act", "told", "expected"),
    [
        # In the next turn the task that counts is resumed first, since it was ready before.
        (lambda transport: transport.write(b"abc"), "data", 2),
        (lambda transport: transport.writelines([b"a", b"bc"]), "data", 2),
        (lambda transport: transport.write_eof(), "eof", 2),
        # The socket itself is closed in the next turn.
        (lambda transport: transport.close(), "eof", 3),
    ],
    ids=["write", "writelines", "write_eof", "close"],
)
def test_the_other_end_on_the_same_loop_is_told_at_the_next_turn(loop, act, told, expected, busy):
    near, far = Recorder(), Recorder()

    async def count_turns():
        for one, protocol in zip(socket.socketpair(), (near, far)):
            await loop.create_connection(lambda protocol=protocol: protocol, sock=one)
        for _ in range(busy):
            await asyncio.sleep(0)
        act(near.transport)
        turns = 0
        while told not in far.names and turns < 50:
            await asyncio.sleep(0)
            turns += 1
        return turns

    assert loop.run_until_complete(count_turns()) == expected
    for protocol in (near, far):
        protocol.transport.abort()
    run(loop)


@pytest.mark.parametrize("convert", [bytes, bytearray, memoryview])
def test_what_is_written_goes_out_at_once(loop, peer_of, convert):
    protocol = Recorder()
    far = peer_of(protocol)
    assert protocol.transport.write(convert(b"abc")) is None
    assert everything(far) == b"abc"
    protocol.transport.write(convert(b""))
    assert protocol.transport.get_write_buffer_size() == 0


@pytest.mark.parametrize("data", ["text", None, 3, [b"list"]], ids=repr)
def test_only_bytes_can_be_written(loop, peer_of, data):
    protocol = Recorder()
    peer_of(protocol)
    with pytest.raises(TypeError, match=r"^data argument must be a bytes") as raised:
        protocol.transport.write(data)
    assert type(data).__name__ in str(raised.value)
    assert not protocol.transport.is_closing()


@pytest.mark.parametrize("family", ["unix", "tcp"])
def test_a_slow_reader_gets_every_byte_in_order(loop, peer_of, family):
    protocol = Recorder()
    far = peer_of(protocol, family)
    transport = protocol.transport
    whole = bytearray()
    kinds = [bytes, bytearray, memoryview]
    for number in range(40):
        piece = os.urandom(1 + number * 7919)
        whole += piece
        if number % 5 == 4:
            half = len(piece) // 2
            transport.writelines([piece[:half], b"", memoryview(piece)[half:]])
        else:
            given = kinds[number % 3](piece)
            transport.write(given)
    assert transport.get_write_buffer_size() > 0
    got = bytearray()
    deadline = loop.time() + 20
    while len(got) < len(whole):
        assert loop.time() < deadline
        got += everything(far)
        run(loop, 1)
    assert got == whole
    assert transport.get_write_buffer_size() == 0
    assert protocol.names == ["made", "pause", "resume"]


def test_what_waits_is_not_changed_by_its_owner(loop, peer_of):
    protocol = Recorder()
    far = peer_of(protocol)
    transport = protocol.transport
    whole = b"a" * (1 << 21)
    transport.write(whole)
    view = memoryview(b"b" * 10)
    transport.write(view[2:5])
    view.release()
    got = b""
    while len(got) < len(whole) + 3:
        got += everything(far)
        run(loop, 1)
    assert got == whole + b"bbb"


def test_many_small_pieces_wait_and_are_written(loop, peer_of):
    protocol = Recorder()
    far = peer_of(protocol)
    transport = protocol.transport
    transport.write(b"x" * (1 << 20))
    for number in range(5000):
        transport.write(b"%d," % number)
    tail = b"".join(b"%d," % number for number in range(5000))
    transport.close()
    got = b""
    while not got.endswith(tail):
        got += everything(far)
        run(loop, 1)
    run(loop)
    assert protocol.names[-1] == "lost"
    assert len(got) == (1 << 20) + len(tail)


def test_writelines_takes_any_iterable(loop, peer_of):
    protocol = Recorder()
    far = peer_of(protocol)
    transport = protocol.transport
    transport.writelines([b"a", bytearray(b"b"), memoryview(b"c")])
    transport.writelines(part for part in (b"d", b"e"))
    transport.writelines([])
    assert everything(far) == b"abcde"
    with pytest.raises(TypeError):
        transport.writelines([b"f", "text"])
    with pytest.raises(TypeError):
        transport.writelines(3)
    assert everything(far) == b""
    assert not transport.is_closing()


def test_flow_control_follows_the_marks(loop, peer_of):
    protocol = Recorder()
    far = peer_of(protocol)
    transport = protocol.transport
    assert transport.get_write_buffer_limits() == (16384, 65536)
    transport.set_write_buffer_limits(high=1000)
    assert transport.get_write_buffer_limits() == (250, 1000)
    transport.set_write_buffer_limits(low=500)
    assert transport.get_write_buffer_limits() == (500, 2000)
    transport.set_write_buffer_limits(high=3.5, low=1.5)
    assert transport.get_write_buffer_limits() == (1.5, 3.5)
    filler = b"x" * (1 << 16)
    while not transport.get_write_buffer_size():
        transport.set_write_buffer_limits()
        transport.write(filler)
    waiting = transport.get_write_buffer_size()
    assert waiting <= 1 << 16
    assert protocol.names == ["made"]
    transport.set_write_buffer_limits(high=waiting)
    assert protocol.names == ["made"]
    transport.write(b"y")
    assert protocol.names == ["made", "pause"]
    transport.write(b"y")
    transport.set_write_buffer_limits(high=0)
    assert protocol.names == ["made", "pause"]
    while transport.get_write_buffer_size():
        everything(far)
        run(loop, 1)
    assert protocol.names == ["made", "pause", "resume"]


@pytest.mark.parametrize("limits", [{"high": 1, "low": 2}, {"high": -1}, {"low": -5}], ids=repr)
def test_limits_that_make_no_sense_are_refused(loop, peer_of, limits):
    protocol = Recorder()
    peer_of(protocol)
    with pytest.raises(ValueError, match=r"^high \(.*\) must be >= low \(.*\) must be >= 0$"):
        protocol.transport.set_write_buffer_limits(**limits)
    assert protocol.transport.get_write_buffer_limits() == (16384, 65536)


def test_more_may_be_written_when_writing_resumes(loop, peer_of):
    def write_again(protocol):
        protocol.transport.write(b"again")
        protocol.transport.close()

    protocol = Recorder(resume=write_again)
    far = peer_of(protocol)
    protocol.transport.write(b"x" * (1 << 21))
    got = b""
    while not got.endswith(b"again"):
        got += everything(far)
        run(loop, 1)
    run(loop)
    assert protocol.names == ["made", "pause", "resume", "lost"]
    assert far.recv(1) == b""


# Ends.


@pytest.mark.parametrize("full", [False, True])
def test_write_eof_comes_behind_what_was_written(loop, peer_of, full):
    protocol = Recorder()
    far = peer_of(protocol)
    transport = protocol.transport
    size = 1 << 21 if full else 3
    transport.write(b"x" * size)
    transport.write_eof()
    transport.write_eof()
    with pytest.raises(RuntimeError, match=r"^Cannot call write\(\) after write_eof\(\)$"):
        transport.write(b"y")
    with pytest.raises(RuntimeError, match=r"^Cannot call write(lines)?\(\) after write_eof\(\)$"):
        transport.writelines([b"y"])
    got = 0
    far.setblocking(False)
    ended = False
    deadline = loop.time() + 20
    while not ended:
        assert loop.time() < deadline
        try:
            data = far.recv(1 << 20)
            got += len(data)
            ended = not data
        except BlockingIOError:
            run(loop, 1)
    assert got == size
    far.send(b"back")
    run(loop)
    assert protocol.calls[-1] == ("data", b"back")


def test_close_writes_what_waits_first(loop, peer_of):
    protocol = Recorder()
    far = peer_of(protocol)
    transport = protocol.transport
    transport.write(b"x" * (1 << 21))
    transport.close()
    transport.close()
    transport.write(b"yz")
    run(loop)
    assert protocol.names == ["made", "pause"]
    got = b""
    while len(got) < (1 << 21) + 2:
        got += everything(far)
        run(loop, 1)
    run(loop)
    assert got.endswith(b"yz")
    assert protocol.names == ["made", "pause", "resume", "lost"]


def test_close_in_data_received_is_the_last_that_is_heard(loop, peer_of):
    protocol = Recorder(data=lambda protocol, data: protocol.transport.close())
    far = peer_of(protocol)
    protocol.transport.max_size = 1
    far.send(b"abc")
    run(loop)
    assert protocol.names == ["made", "data", "lost"]


def test_abort_drops_what_waits(loop, peer_of):
    protocol = Recorder()
    far = peer_of(protocol)
    transport = protocol.transport
    transport.write(b"x" * (1 << 21))
    transport.abort()
    transport.abort()
    assert transport.get_write_buffer_size() == 0
    assert transport.is_closing()
    run(loop)
    assert protocol.calls[-1] == ("lost", None)
    assert protocol.names.count("lost") == 1
    with pytest.raises(OSError):
        far.send(b"x")


def test_a_closed_transport_takes_everything_calmly(loop, peer_of):
    protocol = Recorder()
    peer_of(protocol)
    transport = protocol.transport
    transport.close()
    run(loop)
    transport.close()
    transport.abort()
    transport.pause_reading()
    transport.resume_reading()
    transport.write_eof()
    transport.set_write_buffer_limits(high=5)
    assert transport.get_protocol() is None
    assert transport.is_closing() and not transport.is_reading()
    assert transport.get_write_buffer_size() == 0
    assert transport.get_extra_info("socket").fileno() == -1
    assert protocol.names == ["made", "lost"]


def test_writing_to_a_lost_connection_is_said_after_a_while(loop, peer_of, caplog):
    protocol = Recorder()
    peer_of(protocol)
    transport = protocol.transport
    transport.close()
    with caplog.at_level(logging.WARNING, "asyncio"):
        for _ in range(constants.LOG_THRESHOLD_FOR_CONNLOST_WRITES - 1):
            transport.write(b"x")
        assert caplog.messages == []
        transport.write(b"x")
        transport.write(b"x")
    assert caplog.messages == ["socket.send() raised exception."] * 2


def test_a_write_to_a_peer_that_is_gone_loses_the_connection(loop, peer_of, reports):
    protocol = Recorder()
    far = peer_of(protocol)
    far.close()
    protocol.transport.write(b"x")
    run(loop)
    assert protocol.names == ["made", "lost"]
    assert type(protocol.calls[-1][1]) is BrokenPipeError
    assert reports == []


def test_the_descriptor_is_free_for_the_next_when_the_protocol_hears_of_the_end(loop, peer_of):
    """A new connection gets the number at once, and nothing of the old one's."""
    first, second = Recorder(), Recorder()
    peer_of(first)
    number = first.transport.get_extra_info("socket").fileno()
    first.transport.write(b"x" * (1 << 22))
    first.transport.abort()
    run(loop)
    far = peer_of(second)
    assert second.transport.get_extra_info("socket").fileno() == number
    first.transport.write(b"old")
    first.transport.abort()
    first.transport.close()
    second.transport.write(b"new")
    run(loop)
    assert everything(far) == b"new"
    far.send(b"answer")
    run(loop)
    assert second.calls == [("made",), ("data", b"answer")]


def test_nobody_else_watches_the_descriptor_of_a_transport(loop, peer_of):
    protocol = Recorder()
    peer_of(protocol)
    sock = protocol.transport.get_extra_info("socket")
    for method in (loop.remove_reader, loop.remove_writer):
        with pytest.raises(RuntimeError, match=r"^File descriptor .* is used by transport <"):
            method(sock)
    with pytest.raises(RuntimeError, match="is used by transport"):
        loop.add_reader(sock, print)
