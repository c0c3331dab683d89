"""A loop waits in what stands in the place of `selectors.DefaultSelector`, as gevent's does.

There others of the same thread go on meanwhile. A loop that waited elsewhere would stop them.
"""

import asyncio
import selectors
import socket
import threading
import time
from unittest import mock

import pytest


class Shared(selectors.SelectSelector):
    """A selector that has others run while a loop waits, by calling them."""

    made = []

    def __init__(self):
        super().__init__()
        self.made.append(self)
        self.timeouts = []
        self.others = []

    def select(self, timeout=None):
        self.timeouts.append(timeout)
        while self.others:
            self.others.pop(0)()
            timeout = 0
        return super().select(timeout)


@pytest.fixture
def shared_loop(loop_factory):
    """A loop, and the selector in which it waits."""
    with mock.patch("selectors.DefaultSelector", Shared):
        loop = loop_factory()
        selector = Shared.made.pop()
        assert not Shared.made
        yield loop, selector
    loop.close()
    assert selector.get_map() is None


def test_the_loop_waits_there(shared_loop):
    loop, selector = shared_loop
    before = time.monotonic()
    loop.run_until_complete(asyncio.sleep(0.01))
    assert time.monotonic() - before >= 0.01
    assert any(timeout is not None and 0 < timeout <= 0.011 for timeout in selector.timeouts)


def test_others_of_the_thread_run_meanwhile_and_wake_the_loop(shared_loop):
    loop, selector = shared_loop
    done = loop.create_future()
    selector.others.append(lambda: loop.call_soon_threadsafe(done.set_result, "woken"))
    assert loop.run_until_complete(asyncio.wait_for(done, 5)) == "woken"


def test_another_thread_wakes_the_loop(shared_loop):
    loop, _ = shared_loop
    done = loop.create_future()

    def other():
        loop.call_soon_threadsafe(done.set_result, "woken")

    thread = threading.Thread(target=other)
    loop.call_soon(thread.start)
    assert loop.run_until_complete(asyncio.wait_for(done, 5)) == "woken"
    thread.join()


def test_descriptors_are_seen(shared_loop):
    loop, _ = shared_loop
    near, far = socket.socketpair()
    with near, far:
        near.setblocking(False)

        async def main():
            answers = []
            for word in (b"one", b"two"):
                loop.call_later(0.001, far.send, word)
                answers.append(await loop.sock_recv(near, 10))
            return answers

        assert loop.run_until_complete(main()) == [b"one", b"two"]


def test_what_is_raised_there_leaves_the_loop_and_loses_nothing(shared_loop):
    class Killed(BaseException):
        pass

    loop, selector = shared_loop
    ran = []

    def kill():
        loop.call_soon_threadsafe(ran.append, "kept")
        raise Killed

    selector.others.append(kill)
    with pytest.raises(Killed):
        loop.run_until_complete(asyncio.sleep(10))
    assert not loop.is_running()
    loop.call_soon(loop.stop)
    loop.run_forever()
    assert ran == ["kept"]
