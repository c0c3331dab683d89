"""Datagram transports: one datagram in a turn, sent at once or kept until there is room."""

import asyncio
import contextlib
import contextvars
import gc
import inspect
import os
import socket
import sys

import pytest
from connections import raising, run, run_until

import greenloop

# Both changed within a version of Python, so its source is asked and not its number.
SENDTO = inspect.getsource(asyncio.selector_events._SelectorDatagramTransport.sendto)
DROPS_EMPTY = "if not data:" in SENDTO
HEADER = 0 if "_buffer_size += len(data)\n" in SENDTO else 8


class Recorder(asyncio.DatagramProtocol):
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

    def datagram_received(self, data, address):
        assert type(data) is bytes
        self.note("datagram", data, address)

    def error_received(self, exception):
        self.note("error", exception)

    def connection_lost(self, exception):
        self.note("lost", exception)

    def pause_writing(self):
        self.note("pause")

    def resume_writing(self):
        self.note("resume")

    @property
    def names(self):
        return [name for name, *_ in self.calls]

    @property
    def datagrams(self):
        return [call[1] for call in self.calls if call[0] == "datagram"]


@pytest.fixture
def loop(loop):
    yield loop
    loop.close()


@pytest.fixture
def reported(loop):
    """What the loop's exception handler is told of."""
    contexts = []
    loop.set_exception_handler(lambda _, context: contexts.append(context))
    return contexts


@pytest.fixture
def endpoint(loop):
    """Makes datagram endpoints; returns their protocols."""
    protocols = []

    def make(protocol=None, **keywords):
        protocol = protocol or Recorder()
        if not keywords:
            keywords["local_addr"] = ("127.0.0.1", 0)
        transport, made = loop.run_until_complete(
            loop.create_datagram_endpoint(lambda: protocol, **keywords)
        )
        assert made is protocol
        assert transport is protocol.transport
        protocols.append(protocol)
        return protocol

    yield make
    for protocol in protocols:
        protocol.reactions.clear()
        if not protocol.transport.is_closing():
            protocol.transport.abort()
    run(loop)


