"""add_reader and add_writer: called when a descriptor is ready, as long as it is."""

import asyncio
import os
import socket
import weakref

import pytest


@pytest.fixture
def pair():
    """Two connected sockets."""
    near, far = socket.socketpair()
    near.setblocking(False)
    far.setblocking(False)
    with near, far:
        yield near, far


@pytest.fixture
def loop(loop):
    yield loop
    # Before the sockets are closed: a descriptor must not be watched that means something else.
    loop.close()


def run_until_stopped(loop):
    """Run, with an end in case nobody stops the loop."""
    guard = loop.call_later(10, loop.stop)
    loop.run_forever()
    assert guard.when() > loop.time(), "nobody stopped the loop"
    guard.cancel()


def run_turns(loop, turns=3, pause=0.001):
    """Make turns in which the loop has the time to see what is ready."""
    for _ in range(turns):
        loop.call_later(pause, loop.stop)
        loop.run_forever()


@pytest.mark.parametrize("as_number", [False, True])
def test_a_reader_is_called_when_there_is_something_to_read(loop, pair, as_number):
    near, far = pair
    got = []

    def read(*arguments):
        got.append((near.recv(100), arguments))
        loop.stop()

    assert loop.add_reader(near.fileno() if as_number else near, read, 1, "two") is None
    loop.call_soon(far.send, b"data")
    run_until_stopped(loop)
    assert got == [(b"data", (1, "two"))]


def test_a_reader_is_called_as_long_as_something_is_left(loop, pair):
    near, far = pair
    got = []

    def read():
        got.append(near.recv(1))
        if len(got) == 4:
            loop.stop()

    loop.add_reader(near, read)
    far.send(b"abcd")
    run_until_stopped(loop)
    assert got == [b"a", b"b", b"c", b"d"]


def test_a_reader_is_called_at_the_end_of_the_stream(loop, pair):
    near, far = pair
    got = []
    loop.add_reader(near, lambda: (got.append(near.recv(1)), loop.stop()))
    far.close()
    run_until_stopped(loop)
    assert got == [b""]


def test_a_writer_is_called_while_there_is_room(loop, pair):
    near, _ = pair
    calls = []

    def write():
        calls.append(1)
        if len(calls) == 3:
            loop.stop()

    loop.add_writer(near, write)
    run_until_stopped(loop)
    assert len(calls) == 3


def test_a_writer_waits_until_there_is_room(loop, pair):
    near, far = pair
    order = []
    try:
        while True:
            near.send(bytes(65536))
    except BlockingIOError:
        pass
    loop.add_writer(near, lambda: (order.append("writer"), loop.stop()))
    run_turns(loop)
    assert order == []

    def drain():
        order.append("drained")
        try:
            while far.recv(65536):
                pass
        except BlockingIOError:
            pass

    loop.call_soon(drain)
    run_until_stopped(loop)
    assert order == ["drained", "writer"]


def test_reader_and_writer_of_one_descriptor_are_independent(loop, pair):
    near, far = pair
    order = []
    loop.add_reader(near, lambda: (order.append(near.recv(9)), loop.stop()))
    loop.add_writer(near, lambda: (order.append("write"), loop.remove_writer(near)))
    run_turns(loop)
    assert order == ["write"]
    far.send(b"x")
    run_until_stopped(loop)
    assert order == ["write", b"x"]


def test_a_removed_reader_is_not_called(loop, pair):
    near, far = pair
    calls = []
    loop.add_reader(near, calls.append, 1)
    far.send(b"x")
    assert loop.remove_reader(near) is True
    assert loop.remove_reader(near) is False
    run_turns(loop)
    assert calls == []


def test_removing_what_was_never_added_says_so(loop, pair):
    near, _ = pair
    assert loop.remove_reader(near) is False
    assert loop.remove_writer(near) is False
    loop.add_reader(near, print)
    assert loop.remove_writer(near) is False
    assert loop.remove_reader(near.fileno()) is True


def test_a_later_reader_replaces_the_earlier(loop, pair):
    near, far = pair
    order = []
    loop.add_reader(near, order.append, "first")
    loop.add_reader(near, lambda: (order.append("second"), loop.stop()))
    far.send(b"x")
    run_until_stopped(loop)
    assert order == ["second"]


def test_a_reader_can_remove_itself_and_another_that_is_ready(loop, pair):
    near, far = pair
    order = []

    def ready(name, other):
        order.append(name)
        loop.remove_reader(near)
        loop.remove_reader(far)

    loop.add_reader(near, ready, "near", far)
    loop.add_reader(far, ready, "far", near)
    near.send(b"x")
    far.send(b"x")
    run_turns(loop)
    assert len(order) == 1


def test_a_closed_descriptor_can_be_removed_by_its_number(loop):
    near, far = socket.socketpair()
    number = near.fileno()
    loop.add_reader(near, print)
    loop.remove_reader(number)
    near.close()
    far.close()
    assert loop.remove_reader(number) is False


