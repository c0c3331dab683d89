"""Connections over sockets: what a protocol is told, in which order, and what the transport does.

A `Recorder` writes down what it is told of. Its peer is a plain socket in the hands of the test, so that
each byte and each end of the stream comes when the test says.
"""

import asyncio
import contextvars
import gc
import logging
import os
import socket
import struct
import sys
import warnings
import weakref
from asyncio import constants, trsock

import pytest

VARIABLE = contextvars.ContextVar("VARIABLE", default="outside")


class Recorder(asyncio.Protocol):
    """A protocol that writes down its calls, and does what the test has put into `reactions`."""

    def __init__(self, **reactions):
        self.calls = []
        self.reactions = reactions
        self.transport = None

    def note(self, name, *arguments):
        self.calls.append((name, *arguments))
        reaction = self.reactions.get(name)
        return reaction(self, *arguments) if reaction else None

    def connection_made(self, transport):
        self.transport = transport
        self.note("made")

    def data_received(self, data):
        assert type(data) is bytes
        self.note("data", data)

    def eof_received(self):
        return self.note("eof")

    def connection_lost(self, exception):
        self.note("lost", exception)

    def pause_writing(self):
        self.note("pause")

    def resume_writing(self):
        self.note("resume")

    @property
    def names(self):
        return [name for name, *_ in self.calls]


class BufferedRecorder(Recorder, asyncio.BufferedProtocol):
    """The same for a protocol that gives the buffer itself."""

    room = 8

    def get_buffer(self, hint):
        assert hint == -1
        self.buffer = bytearray(self.room)
        replacement = self.note("get_buffer")
        return self.buffer if replacement is None else replacement

    def buffer_updated(self, count):
        self.note("updated", bytes(self.buffer[:count]))


def raising(exception):
    def reaction(*_):
        raise exception

    return reaction


@pytest.fixture
def peer_of(loop):
    """Connects a protocol; returns the other end, a socket that does not wait."""
    opened = []

    def connect(protocol, family="unix"):
        if family == "unix":
            near, far = socket.socketpair()
        else:
            with socket.create_server(("127.0.0.1", 0)) as listener:
                near = socket.create_connection(listener.getsockname())
                far, _ = listener.accept()
        near.setblocking(False)
        far.setblocking(False)
        opened.append(far)
        transport, connected = loop.run_until_complete(
            loop.create_connection(lambda: protocol, sock=near)
        )
        assert connected is protocol
        assert transport is protocol.transport
        opened.append(transport)
        return far

    yield connect
    for one in opened:
        if isinstance(one, socket.socket):
            one.close()
        elif not one.is_closing():
            one.abort()
    run(loop)


def run(loop, turns=6):
    """Make turns in which the loop sees what is ready."""
    for _ in range(turns):
        loop.call_later(0.001, loop.stop)
        loop.run_forever()


def run_until(loop, condition, seconds=20):
    deadline = loop.time() + seconds
    while not condition():
        assert loop.time() < deadline, "it did not happen"
        run(loop, 1)


def everything(far):
    """What the other end can read now."""
    data = bytearray()
    try:
        while part := far.recv(1 << 20):
            data += part
    except BlockingIOError:
        pass
    return bytes(data)


# What a transport is.


def test_a_transport_is_asyncios(loop, peer_of):
    protocol = Recorder()
    far = peer_of(protocol, "tcp")
    transport = protocol.transport
    assert isinstance(transport, asyncio.Transport)
    assert isinstance(transport, asyncio.transports._FlowControlMixin)
    assert transport.can_write_eof() is True
    assert transport.get_protocol() is protocol
    assert transport.is_reading() and not transport.is_closing()
    sock = transport.get_extra_info("socket")
    assert isinstance(sock, trsock.TransportSocket)
    assert transport.get_extra_info("sockname") == far.getpeername()
    assert transport.get_extra_info("peername") == far.getsockname()
    assert transport.get_extra_info("nothing") is None
    assert transport.get_extra_info("nothing", default=3) == 3
    assert weakref.ref(transport)() is transport
    transport.something = 1
    assert vars(transport)["something"] == 1