@pytest.fixture
def peer():
    """A socket in the hands of the test."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.bind(("127.0.0.1", 0))
        one.setblocking(False)
        yield one


@pytest.fixture
def pair(endpoint, tmp_path):
    """An endpoint that is connected over Unix sockets, which get full, and the other end."""
    near, far = (socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) for _ in range(2))
    far.bind(str(tmp_path / "far"))
    near.connect(far.getsockname())
    far.setblocking(False)
    with far:
        yield endpoint(sock=near), far


def address(protocol):
    return protocol.transport.get_extra_info("sockname")


def all_of(far):
    got = []
    with contextlib.suppress(BlockingIOError):
        while True:
            got.append(far.recv(1 << 17))
    return got


def fill(transport, *target):
    """Send until something is kept; return how many went out."""
    count = 0
    while not transport.get_write_buffer_size():
        transport.sendto(b"x", *target)
        count += 1
        assert count < 10_000, "there is room without end"
    return count - 1


# Receiving.


def test_a_datagram_comes_with_its_address(loop, endpoint, peer):
    protocol = endpoint()
    for data in [b"one", b"two", b""]:
        peer.sendto(data, address(protocol))
    run_until(loop, lambda: len(protocol.datagrams) == 3)
    name = peer.getsockname()
    expected = [("made",), *(("datagram", data, name) for data in [b"one", b"two", b""])]
    assert protocol.calls == expected


def test_datagrams_of_several_peers_are_told_apart(loop, endpoint):
    protocol = endpoint()
    with contextlib.ExitStack() as stack:
        peers = [
            stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) for _ in range(5)
        ]
        for turn in range(8):
            for index, one in enumerate(peers):
                one.sendto(b"%d %d" % (turn, index), address(protocol))
        run_until(loop, lambda: len(protocol.datagrams) == 40)
        expected = [
            ("datagram", b"%d %d" % (turn, index), ("127.0.0.1", one.getsockname()[1]))
            for turn in range(8)
            for index, one in enumerate(peers)
        ]
        assert protocol.calls[1:] == expected


def test_one_datagram_is_received_in_a_turn(loop, endpoint, peer):
    order = []

    def received(protocol, data, _):
        order.append(data)
        loop.call_soon(order.append, b"after " + data)

    protocol = endpoint(Recorder(datagram=received))
    count = 100
    for index in range(count):
        peer.sendto(b"%d" % index, address(protocol))
    run_until(loop, lambda: len(order) == 2 * count)
    assert order == [
        text for index in range(count) for text in (b"%d" % index, b"after %d" % index)
    ]


def test_a_large_datagram_is_received_whole(loop, endpoint, peer):
    protocol = endpoint()
    data = os.urandom(65_000)
    peer.sendto(data, address(protocol))
    run_until(loop, lambda: protocol.datagrams)
    assert protocol.datagrams == [data]


def test_max_size_cuts_what_is_larger(loop, endpoint, peer):
    protocol = endpoint()
    assert protocol.transport.max_size == 256 * 1024
    protocol.transport.max_size = 3
    peer.sendto(b"12345", address(protocol))
    run_until(loop, lambda: protocol.datagrams)
    assert protocol.datagrams == [b"123"]


@pytest.mark.parametrize("family", ["v6", "unix path", "unix name", "unnamed"])
def test_addresses_are_those_of_the_socket_module(loop, endpoint, tmp_path, family):
    if family == "v6":
        near, far = (socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) for _ in range(2))
        near.bind(("::1", 0))
        far.bind(("::1", 0))
    elif family == "unnamed":
        near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    else:
        near, far = (socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) for _ in range(2))
        names = [str(tmp_path / "near"), str(tmp_path / "far")]
        if family == "unix name":
            names = [f"\0greenloop{os.getpid()}{one}".encode() for one in "ab"]
        near.bind(names[0])
        far.bind(names[1])
    far.setblocking(False)
    with far:

        def send(data):
            far.send(data) if family == "unnamed" else far.sendto(data, near.getsockname())

        send(b"first")
        _, expected = near.recvfrom(100)
        protocol = endpoint(sock=near)
        for _ in range(2):
            send(b"data")
        run_until(loop, lambda: len(protocol.datagrams) == 2)
        assert protocol.calls[1:] == [("datagram", b"data", expected)] * 2
        if expected:
            for _ in range(2):
                protocol.transport.sendto(b"back", expected)
            assert all_of(far) == [b"back"] * 2


def test_who_pauses_reading_is_told_later(loop, endpoint, peer):
    protocol = endpoint()
    transport = protocol.transport
    assert transport.is_reading()
    transport.pause_reading()
    assert not transport.is_reading()
    peer.sendto(b"data", address(protocol))
    run(loop)
    assert protocol.datagrams == []
    transport.resume_reading()
    run_until(loop, lambda: protocol.datagrams)
    assert protocol.datagrams == [b"data"]


def test_a_protocol_can_pause_between_two_datagrams(loop, endpoint, peer):
    protocol = endpoint(Recorder(datagram=lambda protocol, *_: protocol.transport.pause_reading()))
    for index in range(40):
        peer.sendto(b"%d" % index, address(protocol))
    for index in range(40):
        run(loop, 3)
        assert protocol.datagrams == [b"%d" % one for one in range(index + 1)]
        protocol.transport.resume_reading()


def test_the_protocol_is_called_in_the_context_of_the_endpoint(loop, endpoint, peer):
    variable = contextvars.ContextVar("variable", default="outside")
    seen = []
    protocol = Recorder(datagram=lambda *_: seen.append(variable.get()))

    async def make():
        variable.set("inside")
        await loop.create_datagram_endpoint(lambda: protocol, local_addr=("127.0.0.1", 0))

    loop.run_until_complete(make())
    peer.sendto(b"data", address(protocol))
    run_until(loop, lambda: seen)
    protocol.transport.abort()
    run(loop)
    assert seen == ["inside"]


def test_another_protocol_can_be_set(loop, endpoint, peer):
    protocol, other = endpoint(), Recorder()
    transport = protocol.transport
    assert transport.get_protocol() is protocol
    transport.set_protocol(other)
    assert transport.get_protocol() is other
    peer.sendto(b"data", address(protocol))
    run_until(loop, lambda: other.datagrams)
    assert protocol.datagrams == []


# Sending.


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_a_datagram_is_sent_at_once(endpoint, peer, kind):
    protocol = endpoint()
    assert protocol.transport.sendto(kind(b"data"), peer.getsockname()) is None
    assert peer.recvfrom(10) == (b"data", address(protocol))


def test_a_connected_endpoint_sends_to_its_peer(endpoint, peer):
    protocol = endpoint(remote_addr=peer.getsockname())
    transport = protocol.transport
    transport.sendto(b"one")
    transport.sendto(b"two", None)
    transport.sendto(b"three", peer.getsockname())
    assert all_of(peer) == [b"one", b"two", b"three"]
    with pytest.raises(ValueError, match="Invalid address: must be None or"):
        transport.sendto(b"four", ("127.0.0.1", 9))


@pytest.mark.parametrize("data", [b"", bytearray(), memoryview(b"")])
def test_an_empty_datagram_is_sent_as_the_running_python_does(loop, endpoint, peer, data):
    protocol = endpoint()
    protocol.transport.sendto(data, peer.getsockname())
    endpoint(remote_addr=peer.getsockname()).transport.sendto(data)
    assert all_of(peer) == ([] if DROPS_EMPTY else [b"", b""])


@pytest.mark.parametrize("data", ["text", None, 1, [b"x"]])
def test_what_is_no_bytes_is_refused(endpoint, peer, data):
    with pytest.raises(TypeError, match="data argument must be a bytes"):
        endpoint().transport.sendto(data, peer.getsockname())


@pytest.mark.parametrize(
    "target",
    [
        None,
        (),
        ("127.0.0.1",),
        ("127.0.0.1", -1),
        ("127.0.0.1", 1 << 16),
        ("127.0.0.1", "9"),
        "x",
        5,
    ],
)
def test_a_wrong_address_is_reported_as_asyncio_does(target):
    outcomes = []
    for factory in (asyncio.SelectorEventLoop, greenloop.new_event_loop):
        with contextlib.closing(factory()) as loop:
            contexts, protocol = [], Recorder()
            loop.set_exception_handler(lambda _, context, to=contexts: to.append(context))
            transport, _ = loop.run_until_complete(
                loop.create_datagram_endpoint(lambda: protocol, local_addr=("127.0.0.1", 0))
            )
            try:
                transport.sendto(b"data", target)
                raised = None
            except Exception as error:
                raised = type(error), str(error)
            run(loop)
            calls = [(name, *map(repr, rest)) for name, *rest in protocol.calls]
            texts = [(one["message"], repr(one["exception"])) for one in contexts]
            outcomes.append((raised, calls, texts, transport.is_closing()))
            if not transport.is_closing():
                transport.abort()
            run(loop)
    assert outcomes[1] == outcomes[0]


def test_what_has_no_room_is_kept_and_sent_in_order(loop, pair):
    protocol, far = pair
    transport = protocol.transport
    count = fill(transport)
    for index in range(5):
        transport.sendto(b"%d" % index)
    assert transport.get_write_buffer_size() == 6 * (1 + HEADER)
    got = []
    run_until(loop, lambda: got.extend(all_of(far)) or len(got) == count + 6)
    assert got[count:] == [b"x", *(b"%d" % index for index in range(5))]
    run(loop)
    assert not transport._buffer
    assert "write=<idle, bufsize=" in repr(transport)


def test_what_is_kept_is_a_copy(loop, pair):
    protocol, far = pair
    count = fill(protocol.transport)
    data = bytearray(b"before")
    protocol.transport.sendto(data)
    data[:] = b"after!"
    got = []
    run_until(loop, lambda: got.extend(all_of(far)) or len(got) == count + 2)
    assert got[-1] == b"before"


def test_a_protocol_is_paused_and_told_to_go_on(loop, pair):
    protocol, far = pair
    transport = protocol.transport
    transport.set_write_buffer_limits(high=100, low=50)
    assert transport.get_write_buffer_limits() == (50, 100)
    fill(transport)
    assert protocol.names == ["made"]
    transport.sendto(bytes(200))
    assert protocol.names == ["made", "pause"]
    transport.sendto(bytes(200))
    assert protocol.names == ["made", "pause"]
    run_until(loop, lambda: all_of(far) and False or protocol.names[-1] == "resume")
    assert protocol.names == ["made", "pause", "resume"]


def test_an_error_of_the_network_is_told_and_nothing_ends(loop, endpoint):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as unused:
        unused.bind(("127.0.0.1", 0))
        target = unused.getsockname()
    protocol = endpoint(remote_addr=target)
    protocol.transport.sendto(b"data")
    run_until(loop, lambda: "error" in protocol.names)
    assert isinstance(protocol.calls[1][1], ConnectionRefusedError)
    assert not protocol.transport.is_closing()
    # What sending is told, which takes the error from what receiving would be.
    protocol.transport.sendto(b"data")
    run_until(loop, lambda: len(protocol.calls) > 2)
    assert protocol.names == ["made", "error", "error"]


def test_a_datagram_that_is_too_large_is_an_error_of_sending(endpoint, peer):
    protocol = endpoint()
    protocol.transport.sendto(bytes(100_000), peer.getsockname())
    assert protocol.names == ["made", "error"]
    assert protocol.calls[1][1].errno == 90
    protocol.transport.sendto(b"data", peer.getsockname())
    assert peer.recv(10) == b"data"


def test_the_loop_resolves_no_names_for_sendto(endpoint, peer):
    """A name is for the socket's own method, which asks the resolver and blocks."""
    protocol = endpoint()
    protocol.transport.sendto(b"data", ("localhost", peer.getsockname()[1]))
    assert all_of(peer) == [b"data"]


