"""The sock_* methods: a socket without a transport, tried at once and waited for if need be."""

import array
import asyncio
import contextlib
import gc
import os
import signal
import socket
import ssl
import sys
import warnings

import pytest
from connections import run, run_until

import greenloop


@pytest.fixture
def sockets():
    """Makes sockets of which none outlives the test."""
    with contextlib.ExitStack() as stack:

        def make(*arguments, connected=False, bound=False):
            if connected:
                pair = socket.socketpair(*arguments)
                for one in pair:
                    one.setblocking(False)
                    stack.enter_context(one)
                return pair
            one = stack.enter_context(socket.socket(*arguments))
            one.setblocking(False)
            if bound:
                one.bind(("127.0.0.1", 0))
            return one

        yield make


@pytest.fixture
def pair(sockets):
    return sockets(connected=True)


@pytest.fixture
def datagrams(sockets):
    """Two datagram sockets with addresses."""
    return [sockets(socket.AF_INET, socket.SOCK_DGRAM, bound=True) for _ in range(2)]


@pytest.fixture
def loop(loop):
    yield loop
    loop.close()


def finish(loop, coroutine):
    """Run until the coroutine is done, with an end in case it never is."""
    return loop.run_until_complete(asyncio.wait_for(coroutine, 20))


def waiting(loop, coroutine):
    """A task that has begun to wait."""
    task = loop.create_task(coroutine)
    run(loop, 2)
    assert not task.done()
    return task


def fill(near):
    """Send until there is no room; return how much that was."""
    count = 0
    with contextlib.suppress(BlockingIOError):
        while True:
            count += near.send(bytes(1 << 16))
    return count


def drain(far, count):
    while count:
        with contextlib.suppress(BlockingIOError):
            count -= len(far.recv(count))


# Receiving.


@pytest.mark.parametrize("size", [1, 5, 1000, 1 << 16, 1 << 20])
def test_what_is_there_is_received_without_a_turn(loop, pair, size):
    near, far = pair
    far.send(b"hello")
    order = []

    async def main():
        loop.call_soon(order.append, "a turn")
        order.append(await loop.sock_recv(near, size))

    finish(loop, main())
    assert order[0] == b"hello"[:size]


@pytest.mark.parametrize("size", [1, 5, 1000, 1 << 16, 1 << 20])
def test_what_is_not_there_yet_is_waited_for(loop, pair, size):
    near, far = pair
    task = waiting(loop, loop.sock_recv(near, size))
    far.send(b"hello")
    assert finish(loop, task) == b"hello"[:size]


def test_much_is_received_in_large_pieces(loop, pair):
    near, far = pair
    data = bytes(range(256)) * 8192

    async def receive():
        got = bytearray()
        while part := await loop.sock_recv(near, 1 << 17):
            assert type(part) is bytes
            assert len(part) <= 1 << 17
            got += part
        return bytes(got)

    async def main():
        task = loop.create_task(receive())
        assert await loop.sock_sendall(far, data) is None
        far.shutdown(socket.SHUT_WR)
        return await task

    assert finish(loop, main()) == data


def test_the_end_of_the_stream_is_empty(loop, pair):
    near, far = pair
    task = waiting(loop, loop.sock_recv(near, 10))
    far.close()
    assert finish(loop, task) == b""


def test_nothing_is_received_if_nothing_is_asked_for(loop, pair):
    near, _ = pair
    assert finish(loop, loop.sock_recv(near, 0)) == b""
    assert finish(loop, loop.sock_recv_into(near, bytearray())) == 0


@pytest.mark.parametrize(
    "kind", [bytearray, lambda n: memoryview(bytearray(n)), lambda n: array.array("i", bytes(n))]
)
@pytest.mark.parametrize("early", [True, False])
def test_a_buffer_is_received_into(loop, pair, kind, early):
    near, far = pair
    buffer = kind(8)
    if early:
        far.send(b"hello")
        assert finish(loop, loop.sock_recv_into(near, buffer)) == 5
    else:
        task = waiting(loop, loop.sock_recv_into(near, buffer))
        far.send(b"hello")
        assert finish(loop, task) == 5
    assert bytes(memoryview(buffer).cast("B")) == b"hello\0\0\0"


def test_a_buffer_that_is_waited_with_is_not_locked(loop, pair):
    near, far = pair
    buffer = bytearray(2)
    task = waiting(loop, loop.sock_recv_into(near, buffer))
    buffer.extend(b"123456")
    far.send(b"hello")
    assert finish(loop, task) == 5
    assert buffer == b"hello456"