@pytest.mark.parametrize("protocol_number", [0, socket.IPPROTO_TCP])
def test_small_packets_are_not_held_back(loop_factory, protocol_number):
    loop = loop_factory()
    with socket.socket(proto=protocol_number) as listener:
        listener.bind(("127.0.0.1", 0))
        server_protocol = Recorder()
        server = loop.run_until_complete(
            loop.create_server(lambda: server_protocol, sock=listener)
        )
        client, _ = loop.run_until_complete(
            loop.create_connection(Recorder, *listener.getsockname())
        )
        run_until(loop, lambda: server_protocol.transport)
        expected = [client]
        # asyncio leaves out what a socket with protocol 0 has accepted; we do not.
        if protocol_number or type(loop).__module__.startswith("greenloop"):
            expected.append(server_protocol.transport)
        for transport in expected:
            sock = transport.get_extra_info("socket")
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        client.abort()
        server_protocol.transport.abort()
        server.close()
        run(loop)
    loop.close()


def test_the_repr_tells_the_state(loop, peer_of):
    protocol = Recorder()
    peer_of(protocol)
    transport = protocol.transport
    name, fd = type(transport).__name__, transport.get_extra_info("socket").fileno()
    run(loop)
    assert repr(transport) == f"<{name} fd={fd} read=polling write=<idle, bufsize=0>>"
    transport.pause_reading()
    transport.write(b"x" * (1 << 22))
    size = transport.get_write_buffer_size()
    assert repr(transport) == f"<{name} fd={fd} read=idle write=<polling, bufsize={size}>>"
    transport.close()
    assert repr(transport).startswith(f"<{name} closing fd={fd} ")
    transport.abort()
    run(loop)
    assert repr(transport) == f"<{name} closed fd={fd}>"


def test_the_order_and_the_turns_of_a_connections_life(loop):
    trace = []

    class Told(Recorder):
        def note(self, name, *arguments):
            trace.append(name)

    async def main():
        near, far = socket.socketpair()
        near.setblocking(False)

        async def count():
            for turn in range(12):
                trace.append(turn)
                await asyncio.sleep(0)

        counting = asyncio.create_task(count())
        transport, _ = await loop.create_connection(Told, sock=near)
        trace.append("connected")
        transport.close()
        trace.append("closed")
        await counting
        far.close()

    loop.run_until_complete(main())
    assert trace[:3] == [0, "made", 1]
    where = trace.index("connected")
    assert trace[where : where + 2] == ["connected", "closed"]
    assert trace.index("lost") == trace.index("closed") + 2


# Reading.


@pytest.mark.parametrize("kind", [Recorder, BufferedRecorder])
def test_what_comes_is_received(loop, peer_of, kind):
    protocol = kind()
    far = peer_of(protocol)
    far.send(b"one")
    run(loop)
    far.send(b"two")
    run(loop)
    far.close()
    run(loop)
    told = [call for call in protocol.calls if call[0] != "get_buffer"]
    word = "data" if kind is Recorder else "updated"
    assert told == [("made",), (word, b"one"), (word, b"two"), ("eof",), ("lost", None)]


def test_a_receive_takes_max_size_at_most(loop, peer_of):
    protocol = Recorder()
    far = peer_of(protocol)
    transport = protocol.transport
    assert transport.max_size == 256 * 1024
    transport.max_size = 3
    far.send(b"abcdefgh")
    run(loop)
    assert [data for _, *data in protocol.calls[1:]] == [[b"abc"], [b"def"], [b"gh"]]


@pytest.mark.parametrize("size", [1, 4095, 65536, 300_000, 3_000_000])
def test_much_comes_whole(loop, peer_of, size):
    protocol = Recorder()
    far = peer_of(protocol, "tcp")
    sent = os.urandom(size)
    writer = loop.run_in_executor(None, lambda: (far.setblocking(True), far.sendall(sent)))
    run_until(loop, lambda: sum(len(data) for name, *(data,) in protocol.calls[1:]) >= size)
    loop.run_until_complete(writer)
    assert b"".join(data for name, data in protocol.calls[1:]) == sent


