"""The results of the `sock_*` methods, and the tasks, loops and tools that can await them."""

import array
import asyncio
import contextlib
import gc
import os
import signal
import socket
import sys
import warnings

import pytest
from socket_waits import ARGUMENTS, EACH, drain, fill, finish, waiting

import greenloop
from connections import run


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
    if task_class is asyncio.tasks._PyTask and sys.version_info >= (3, 14):
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


def type_of(loop_factory):
    with contextlib.closing(loop_factory()) as loop:
        return type(loop)


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