@pytest.mark.parametrize("early", [True, False])
def test_a_datagram_comes_with_its_address(loop, datagrams, early):
    near, far = datagrams
    for data in [b"hello", b""]:
        if early:
            far.sendto(data, near.getsockname())
            got = finish(loop, loop.sock_recvfrom(near, 100))
        else:
            task = waiting(loop, loop.sock_recvfrom(near, 100))
            far.sendto(data, near.getsockname())
            got = finish(loop, task)
        assert got == (data, far.getsockname())
        assert type(got) is tuple


@pytest.mark.parametrize("nbytes", [(), (0,), (3,), (8,)])
@pytest.mark.parametrize("early", [True, False])
def test_a_datagram_is_received_into_a_buffer(loop, datagrams, nbytes, early):
    near, far = datagrams
    buffer = bytearray(8)
    if early:
        far.sendto(b"hello", near.getsockname())
        got = finish(loop, loop.sock_recvfrom_into(near, buffer, *nbytes))
    else:
        task = waiting(loop, loop.sock_recvfrom_into(near, buffer, *nbytes))
        far.sendto(b"hello", near.getsockname())
        got = finish(loop, task)
    count = 3 if nbytes == (3,) else 5
    assert got == (count, far.getsockname())
    assert bytes(buffer) == b"hello"[:count].ljust(8, b"\0")


@pytest.mark.parametrize("method", ["sock_recvfrom", "sock_recvfrom_into"])
@pytest.mark.parametrize("family", ["v6", "unix path", "unix name", "unnamed", "stream"])
def test_addresses_are_those_of_the_socket_module(loop, sockets, tmp_path, family, method):
    if family == "v6":
        near, far = (sockets(socket.AF_INET6, socket.SOCK_DGRAM) for _ in range(2))
        near.bind(("::1", 0))
        far.bind(("::1", 0))
        target = near.getsockname()
    elif family.startswith("unix"):
        near, far = (sockets(socket.AF_UNIX, socket.SOCK_DGRAM) for _ in range(2))
        names = [str(tmp_path / "near"), str(tmp_path / "f\udcffr\u00e4")]
        if family == "unix name":
            names = [f"\0greenloop{os.getpid()}{one}".encode() for one in "ab"]
        near.bind(names[0])
        far.bind(names[1])
        target = near.getsockname()
    else:
        kind = socket.SOCK_STREAM if family == "stream" else socket.SOCK_DGRAM
        near, far = sockets(socket.AF_UNIX, kind, connected=True)
        target = None

    def send():
        far.sendto(b"hello", target) if target else far.send(b"hello")

    send()
    _, expected = near.recvfrom(100)
    argument = 100 if method == "sock_recvfrom" else bytearray(100)
    send()
    assert finish(loop, getattr(loop, method)(near, argument))[1] == expected
    task = waiting(loop, getattr(loop, method)(near, argument))
    send()
    assert finish(loop, task)[1] == expected


# Sending.


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview, lambda data: memoryview(data)[::1]])
def test_all_is_sent_however_little_room_there_is(loop, pair, kind):
    near, far = pair
    data = os.urandom(1 << 22)
    task = waiting(loop, loop.sock_sendall(near, kind(data)))
    got = bytearray()

    def some():
        with contextlib.suppress(BlockingIOError):
            got.extend(far.recv(100_000))
        return len(got) == len(data)

    run_until(loop, some)
    assert finish(loop, task) is None
    assert got == data


def test_what_has_room_is_sent_without_a_turn(loop, pair):
    near, far = pair
    order = []

    async def main():
        loop.call_soon(order.append, "a turn")
        order.append(await loop.sock_sendall(near, b"hello"))

    finish(loop, main())
    assert order[0] is None
    assert far.recv(10) == b"hello"


def test_a_bytearray_that_waits_cannot_be_resized(loop, pair):
    near, far = pair
    full = fill(near)
    data = bytearray(b"hello")
    task = waiting(loop, loop.sock_sendall(near, data))
    with pytest.raises(BufferError):
        data.clear()
    drain(far, full)
    finish(loop, task)
    assert far.recv(10) == b"hello"
    data.clear()


def test_a_datagram_is_sent_to_an_address(loop, datagrams):
    near, far = datagrams
    order = []

    async def main():
        loop.call_soon(order.append, "a turn")
        order.append(await loop.sock_sendto(near, b"hello", far.getsockname()))

    finish(loop, main())
    assert order[0] == 5
    assert far.recvfrom(10) == (b"hello", near.getsockname())