@pytest.mark.parametrize("keep_from", [0, 3, 1000])
def test_what_a_protocol_keeps_stays_as_it_is(loop, peer_of, keep_from):
    """Also if what came before was not kept, and its memory was used again."""
    sizes = [40_000, 50_000, 33_000, 100_000, 20, 70_000, 16_384, 65_536, 65_537, 150_000] * 2
    received, kept, hashes = bytearray(), [], set()

    def look(protocol, data):
        received.extend(data)
        hashes.add(hash(data))
        assert hash(data) == hash(bytes(bytearray(data)))
        assert data.endswith(data[-1:]) and len(data) == len(bytearray(data))
        if len(hashes) > keep_from:
            kept.append((data, bytes(bytearray(data))))

    protocol = Recorder(data=look)
    protocol.note = lambda name, *data: look(protocol, *data) if name == "data" else None
    far = peer_of(protocol)
    sent = b""
    for size in sizes:
        packet = os.urandom(size)
        sent += packet
        far.send(packet)
        run_until(loop, lambda: len(received) == len(sent))
    assert received == sent
    assert all(data == copy for data, copy in kept)


def test_reading_can_be_paused_and_resumed(loop, peer_of):
    protocol = Recorder()
    far = peer_of(protocol)
    transport = protocol.transport
    run(loop)
    transport.pause_reading()
    transport.pause_reading()
    assert not transport.is_reading()
    far.send(b"data")
    run(loop)
    assert protocol.names == ["made"]
    transport.resume_reading()
    transport.resume_reading()
    assert transport.is_reading()
    run(loop)
    assert protocol.names == ["made", "data"]


def test_reading_paused_in_connection_made_does_not_begin(loop, peer_of):
    protocol = Recorder(made=lambda protocol: protocol.transport.pause_reading())
    far = peer_of(protocol)
    far.send(b"data")
    run(loop)
    assert protocol.names == ["made"]
    protocol.transport.resume_reading()
    run(loop)
    assert protocol.names == ["made", "data"]


def test_pausing_takes_back_what_was_about_to_be_read(loop, peer_of):
    """Two descriptors are ready in one turn; who is called first pauses the other."""
    first, second = Recorder(), Recorder()
    peers = peer_of(first), peer_of(second)
    run(loop)

    def pause_other(protocol, data):
        other = second if protocol is first else first
        other.transport.pause_reading()
        other.transport.resume_reading()
        other.transport.pause_reading()

    first.reactions["data"] = second.reactions["data"] = pause_other
    for peer in peers:
        peer.send(b"x")
    run(loop)
    assert sorted(first.names + second.names) == ["data", "made", "made"]


def test_a_new_protocol_gets_what_comes_next(loop, peer_of):
    old, new, buffered = Recorder(), Recorder(), BufferedRecorder()
    far = peer_of(old)
    transport = old.transport
    transport.set_protocol(new)
    far.send(b"1")
    run(loop)
    transport.set_protocol(buffered)
    assert transport.get_protocol() is buffered
    far.send(b"2")
    run(loop)
    assert (old.names, new.calls) == (["made"], [("data", b"1")])
    assert ("updated", b"2") in buffered.calls


def test_a_method_replaced_on_the_protocol_is_what_is_called(loop, peer_of):
    protocol = Recorder()
    far = peer_of(protocol)
    got = []
    protocol.data_received = got.append
    far.send(b"x")
    run(loop)
    assert got == [b"x"]


@pytest.mark.parametrize("keep_open", [None, False, True, 1, []])
def test_the_end_of_the_stream_closes_unless_the_protocol_objects(loop, peer_of, keep_open):
    protocol = Recorder(eof=lambda protocol: keep_open)
    far = peer_of(protocol)
    far.shutdown(socket.SHUT_WR)
    run(loop)
    if not keep_open:
        assert protocol.names == ["made", "eof", "lost"]
        return
    assert protocol.names == ["made", "eof"]
    protocol.transport.write(b"still")
    assert everything(far) == b"still"
    assert not protocol.transport.is_closing()


def test_a_reset_is_told_by_connection_lost_alone(loop, peer_of, reports):
    protocol = Recorder()
    far = peer_of(protocol, "tcp")
    far.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    far.close()
    run(loop)
    assert protocol.names == ["made", "lost"]
    error = protocol.calls[-1][1]
    assert type(error) is ConnectionResetError
    assert (error.errno, error.strerror) == (104, "Connection reset by peer")
    assert reports == []


def test_a_socket_closed_by_somebody_else_is_not_read(loop, peer_of, reports):
    """Its number may belong to another connection already."""
    protocol = Recorder()
    far = peer_of(protocol)
    transport = protocol.transport
    run(loop)
    transport.get_extra_info("socket")._sock.close()
    transport.write(b"x")
    run(loop)
    assert protocol.names == ["made", "lost"]
    assert protocol.calls[-1][1].errno == 9
    assert everything(far) == b""
    assert reports == []


