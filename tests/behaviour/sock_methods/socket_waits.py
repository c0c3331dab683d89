"""Common parts of the tests of the `sock_*` methods: their arguments, and how to wait."""

import asyncio
import contextlib

import pytest

from connections import run

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