def test_a_datagram_without_room_is_waited_with(loop, sockets, tmp_path):
    near, far = (sockets(socket.AF_UNIX, socket.SOCK_DGRAM) for _ in range(2))
    path = str(tmp_path / "far")
    far.bind(path)
    count = 0
    with contextlib.suppress(BlockingIOError):
        while True:
            near.sendto(b"x", path)
            count += 1
    task = waiting(loop, loop.sock_sendto(near, b"hello", path))
    for _ in range(count):
        far.recv(10)
    assert finish(loop, task) == 5
    assert far.recv(10) == b"hello"


# Connecting and accepting.


@pytest.fixture
def listener(sockets):
    one = sockets(socket.AF_INET, socket.SOCK_STREAM, bound=True)
    one.listen()
    return one


def test_a_connection_is_made_and_accepted(loop, sockets, listener):
    client = sockets()

    async def main():
        task = loop.create_task(loop.sock_accept(listener))
        await asyncio.sleep(0)
        assert await loop.sock_connect(client, listener.getsockname()) is None
        return await task

    connection, address = finish(loop, main())
    with connection:
        assert address == client.getsockname()
        assert connection.gettimeout() == 0
        assert type(connection) is socket.socket
        client.send(b"hello")
        assert finish(loop, loop.sock_recv(connection, 10)) == b"hello"


def test_who_waits_already_is_accepted_without_a_turn(loop, sockets, listener):
    client = sockets()
    with contextlib.suppress(BlockingIOError):
        client.connect(listener.getsockname())
    order = []

    async def main():
        loop.call_soon(order.append, "a turn")
        order.append(await loop.sock_accept(listener))

    finish(loop, main())
    order[0][0].close()
    assert order[0][1] == client.getsockname()


@pytest.mark.parametrize("host", ["localhost", b"127.0.0.1", "127.1"])
def test_a_name_is_resolved_to_connect_to_it(loop, sockets, listener, host):
    client = sockets()
    asked = []

    async def getaddrinfo(*arguments, **keywords):
        asked.append((arguments, keywords))
        return [(0, 0, 0, "", listener.getsockname())]

    loop.getaddrinfo = getaddrinfo
    address = (host, listener.getsockname()[1])
    finish(loop, loop.sock_connect(client, address))
    assert client.getpeername() == listener.getsockname()
    keywords = {"family": client.family, "type": client.type, "proto": client.proto, "flags": 0}
    assert asked == ([] if host == b"127.0.0.1" else [(address, keywords)])
    loop.run_until_complete(loop.shutdown_default_executor())


def test_a_connection_that_is_refused_names_the_address(loop, sockets):
    unused = sockets(bound=True)
    address = unused.getsockname()
    with pytest.raises(ConnectionRefusedError) as caught:
        finish(loop, loop.sock_connect(sockets(), address))
    assert caught.value.args[1] == f"Connect call failed {address}"


@pytest.mark.parametrize(
    "address",
    [
        "a string",
        1,
        (),
        ("127.0.0.1",),
        ("127.0.0.1", "x" * 3),
        ("127.0.0.1", 1 << 20),
        ("127.0.0.1", -1),
        ("127.0.0.1", 1.5),
    ],
)
def test_a_wrong_address_raises_as_asyncio_has_it(sockets, address):
    outcomes = []
    for factory in (asyncio.SelectorEventLoop, greenloop.new_event_loop):
        with contextlib.closing(factory()) as loop:
            try:
                finish(loop, loop.sock_connect(sockets(), address))
            except Exception as error:
                outcomes.append((type(error), str(error)))
            loop.run_until_complete(loop.shutdown_default_executor())
    assert len(outcomes) == 2
    assert outcomes[0] == outcomes[1]


def test_a_connection_to_a_unix_socket_is_made(loop, sockets, tmp_path):
    listener = sockets(socket.AF_UNIX)
    listener.bind(str(tmp_path / "socket"))
    listener.listen()
    client = sockets(socket.AF_UNIX)
    finish(loop, loop.sock_connect(client, str(tmp_path / "socket")))
    connection, _ = finish(loop, loop.sock_accept(listener))
    connection.close()
    with pytest.raises(FileNotFoundError):
        finish(loop, loop.sock_connect(sockets(socket.AF_UNIX), str(tmp_path / "none")))


# What is refused, and in which words.