# Exceptions of protocols.

FAULTS = {
    "data": "Fatal error: protocol.data_received() call failed.",
    "eof": "Fatal error: protocol.eof_received() call failed.",
    "get_buffer": "Fatal error: protocol.get_buffer() call failed.",
    "updated": "Fatal error: protocol.buffer_updated() call failed.",
}


@pytest.mark.parametrize("error", [ZeroDivisionError(), asyncio.CancelledError()], ids=repr)
@pytest.mark.parametrize("method", FAULTS)
def test_a_protocol_that_raises_loses_the_connection(loop, peer_of, reports, method, error):
    kind = BufferedRecorder if method in ("get_buffer", "updated") else Recorder
    protocol = kind(**{method: raising(error)})
    far = peer_of(protocol)
    far.send(b"x") if method != "eof" else far.shutdown(socket.SHUT_WR)
    run(loop)
    assert protocol.calls[-1] == ("lost", error)
    assert len(reports) == 1
    report = reports[0]
    assert (report["message"], report["exception"]) == (FAULTS[method], error)
    assert report["transport"] is protocol.transport
    assert report["protocol"] is protocol


def test_an_error_of_the_systems_raised_by_a_protocol_is_not_reported(loop, peer_of, reports):
    error = OSError("mine")
    protocol = Recorder(data=raising(error))
    peer_of(protocol).send(b"x")
    run(loop)
    assert protocol.calls[-1] == ("lost", error)
    assert reports == []


@pytest.mark.parametrize("method", ["made", "lost"])
def test_a_protocol_that_raises_at_its_ends_is_reported(loop, peer_of, reports, method):
    error = ZeroDivisionError()
    protocol = Recorder(**{method: raising(error)})
    far = peer_of(protocol)
    protocol.transport.close()
    run(loop)
    assert protocol.names == ["made", "lost"]
    assert [report["exception"] for report in reports] == [error]
    assert reports[0]["message"].startswith("Exception in callback ")
    assert far.recv(1) == b""


@pytest.mark.parametrize("method", ["pause", "resume"])
def test_a_protocol_that_raises_at_flow_control_is_reported(loop, peer_of, reports, method):
    error = ZeroDivisionError()
    protocol = Recorder(**{method: raising(error)})
    far = peer_of(protocol)
    protocol.transport.write(b"x" * (1 << 22))
    got = 0
    while got < 1 << 22:
        got += len(everything(far))
        run(loop, 1)
    assert protocol.names == ["made", "pause", "resume"]
    assert [report["message"] for report in reports] == [f"protocol.{method}_writing() failed"]
    assert reports[0]["exception"] is error
    assert not protocol.transport.is_closing()


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt()], ids=repr)
@pytest.mark.parametrize("method", ["data", "eof", "get_buffer", "updated", "lost"])
def test_what_ends_the_program_leaves_the_loop(loop, peer_of, reports, method, error):
    kind = BufferedRecorder if method in ("get_buffer", "updated") else Recorder
    protocol = kind(**{method: raising(error)})
    far = peer_of(protocol)
    protocol.reactions.update(made=None)
    if method in ("eof", "lost"):
        far.close()
    else:
        far.send(b"x")
    with pytest.raises(type(error)):
        run(loop)
    protocol.reactions.clear()
    # The loop goes on.
    run(loop)
    assert reports == []


def test_a_factory_that_raises_loses_that_connection_only(loop, reports):
    protocols = []

    def factory():
        if not protocols:
            protocols.append(None)
            raise ZeroDivisionError
        protocols.append(Recorder())
        return protocols[-1]

    server = loop.run_until_complete(loop.create_server(factory, "127.0.0.1", 0))
    address = server.sockets[0].getsockname()
    with socket.create_connection(address) as first:
        run(loop)
        first.setblocking(False)
        # What accepted it is gone with the exception.
        gc.collect()
        run(loop)
        with socket.create_connection(address):
            run_until(loop, lambda: len(protocols) == 2)
            run(loop)
            assert protocols[1].names == ["made"]
    run(loop)
    assert protocols[1].names == ["made", "eof", "lost"]
    server.close()
    loop.run_until_complete(server.wait_closed())