@pytest.mark.parametrize("side", ["reader", "writer"])
def test_a_closed_object_can_be_removed_by_itself(loop, side):
    near, far = socket.socketpair()
    with far:
        near.setblocking(False)
        remove = getattr(loop, f"remove_{side}")
        getattr(loop, f"add_{side}")(near, print)
        near.close()
        assert remove(near) is True
        with pytest.raises(ValueError, match="Invalid file descriptor: -1"):
            remove(near)


def test_what_is_watched_is_kept_alive(loop):
    near, far = socket.socketpair()
    with far:
        near.setblocking(False)
        watched, number = weakref.ref(near), near.fileno()
        loop.add_writer(near, print)
        loop.add_reader(number, print)
        del near
        loop.remove_writer(number)
        assert watched() is not None
        with pytest.warns(ResourceWarning):
            loop.remove_reader(number)
        assert watched() is None


def test_a_number_that_is_used_again_is_watched_again(loop):
    order = []
    first, first_far = socket.socketpair()
    number = first.fileno()
    loop.add_reader(number, order.append, "first")
    loop.remove_reader(number)
    first.close()
    first_far.close()
    near, far = socket.socketpair()
    os.dup2(near.fileno(), number)
    loop.add_reader(number, lambda: (order.append("second"), loop.stop()))
    far.send(b"x")
    run_until_stopped(loop)
    assert order == ["second"]
    loop.remove_reader(number)
    if number not in (near.fileno(), far.fileno()):
        os.close(number)
    near.close()
    far.close()


def test_pipes_can_be_watched(loop):
    read_end, write_end = os.pipe()
    try:
        got = []
        loop.add_reader(read_end, lambda: (got.append(os.read(read_end, 9)), loop.stop()))
        loop.call_soon(os.write, write_end, b"pipe")
        run_until_stopped(loop)
        assert got == [b"pipe"]
        loop.remove_reader(read_end)
    finally:
        os.close(read_end)
        os.close(write_end)


def test_an_exception_of_a_reader_is_reported_and_the_reader_stays(loop, pair, reports):
    near, far = pair
    calls = []

    def read():
        calls.append(near.recv(1))
        if len(calls) == 2:
            loop.stop()
        raise ValueError("from the reader")

    loop.add_reader(near, read)
    far.send(b"ab")
    run_until_stopped(loop)
    assert calls == [b"a", b"b"]
    assert [str(report["exception"]) for report in reports] == ["from the reader"] * 2


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_an_exception_that_ends_the_program_leaves_the_run(loop, pair, error):
    near, far = pair

    def read():
        near.recv(1)
        raise error("from the reader")

    loop.add_reader(near, read)
    far.send(b"a")
    with pytest.raises(error):
        loop.run_forever()
    assert loop.remove_reader(near) is True


@pytest.mark.parametrize("method", ["add_reader", "add_writer"])
@pytest.mark.parametrize("wrong", [None, "text", object(), -1, 3.5], ids=repr)
def test_only_descriptors_can_be_watched(loop, method, wrong):
    with pytest.raises(ValueError, match="Invalid file (object|descriptor)"):
        getattr(loop, method)(wrong, print)


@pytest.mark.parametrize("method", ["add_reader", "add_writer"])
def test_a_closed_loop_watches_nothing(loop, pair, method):
    loop.close()
    with pytest.raises(RuntimeError, match="^Event loop is closed$"):
        getattr(loop, method)(pair[0], print)


@pytest.mark.parametrize("method", ["remove_reader", "remove_writer"])
def test_a_closed_loop_has_nothing_to_remove(loop, pair, method):
    loop.close()
    assert getattr(loop, method)(pair[0]) is False


def test_a_busy_loop_still_sees_what_is_ready(loop, pair):
    near, far = pair
    turns = []

    def busy():
        turns.append(1)
        if len(turns) < 100_000:
            loop.call_soon(busy)

    loop.call_soon(busy)
    loop.add_reader(near, loop.stop)
    far.send(b"x")
    run_until_stopped(loop)
    assert len(turns) < 100_000


def test_each_run_sees_what_is_ready_by_its_end(loop, pair):
    """Also one that has nothing to wait for, after others that had nothing to see."""
    near, far = pair
    seen = []
    loop.add_reader(near, lambda: seen.append(near.recv(1)))
    done = loop.create_future()
    done.set_result(None)
    for _ in range(100):
        loop.run_until_complete(done)
    far.send(b"x")
    loop.run_until_complete(done)
    assert seen == [b"x"]


def test_regular_files_cannot_be_watched(loop, tmp_path):
    """epoll refuses them, and so does asyncio."""
    with (tmp_path / "file").open("w") as file, pytest.raises(PermissionError):
        loop.add_writer(file, print)


def test_a_reader_makes_a_future_ready(loop, pair):
    near, far = pair

    async def receive():
        future = loop.create_future()
        loop.add_reader(near, future.set_result, None)
        await future
        loop.remove_reader(near)
        return near.recv(9)

    async def main():
        task = asyncio.ensure_future(receive())
        await asyncio.sleep(0)
        far.send(b"data")
        return await task

    assert loop.run_until_complete(main()) == b"data"