ARGUMENTS = {
    "sock_recv": (10,),
    "sock_recv_into": (bytearray(10),),
    "sock_recvfrom": (10,),
    "sock_recvfrom_into": (bytearray(10), 5),
    "sock_sendall": (b"x",),
    "sock_sendto": (b"x", ("127.0.0.1", 9)),
    "sock_connect": (("127.0.0.1", 9),),
    "sock_accept": (),
}
EACH = pytest.mark.parametrize("method", ARGUMENTS)


def error_of(loop, method, *arguments, **keywords):
    try:
        coroutine = getattr(loop, method)(*arguments, **keywords)
    except TypeError as error:
        return "called", str(error)
    try:
        finish(loop, coroutine)
    except Exception as error:
        return "awaited", type(error), str(error)
    return None


def type_of(loop_factory):
    with contextlib.closing(loop_factory()) as loop:
        return type(loop)


def on_both(method, *arguments, **keywords):
    for factory in (asyncio.SelectorEventLoop, greenloop.new_event_loop):
        with contextlib.closing(factory()) as loop:
            yield error_of(loop, method, *arguments, **keywords)


@EACH
def test_arguments_are_asyncios(pair, method):
    near, _ = pair
    given = ARGUMENTS[method]
    for arguments, keywords in [
        ((), {}),
        ((near,), {}) if given else ((near, 1), {}),
        ((near, *given, 1, 2), {}),
        ((near, *given), {"sock": near}),
        ((near, *given), {"other": near}),
    ]:
        expected, got = on_both(method, *arguments, **keywords)
        assert got == expected
        assert got[0] == "called"


WRONG = {
    "sock_recv": [("x",), (None,), (-1,), (1.5,), (1 << 100,), ((1, 2),)],
    "sock_recv_into": [("x",), (None,), (b"x",), (memoryview(b"x"),), ((1, 2),)],
    "sock_recvfrom": [("x",), (-1,), (None,), ((1, 2),)],
    "sock_recvfrom_into": [
        ("x",),
        (b"x",),
        (bytearray(2), 5),
        (bytearray(2), -1),
        (bytearray(2), "x"),
        (1, 0),
    ],
    "sock_sendall": [("x",), (None,), (1,), ((1, 2),)],
    "sock_sendto": [
        ("x", ("127.0.0.1", 9)),
        (b"x", "y"),
        (b"x", ("127.0.0.1", -1)),
        (b"x", ("127.0.0.1", 1 << 16)),
        (b"x", None),
    ],
}


@pytest.mark.parametrize(
    ("method", "arguments"),
    [(method, arguments) for method, rows in WRONG.items() for arguments in rows],
    ids=repr,
)
def test_wrong_arguments_raise_what_the_socket_raises(sockets, pair, method, arguments):
    near, far = pair
    if "from" in method or method == "sock_sendto":
        near = sockets(socket.AF_INET, socket.SOCK_DGRAM, bound=True)
    else:
        far.send(b"some data")
    expected, got = on_both(method, near, *arguments)
    assert got == expected
    assert got is not None


@EACH
@pytest.mark.parametrize("wrong", [None, 1, "socket"])
def test_what_is_no_socket_is_refused(wrong, method):
    expected, got = on_both(method, wrong, *ARGUMENTS[method])
    assert got == expected
    assert got[1] is AttributeError


@EACH
def test_a_tls_socket_is_refused(loop, pair, method):
    near, _ = pair
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    with context.wrap_socket(near, do_handshake_on_connect=False) as wrapped:
        with pytest.raises(TypeError, match="Socket cannot be of type SSLSocket"):
            finish(loop, getattr(loop, method)(wrapped, *ARGUMENTS[method]))


@EACH
@pytest.mark.parametrize("timeout", [None, 5])
def test_a_blocking_socket_is_refused_in_debug_mode(loop, pair, method, timeout):
    near, _ = pair
    loop.set_debug(True)
    near.settimeout(timeout)
    with pytest.raises(ValueError, match="the socket must be non-blocking"):
        finish(loop, getattr(loop, method)(near, *ARGUMENTS[method]))


def test_a_socket_with_a_timeout_times_out(loop, pair):
    near, _ = pair
    near.settimeout(0.01)
    with pytest.raises(TimeoutError):
        finish(loop, loop.sock_recv(near, 10))


@EACH
def test_a_closed_socket_is_an_error(loop, sockets, method):
    near = sockets()
    near.close()
    with pytest.raises(OSError) as caught:
        finish(loop, getattr(loop, method)(near, *ARGUMENTS[method]))
    assert caught.value.errno == 9