# The end.


def test_close_sends_what_waits_first(loop, pair):
    protocol, far = pair
    count = fill(protocol.transport)
    protocol.transport.sendto(b"last")
    protocol.transport.close()
    protocol.transport.close()
    assert protocol.transport.is_closing()
    run(loop)
    assert protocol.names == ["made"]
    got = []
    run_until(loop, lambda: got.extend(all_of(far)) or "lost" in protocol.names)
    assert (got + all_of(far))[count:] == [b"x", b"last"]
    assert protocol.calls[1:] == [("lost", None)]


def test_abort_drops_what_waits(loop, pair):
    protocol, far = pair
    count = fill(protocol.transport)
    protocol.transport.abort()
    run(loop)
    assert len(all_of(far)) == count
    assert protocol.calls[1:] == [("lost", None)]


def test_nothing_is_received_after_close(loop, endpoint, peer):
    protocol = endpoint()
    for _ in range(3):
        peer.sendto(b"data", address(protocol))
    protocol.transport.close()
    run(loop)
    assert protocol.calls[1:] == [("lost", None)]
    protocol.transport.resume_reading()
    run(loop)
    assert protocol.transport._sock is None


def test_a_protocol_can_close_between_two_datagrams(loop, endpoint, peer):
    protocol = endpoint(Recorder(datagram=lambda protocol, *_: protocol.transport.close()))
    for _ in range(40):
        peer.sendto(b"data", address(protocol))
    run_until(loop, lambda: "lost" in protocol.names)
    assert protocol.names == ["made", "datagram", "lost"]