@pytest.mark.parametrize(
    ("buffer", "error"),
    [(b"", RuntimeError), (b"constant", TypeError), (3, TypeError), (None, None)],
    ids=repr,
)
def test_buffers_that_cannot_be_received_into(loop, peer_of, reports, buffer, error):
    protocol = BufferedRecorder(get_buffer=lambda protocol: buffer)
    peer_of(protocol).send(b"abc")
    run(loop)
    if error is None:
        assert protocol.calls[-1] == ("updated", b"abc")
        return
    assert protocol.names[-1] == "lost"
    assert type(reports[0]["exception"]) is error
    wording = {
        b"": "get_buffer() returned an empty buffer",
        b"constant": "read-write bytes-like object",
        3: "object of type 'int' has no len()",
    }
    assert wording[buffer] in str(reports[0]["exception"])


# Writing.


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


# Contexts.


def test_each_callback_has_the_context_that_asyncio_gives_it(loop):
    seen = []

    class Told(Recorder):
        def note(self, name, *arguments):
            seen.append((name, VARIABLE.get()))
            VARIABLE.set(f"{name} has set it")

    near, far = socket.socketpair()
    near.setblocking(False)
    far.setblocking(False)

    async def main():
        VARIABLE.set("main")
        transport, _ = await loop.create_connection(Told, sock=near)
        far.send(b"1")
        await asyncio.sleep(0.01)
        far.send(b"2")
        await asyncio.sleep(0.01)
        VARIABLE.set("main, later")
        transport.pause_reading()
        transport.resume_reading()
        far.send(b"3")
        await asyncio.sleep(0.01)
        transport.write(b"x" * (1 << 21))
        while transport.get_write_buffer_size():
            everything(far)
            await asyncio.sleep(0)
        VARIABLE.set("main, at the end")
        transport.close()
        await asyncio.sleep(0.01)

    loop.run_until_complete(main())
    far.close()
    assert seen == [
        ("made", "main"),
        ("data", "main"),
        ("data", "data has set it"),
        ("data", "main, later"),
        ("pause", "main, later"),
        ("resume", "pause has set it"),
        ("lost", "main, at the end"),
    ] or seen[4:] == [
        ("pause", "main, later"),
        ("resume", "main, later"),
        ("lost", "main, at the end"),
    ]


# Debug mode.


def test_debug_mode_says_what_happens(loop, peer_of, caplog):
    loop.set_debug(True)
    protocol = Recorder()
    with caplog.at_level(logging.DEBUG, "asyncio"):
        far = peer_of(protocol)
        run(loop)
        caplog.clear()
        protocol.transport.pause_reading()
        protocol.transport.resume_reading()
        far.close()
        run(loop)
    said = [message.partition("> ")[2].lstrip("> ") for message in caplog.messages]
    assert [text for text in said if "read" in text or "EOF" in text] == [
        "pauses reading",
        "resumes reading",
        "received EOF",
    ]


def test_debug_mode_tells_of_errors_that_are_not_reported(loop, peer_of, caplog, reports):
    loop.set_debug(True)
    protocol = Recorder()
    with caplog.at_level(logging.DEBUG, "asyncio"):
        far = peer_of(protocol)
        far.close()
        protocol.transport.write(b"x")
        run(loop)
    records = [record for record in caplog.records if "Fatal write error" in record.message]
    assert len(records) == 1
    assert records[0].exc_info[0] is BrokenPipeError
    assert reports == []


# Lifetime.


def test_a_transport_that_is_dropped_says_so_and_closes(loop):
    near, far = socket.socketpair()
    near.setblocking(False)
    transport, protocol = loop.run_until_complete(loop.create_connection(Recorder, sock=near))
    run(loop)
    transport.pause_reading()
    far.send(b"unread")
    reference = weakref.ref(transport)
    text = f"unclosed transport {transport!r}"
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        del transport, protocol
        gc.collect()
    assert reference() is None
    assert text in [str(warning.message) for warning in caught]
    assert near.fileno() == -1
    # What was not read makes the end a reset.
    with pytest.raises(ConnectionResetError):
        far.recv(1)
    far.close()


def test_a_cycle_of_transport_and_protocol_is_collected(loop):
    near, far = socket.socketpair()
    near.setblocking(False)
    protocol = Recorder()
    transport = loop.run_until_complete(loop.create_connection(lambda: protocol, sock=near))[0]
    transport.cycle = transport
    transport.close()
    run(loop)
    references = weakref.ref(transport), weakref.ref(protocol)
    protocol.calls.clear()
    del transport, protocol
    gc.collect()
    assert [reference() for reference in references] == [None, None]
    far.close()