@EACH
def test_a_descriptor_of_a_transport_is_not_waited_for(loop, pair, method):
    near, far = pair
    if method in ("sock_connect", "sock_sendto"):
        pytest.skip("a connected socket never waits there")
    transport, _ = loop.run_until_complete(loop.create_connection(asyncio.Protocol, sock=near))
    transport.pause_reading()
    fill(near)
    duplicate = socket.socket(fileno=near.fileno())
    try:
        if method == "sock_accept":
            with pytest.raises(OSError):
                finish(loop, loop.sock_accept(duplicate))
        else:
            with pytest.raises(RuntimeError, match="is used by transport"):
                finish(loop, getattr(loop, method)(duplicate, *ARGUMENTS[method]))
    finally:
        duplicate.detach()
    transport.abort()
    run(loop)


# Subclasses do what they like.


@EACH
def test_a_subclass_is_asked_by_its_methods(loop, sockets, method):
    calls = []

    class Own(socket.socket):
        def __getattribute__(self, name):
            calls.append(name)
            return super().__getattribute__(name)

    near, far = sockets(connected=True)
    with Own(fileno=near.detach()) as own:
        own.setblocking(False)
        far.send(b"data")
        error_of(loop, method, own, *ARGUMENTS[method])
    used = {"sock_sendall": "send"}.get(method, method.removeprefix("sock_"))
    assert used in calls


def test_a_subclass_can_answer_for_itself(loop, pair):
    class Own(socket.socket):
        def recv(self, n):
            return b"own"

    near, _ = pair
    with Own(fileno=near.detach()) as own:
        own.setblocking(False)
        assert finish(loop, loop.sock_recv(own, 10)) == b"own"


# The end of a wait.


@pytest.mark.parametrize(
    "method", ["sock_recv", "sock_recv_into", "sock_recvfrom", "sock_recvfrom_into", "sock_sendall"]
)
def test_a_wait_that_is_cancelled_ends_and_leaves_the_descriptor(loop, pair, method):
    near, far = pair
    full = fill(near)
    task = waiting(loop, getattr(loop, method)(near, *ARGUMENTS[method]))
    task.cancel("enough")
    with pytest.raises(asyncio.CancelledError):
        loop.run_until_complete(task)
    assert not loop.remove_reader(near)
    assert not loop.remove_writer(near)
    drain(far, full)
    far.send(b"next")
    run(loop)
    assert finish(loop, loop.sock_recv(near, 10)) == b"next"


@pytest.mark.parametrize("debug", [False, True])
def test_a_wait_may_be_over_when_it_is_told(loop, sockets, debug):
    """Cancelled in the very turn in which the poller reports its descriptor, by an earlier one."""
    loop.set_debug(debug)
    pairs = [sockets(connected=True) for _ in range(20)]
    tasks = [loop.create_task(loop.sock_recv(near, 10)) for near, _ in pairs]
    run(loop, 2)

    async def first():
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)

    for _, far in pairs:
        loop.call_soon(far.send, b"data")
    with contextlib.ExitStack() as stack:
        for near, _ in pairs[::2]:
            duplicate = stack.enter_context(near.dup())
            loop.add_reader(duplicate, lambda: [task.cancel() for task in tasks])
            stack.callback(loop.remove_reader, duplicate)
        finish(loop, first())
    for near, far in pairs:
        far.send(b"more")
        assert finish(loop, loop.sock_recv(near, 10))


def test_data_that_came_before_the_cancellation_was_taken_stays(loop, pair):
    near, far = pair
    task = waiting(loop, loop.sock_recv(near, 10))
    task.cancel()
    far.send(b"data")
    with pytest.raises(asyncio.CancelledError):
        loop.run_until_complete(task)
    assert near.recv(10) == b"data"


def test_a_connect_that_is_cancelled_leaves_its_number_to_others(loop, sockets, listener):
    """The next socket with this number must not be told of what became of the first."""
    for _ in range(50):
        first = socket.socket()
        first.setblocking(False)
        number = first.fileno()
        task = loop.create_task(loop.sock_connect(first, listener.getsockname()))
        loop.call_soon(loop.stop)
        loop.run_forever()
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            loop.run_until_complete(task)
        first.close()
        near, far = sockets(connected=True)
        if near.fileno() != number:
            near, far = far, near
        full = fill(near)
        writing = waiting(loop, loop.sock_sendall(near, b"x"))
        reading = waiting(loop, loop.sock_recv(near, 10))
        far.send(b"mine")
        assert finish(loop, reading) == b"mine"
        drain(far, full)
        finish(loop, writing)
        assert far.recv(10) == b"x"
        near.close()
        far.close()
        with contextlib.suppress(BlockingIOError):
            listener.accept()[0].close()


