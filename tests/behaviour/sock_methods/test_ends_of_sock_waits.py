"""How a wait of a `sock_*` method ends, and who else waits for the same descriptor."""

import asyncio
import contextlib
import os
import socket

import pytest
from socket_waits import ARGUMENTS, drain, fill, finish, waiting

from connections import run, run_until


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


def test_of_two_waiters_for_one_socket_the_later_one_gets_it(loop, pair):
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


def test_a_waiter_that_is_notified_for_nothing_waits_on(loop, pair):
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