@pytest.mark.parametrize("end", ["close", "abort", "peer"])
def test_connections_that_come_and_go_leave_nothing(loop, end):
    """Descriptors and objects are as many after many connections as after a few."""

    class Server(asyncio.Protocol):
        def connection_made(self, transport):
            self.transport = transport

        def data_received(self, data):
            self.transport.write(data)
            if end == "close":
                self.transport.close()
            elif end == "abort":
                self.transport.abort()

    class Client(asyncio.Protocol):
        def __init__(self):
            self.done = loop.create_future()

        def connection_made(self, transport):
            transport.write(b"x")
            self.transport = transport

        def data_received(self, data):
            if end == "peer":
                self.transport.close()

        def connection_lost(self, exception):
            if not self.done.done():
                self.done.set_result(None)

    async def churn(address, count):
        for _ in range(count):
            clients = await asyncio.gather(
                *(loop.create_unix_connection(Client, address) for _ in range(10))
            )
            await asyncio.gather(*(client.done for _, client in clients))
        del clients
        await asyncio.sleep(0.01)
        gc.collect()
        return len(os.listdir("/proc/self/fd")), len(gc.get_objects())

    async def main():
        address = f"\0greenloop-churn-{os.getpid()}-{id(loop)}-{end}"
        server = await loop.create_unix_server(Server, address)
        before = await churn(address, 5)
        after = await churn(address, 60)
        server.close()
        await server.wait_closed()
        return before, after

    (descriptors, objects), (descriptors_after, objects_after) = loop.run_until_complete(main())
    assert descriptors_after == descriptors
    assert objects_after - objects < 50


def test_a_server_knows_its_connections(loop):
    async def main():
        protocols = []

        def factory():
            protocols.append(Recorder())
            return protocols[-1]

        server = await loop.create_server(factory, "127.0.0.1", 0)
        client, _ = await loop.create_connection(Recorder, *server.sockets[0].getsockname())
        while not (protocols and protocols[0].transport):
            await asyncio.sleep(0.001)
        server.close()
        waiting = asyncio.create_task(server.wait_closed())
        await asyncio.sleep(0.01)
        if sys.version_info >= (3, 12):
            assert not waiting.done()
        client.close()
        await asyncio.wait_for(waiting, 10)
        return protocols[0].names

    assert loop.run_until_complete(main())[0] == "made"


# What is not plain.


def test_a_socket_that_does_something_else_is_asked(loop):
    class Shouting(socket.socket):
        def send(self, data):
            return super().send(bytes(data).upper())

    near, far = socket.socketpair()
    shouting = Shouting(fileno=near.detach())
    shouting.setblocking(False)
    transport, _ = loop.run_until_complete(loop.create_connection(Recorder, sock=shouting))
    transport.write(b"quiet")
    assert far.recv(10) == b"QUIET"
    transport.close()
    run(loop)
    far.close()


def test_a_loop_whose_watching_is_replaced_is_asked(loop):
    watched = []
    original = loop._add_reader

    def watch(fd, *arguments, **keywords):
        watched.append(fd)
        return original(fd, *arguments, **keywords)

    loop._add_reader = watch
    near, far = socket.socketpair()
    near.setblocking(False)
    transport, protocol = loop.run_until_complete(loop.create_connection(Recorder, sock=near))
    far.send(b"x")
    run(loop)
    assert watched == [near.fileno()]
    assert protocol.names == ["made", "data"]
    transport.close()
    run(loop)
    far.close()


def test_a_file_can_be_sent_past_the_transport(loop, peer_of, tmp_path):
    protocol = Recorder()
    far = peer_of(protocol, "tcp")
    content = os.urandom(300_000)
    path = tmp_path / "content"
    path.write_bytes(content)
    far.setblocking(True)
    reading = loop.run_in_executor(None, lambda: far.recv(300_006, socket.MSG_WAITALL))

    async def send():
        protocol.transport.write(b"head")
        with path.open("rb") as file:
            sending = asyncio.create_task(loop.sendfile(protocol.transport, file, fallback=False))
            await asyncio.sleep(0)
            assert await sending == 300_000
        protocol.transport.write(b"ok")
        return await reading

    assert loop.run_until_complete(send()) == b"head" + content + b"ok"
    far.send(b"after")
    run(loop)
    assert protocol.calls[-1] == ("data", b"after")