def test_a_number_that_is_used_again_is_another_socket(loop):
    """Each socket of a long row with one number gets what is sent to it."""
    numbers = set()
    for index in range(50):
        near, far = socket.socketpair()
        with near, far:
            near.setblocking(False)
            numbers.add(near.fileno())
            for turn in range(2):
                task = waiting(loop, loop.sock_recv(near, 10))
                far.send(b"%d %d" % (index, turn))
                assert finish(loop, task) == b"%d %d" % (index, turn)
            if index % 2:
                # One that ended without being told.
                task = waiting(loop, loop.sock_recv(near, 10))
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    loop.run_until_complete(task)
    assert len(numbers) < 50


def test_a_file_that_lives_on_elsewhere_wakes_nobody(loop, sockets):
    """A descriptor is closed while a duplicate of it lives; its number is another socket's now."""
    near, far = socket.socketpair()
    near.setblocking(False)
    number = near.fileno()
    for _ in range(2):
        task = waiting(loop, loop.sock_recv(near, 10))
        far.send(b"first")
        assert finish(loop, task) == b"first"
    task = waiting(loop, loop.sock_recv(near, 10))
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        loop.run_until_complete(task)
    elsewhere = near.dup()
    near.close()
    other, peer = socket.socketpair()
    with elsewhere, far, other, peer:
        other.setblocking(False)
        assert other.fileno() == number
        called = []
        loop.add_reader(other, called.append, 1)
        far.send(b"for the other file")
        run(loop)
        assert called == []
        loop.remove_reader(other)
        reading = waiting(loop, loop.sock_recv(other, 100))
        far.send(b"again")
        run(loop)
        assert not reading.done()
        peer.send(b"mine")
        assert finish(loop, reading) == b"mine"
        assert elsewhere.recv(100) == b"for the other fileagain"


def test_a_socket_that_is_replaced_under_its_number_is_waited_for(loop, pair, sockets):
    near, far = pair
    task = waiting(loop, loop.sock_recv(near, 10))
    far.send(b"before")
    assert finish(loop, task) == b"before"
    other, peer = sockets(connected=True)
    os.dup2(other.fileno(), near.fileno())
    task = waiting(loop, loop.sock_recv(near, 10))
    peer.send(b"after")
    assert finish(loop, task) == b"after"


def test_of_two_who_wait_for_the_same_the_later_one_gets_it(loop, pair):
    near, far = pair
    first = waiting(loop, loop.sock_recv(near, 10))
    second = waiting(loop, loop.sock_recv(near, 10))
    far.send(b"data")
    assert finish(loop, second) == b"data"
    far.send(b"more")
    run(loop)
    assert not first.done()
    first.cancel()
    run(loop)
    assert first.cancelled()
    assert near.recv(10) == b"more"


def test_the_end_of_the_earlier_wait_does_not_end_the_later(loop, pair):
    near, far = pair
    first = waiting(loop, loop.sock_recv(near, 10))
    second = waiting(loop, loop.sock_recv(near, 10))
    first.cancel()
    run(loop)
    far.send(b"data")
    assert finish(loop, second) == b"data"


def test_a_reader_takes_the_place_of_a_wait(loop, pair):
    near, far = pair
    task = waiting(loop, loop.sock_recv(near, 10))
    got = []
    loop.add_reader(near, lambda: got.append(near.recv(10)))
    far.send(b"data")
    run(loop)
    assert got == [b"data"]
    assert not task.done()
    task.cancel()
    run(loop)
    far.send(b"more")
    run(loop)
    assert got == [b"data", b"more"]
    assert loop.remove_reader(near)


def test_a_wait_takes_the_place_of_a_reader(loop, pair):
    near, far = pair
    got = []
    loop.add_reader(near, got.append, 1)
    task = waiting(loop, loop.sock_recv(near, 10))
    far.send(b"data")
    assert finish(loop, task) == b"data"
    far.send(b"more")
    run(loop)
    assert got == []
    assert not loop.remove_reader(near)