def test_a_burst_ends_with_the_endpoint(loop, endpoint, peer):
    """Whoever closes in the midst of many datagrams hears of none that is left."""

    def count(protocol, *_):
        if len(protocol.datagrams) == 30:
            protocol.transport.abort()

    protocol = endpoint(Recorder(datagram=count))
    for _ in range(60):
        peer.sendto(b"data", address(protocol))
    run_until(loop, lambda: "lost" in protocol.names)
    run(loop)
    assert protocol.names == ["made", *["datagram"] * 30, "lost"]


def test_sending_after_the_end_of_a_connected_endpoint_does_nothing(loop, endpoint, peer, caplog):
    protocol = endpoint(remote_addr=peer.getsockname())
    protocol.transport.abort()
    for _ in range(8):
        protocol.transport.sendto(b"data")
    run(loop)
    assert all_of(peer) == []
    assert "socket.send() raised exception." in caplog.messages


# Protocols that raise.


@pytest.mark.parametrize("name", ["datagram", "error"])
def test_what_a_protocol_raises_is_reported_and_nothing_ends(loop, endpoint, peer, reported, name):
    error = ValueError("expected")
    protocol = Recorder(**{name: raising(error)})
    if name == "error":
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as unused:
            unused.bind(("127.0.0.1", 0))
            target = unused.getsockname()
        endpoint(protocol, remote_addr=target)
        protocol.transport.sendto(b"data")
    else:
        endpoint(protocol)
        peer.sendto(b"data", address(protocol))
    run_until(loop, lambda: reported)
    assert [one["exception"] for one in reported] == [error]
    assert "_read_ready" in reported[0]["message"]
    assert not protocol.transport.is_closing()
    protocol.reactions.clear()
    if name == "datagram":
        peer.sendto(b"again", address(protocol))
        run_until(loop, lambda: protocol.datagrams[-1] == b"again")


def test_what_error_received_raises_is_raised_by_sendto(endpoint, peer):
    protocol = endpoint(Recorder(error=raising(ValueError("expected"))))
    with pytest.raises(ValueError, match="expected"):
        protocol.transport.sendto(bytes(100_000), peer.getsockname())


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt])
def test_what_ends_the_program_leaves_the_loop(loop, endpoint, peer, error):
    protocol = endpoint(Recorder(datagram=raising(error())))
    peer.sendto(b"data", address(protocol))
    with pytest.raises(error):
        run(loop, 20)
    protocol.reactions.clear()
    peer.sendto(b"again", address(protocol))
    run_until(loop, lambda: b"again" in protocol.datagrams)


def test_what_connection_lost_raises_closes_the_socket_nevertheless(loop, endpoint, reported):
    protocol = endpoint(Recorder(lost=raising(ValueError("expected"))))
    carried = protocol.transport.get_extra_info("socket")
    protocol.transport.abort()
    run(loop)
    assert carried.fileno() == -1
    assert [str(one["exception"]) for one in reported] == ["expected"]


