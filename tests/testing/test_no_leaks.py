"""`no_leaks`: what a block leaves behind is named, and what it has not made is no concern of it."""

import asyncio
import gc
import os
import socket

import pytest

import greenloop.testing
from greenloop.testing import Leaked, no_leaks


def test_a_block_that_leaves_nothing_passes():
    async def main():
        with no_leaks():
            task = asyncio.create_task(asyncio.sleep(1))
            server = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
            server.close()
            await server.wait_closed()
            await task
            one, other = socket.socketpair()
            one.close()
            other.close()

    greenloop.testing.run(main)
    with no_leaks():
        greenloop.testing.run(main)


def test_a_task_is_named():
    async def waits_for_ever():
        await asyncio.Event().wait()

    async def main():
        with no_leaks(tasks=False):
            before = asyncio.create_task(waits_for_ever(), name="before")
        with pytest.raises(Leaked, match="left behind:\n.*Task pending name='forgotten'") as leaked:
            with no_leaks():
                task = asyncio.create_task(waits_for_ever(), name="forgotten")
                await asyncio.sleep(0)
        assert "before" not in str(leaked.value)
        before.cancel()
        task.cancel()

    greenloop.testing.run(main)


def test_a_descriptor_is_named_with_what_it_is_of():
    with pytest.raises(Leaked, match=r"descriptor \d+ of /dev/null"), no_leaks():
        number = os.open("/dev/null", os.O_RDONLY)
    with no_leaks(descriptors=False):
        other = os.open("/dev/null", os.O_RDONLY)
    os.close(other)
    with no_leaks():
        os.close(number)


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, greenloop.new_event_loop])
def test_a_loop_is_named(new_loop):
    with pytest.raises(Leaked, match="EventLoop running=False closed=False"):
        with no_leaks(descriptors=False):
            loop = new_loop()
    with no_leaks(loops=False, descriptors=False):
        other = new_loop()
    loop.close()
    other.close()


def test_what_garbage_holds_is_no_leak():
    class Holder:
        def __init__(self):
            self.itself = self
            self.file = open("/dev/null")

    gc.disable()
    try:
        with pytest.warns(ResourceWarning), no_leaks():
            Holder()
    finally:
        gc.enable()


def test_the_blocks_own_exception_is_the_one_that_is_raised():
    with pytest.raises(KeyError), no_leaks():
        number = os.open("/dev/null", os.O_RDONLY)
        raise KeyError
    os.close(number)