def test_remove_reader_ends_a_wait_without_a_word(loop, pair):
    near, far = pair
    task = waiting(loop, loop.sock_recv(near, 10))
    assert loop.remove_reader(near)
    far.send(b"data")
    run(loop)
    assert not task.done()
    task.cancel()
    run(loop)
    assert near.recv(10) == b"data"


def test_a_writer_and_a_wait_share_a_descriptor(loop, pair):
    near, far = pair
    called = []

    def write():
        called.append(1)
        if len(called) == 3:
            loop.remove_writer(near)

    loop.add_writer(near, write)
    task = waiting(loop, loop.sock_recv(near, 10))
    run_until(loop, lambda: len(called) == 3)
    far.send(b"data")
    assert finish(loop, task) == b"data"
    run(loop)
    assert len(called) == 3


def test_one_may_read_while_another_writes(loop, pair):
    near, far = pair
    full = fill(near)
    writing = waiting(loop, loop.sock_sendall(near, b"out"))
    reading = waiting(loop, loop.sock_recv(near, 10))
    far.send(b"in")
    assert finish(loop, reading) == b"in"
    assert not writing.done()
    reading = waiting(loop, loop.sock_recv(near, 10))
    drain(far, full)
    finish(loop, writing)
    assert far.recv(10) == b"out"
    assert not reading.done()
    far.send(b"in again")
    assert finish(loop, reading) == b"in again"


def test_who_is_told_for_nothing_goes_on_waiting(loop, pair):
    """Of two who are told in one turn, the second finds nothing."""
    near, far = pair
    with near.dup() as duplicate:
        task = waiting(loop, loop.sock_recv(near, 10))
        taken = []

        def take():
            with contextlib.suppress(BlockingIOError):
                taken.append(duplicate.recv(10))

        loop.add_reader(duplicate, take)
        far.send(b"first")
        run_until(loop, lambda: taken or task.done())
        loop.remove_reader(duplicate)
        if taken:
            run(loop)
            assert not task.done()
            far.send(b"second")
        assert finish(loop, task) == (b"second" if taken else b"first")


def test_an_error_of_the_peer_is_raised(loop, sockets, listener):
    client = sockets()
    with contextlib.suppress(BlockingIOError):
        client.connect(listener.getsockname())
    connection, _ = finish(loop, loop.sock_accept(listener))
    task = waiting(loop, loop.sock_recv(client, 10))
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    connection.close()
    with pytest.raises(ConnectionResetError) as caught:
        finish(loop, task)
    assert caught.value.errno == 104
    assert caught.value.strerror == os.strerror(104)
    with pytest.raises(BrokenPipeError):
        finish(loop, loop.sock_sendall(client, b"x"))


def test_a_send_that_waits_fails_with_the_connection(loop, pair):
    near, far = pair
    fill(near)
    task = waiting(loop, loop.sock_sendall(near, b"x"))
    far.close()
    with pytest.raises((BrokenPipeError, ConnectionResetError)):
        finish(loop, task)


# How it is awaited.


@EACH
def test_what_is_not_awaited_does_nothing(loop, pair, method):
    near, far = pair
    far.send(b"data")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        getattr(loop, method)(near, *ARGUMENTS[method])
        gc.collect()
    text = f"coroutine 'BaseSelectorEventLoop.{method}' was never awaited"
    assert [str(one.message) for one in caught] == [text]
    assert near.recv(10) == b"data"
    with pytest.raises(BlockingIOError):
        far.recv(10)


@EACH
def test_it_is_a_coroutine(loop, pair, method):
    coroutine = getattr(loop, method)(pair[0], *ARGUMENTS[method])
    assert asyncio.iscoroutine(coroutine)
    assert coroutine.__qualname__ == f"BaseSelectorEventLoop.{method}"
    coroutine.close()


@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.parametrize("task_class", [asyncio.tasks._PyTask, asyncio.tasks._CTask])
def test_tasks_of_other_classes_can_wait(loop, pair, debug, task_class):
    if task_class is asyncio.tasks._PyTask and sys.version_info >= (3, 15):
        pytest.skip("asyncio itself does not know its Python Task as the current one")
    near, far = pair
    loop.set_debug(debug)
    loop.set_task_factory(lambda loop, coro, **keywords: task_class(coro, loop=loop, **keywords))

    async def main():
        task = asyncio.ensure_future(loop.sock_recv(near, 10))
        await asyncio.sleep(0)
        await loop.sock_sendall(far, b"data")
        assert await task == b"data"
        task = asyncio.ensure_future(loop.sock_recv(near, 10))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        task = asyncio.ensure_future(loop.sock_recv(near, 10))
        await asyncio.sleep(0)
        far.close()
        return await task

    assert finish(loop, main()) == b""