# What it is.


def test_it_is_what_asyncios_is(endpoint, peer):
    transport = endpoint(remote_addr=peer.getsockname()).transport
    assert isinstance(transport, asyncio.selector_events._SelectorDatagramTransport)
    assert isinstance(transport, asyncio.Transport)
    if sys.version_info >= (3, 12):
        assert isinstance(transport, asyncio.DatagramTransport)
    assert transport.get_extra_info("peername") == peer.getsockname()
    assert isinstance(transport.get_extra_info("socket"), asyncio.trsock.TransportSocket)
    assert transport.get_extra_info("nothing", "default") == "default"
    number = transport.get_extra_info("socket").fileno()
    name = type(transport).__name__
    assert repr(transport) == f"<{name} fd={number} read=polling write=<idle, bufsize=0>>"


def test_its_descriptor_is_for_nobody_else(loop, endpoint):
    number = endpoint().transport.get_extra_info("socket").fileno()
    with pytest.raises(RuntimeError, match="is used by transport"):
        loop.add_reader(number, print)


def test_who_forgets_to_close_is_warned(loop):
    protocol = Recorder()
    loop.run_until_complete(
        loop.create_datagram_endpoint(lambda: protocol, local_addr=("127.0.0.1", 0))
    )
    loop._remove_reader(protocol.transport.get_extra_info("socket").fileno())
    with pytest.warns(ResourceWarning, match="unclosed transport"):
        protocol.transport = None
        gc.collect()


def test_a_subclass_of_socket_is_asked_by_its_methods(loop, endpoint, peer):
    calls = []

    class Own(socket.socket):
        def recvfrom(self, *arguments):
            calls.append("recvfrom")
            return super().recvfrom(*arguments)

        def sendto(self, *arguments):
            calls.append("sendto")
            return super().sendto(*arguments)

    own = Own(socket.AF_INET, socket.SOCK_DGRAM)
    own.bind(("127.0.0.1", 0))
    protocol = endpoint(sock=own)
    protocol.transport.sendto(b"data", peer.getsockname())
    peer.sendto(b"data", address(protocol))
    run_until(loop, lambda: protocol.datagrams)
    assert set(calls) == {"sendto", "recvfrom"}


def test_a_socket_that_is_replaced_is_asked(loop, endpoint, peer):
    """As tests do, to see a transport on a network that is broken."""
    protocol = endpoint()
    transport = protocol.transport
    real = transport._sock

    class Broken:
        def __getattr__(self, name):
            return getattr(real, name)

        def recvfrom(self, size):
            raise ZeroDivisionError

        def sendto(self, *arguments):
            raise OSError("broken")

    transport._sock = Broken()
    transport.sendto(b"data", peer.getsockname())
    assert str(protocol.calls[-1][1]) == "broken"
    loop.set_exception_handler(lambda *_: None)
    peer.sendto(b"data", address(protocol))
    run_until(loop, lambda: "lost" in protocol.names)
    assert isinstance(protocol.calls[-1][1], ZeroDivisionError)


def test_debug_mode_changes_nothing(loop, endpoint, peer):
    loop.set_debug(True)
    protocol = endpoint()
    for _ in range(20):
        peer.sendto(b"data", address(protocol))
    run_until(loop, lambda: len(protocol.datagrams) == 20)
    protocol.transport.sendto(b"back", peer.getsockname())
    assert all_of(peer) == [b"back"]


def test_attributes_can_be_set_and_read(endpoint):
    transport = endpoint().transport
    transport.anything = 1
    assert transport.anything == 1
    assert transport._conn_lost == 0
    assert not transport._buffer
    assert transport._address is None


@pytest.mark.parametrize("busy", [0, 200])
def test_a_datagram_for_the_same_loop_is_received_at_the_next_turn(loop, busy):
    near, far = Recorder(), Recorder()

    async def count_turns():
        for protocol in (near, far):
            await loop.create_datagram_endpoint(
                lambda protocol=protocol: protocol, local_addr=("127.0.0.1", 0)
            )
        for _ in range(busy):
            await asyncio.sleep(0)
        near.transport.sendto(b"abc", far.transport.get_extra_info("sockname"))
        turns = 0
        while not far.datagrams and turns < 50:
            await asyncio.sleep(0)
            turns += 1
        return turns

    # In the next turn the task that counts is resumed first, since it was ready before.
    assert loop.run_until_complete(count_turns()) == 2
    for protocol in (near, far):
        protocol.transport.abort()
    run(loop)