def test_a_coroutine_driven_by_hand_waits_on_a_future(loop, pair):
    near, far = pair
    coroutine = loop.sock_recv(near, 10)
    future = coroutine.send(None)
    assert asyncio.isfuture(future)
    assert not future.done()
    far.send(b"data")
    run(loop)
    assert future.done()
    with pytest.raises(StopIteration) as caught:
        coroutine.send(None)
    assert caught.value.value == b"data"


def test_a_coroutine_that_is_closed_listens_no_more(pair):
    """With asyncio what comes next is received for nobody, and lost."""
    near, far = pair

    async def receive(loop):
        await loop.sock_recv(near, 10)

    with contextlib.closing(greenloop.new_event_loop()) as loop:
        coroutine = receive(loop)
        coroutine.send(None)
        coroutine.close()
        far.send(b"data")
        run(loop)
        assert near.recv(10) == b"data"


def test_a_wait_on_another_loop_is_refused(loop, pair):
    near, _ = pair
    other = asyncio.new_event_loop()
    with contextlib.closing(other):
        with pytest.raises(RuntimeError, match="attached to a different loop"):
            other.run_until_complete(loop.sock_recv(near, 10))


def test_a_closed_loop_waits_for_nobody(loop, pair):
    near, far = pair
    coroutine = loop.sock_recv(near, 10)
    loop.close()
    with pytest.raises(RuntimeError, match="Event loop is closed"):
        coroutine.send(None)
    far.send(b"data")
    coroutine = loop.sock_recv(near, 10)
    with pytest.raises(StopIteration) as caught:
        coroutine.send(None)
    assert caught.value.value == b"data"


def test_a_keyboard_interrupt_leaves_the_loop_and_the_wait(loop, sockets):
    near, far = sockets(socket.AF_NETLINK, socket.SOCK_RAW), None
    del far
    task = waiting(loop, loop.sock_recv(near, 10))
    loop.call_later(0.01, os.kill, os.getpid(), signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        run(loop, 20)
    assert not task.done()
    task.cancel()
    run(loop)
    assert task.cancelled()


def test_an_overridden_method_of_the_loop_is_called(loop_factory, pair):
    near, far = pair
    calls = []

    class Watching(type_of(loop_factory)):
        def _add_reader(self, fd, *arguments, **keywords):
            calls.append(fd)
            return super()._add_reader(fd, *arguments, **keywords)

    with contextlib.closing(Watching()) as loop:
        task = waiting(loop, loop.sock_recv(near, 10))
        assert near.fileno() in calls
        far.send(b"data")
        assert finish(loop, task) == b"data"


@pytest.mark.skipif(sys.version_info < (3, 12), reason="the exporter's error differs on 3.11")
def test_items_that_are_larger_than_a_byte_are_sent_whole(pair):
    """asyncio takes the number of items for that of bytes, and then never comes to an end."""
    near, far = pair
    with contextlib.closing(greenloop.new_event_loop()) as loop:
        full = fill(near)
        task = waiting(loop, loop.sock_sendall(near, array.array("i", [1, 2, 3])))
        drain(far, full)
        finish(loop, task)
        assert far.recv(100) == array.array("i", [1, 2, 3]).tobytes()


@pytest.mark.parametrize("busy", [0, 200])
@pytest.mark.parametrize(
    "kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM], ids=["stream", "datagram"]
)
def test_what_is_sent_is_seen_by_the_same_loop_in_the_next_turn(loop, sockets, kind, busy):
    near, far = (
        sockets(socket.AF_UNIX, kind, connected=True)
        if kind == socket.SOCK_STREAM
        else (sockets(socket.AF_INET, kind, bound=True), sockets(socket.AF_INET, kind, bound=True))
    )

    async def count_turns():
        receiving = loop.create_task(loop.sock_recv(far, 100))
        for _ in range(busy + 1):
            await asyncio.sleep(0)
        if kind == socket.SOCK_STREAM:
            await loop.sock_sendall(near, b"abc")
        else:
            await loop.sock_sendto(near, b"abc", far.getsockname())
        turns = 0
        while not receiving.done() and turns < 50:
            await asyncio.sleep(0)
            turns += 1
        assert await receiving == b"abc"
        return turns

    # The socket is seen in the first, and the task goes on in the second, behind this one.
    assert loop.run_until_complete(count_turns()) == 3
