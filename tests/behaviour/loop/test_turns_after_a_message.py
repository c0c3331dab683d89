"""The turn of a task that a message has woken sees as much other input as with asyncio.

asyncio asks the system before that turn as well. Greenloop does not where a message alone has woken
the task; here something else stands behind the message, or comes by receiving it, in the program
itself.
"""

import asyncio
import contextlib
import os
import socket

import pytest

import greenloop
from connections import connected

SCENES = {}


def scene(function):
    """Add a coroutine function: it gets the loop, whose streams to use, and a list to fill."""
    SCENES[function.__name__] = function
    return function


async def note_turns(order, turns=4):
    """Go on for some turns, and say so."""
    for turn in range(turns):
        order.append(f"turn {turn}")
        await asyncio.sleep(0)


@contextlib.asynccontextmanager
async def reading(library, near):
    reader, writer = await library.open_connection(sock=near)
    yield reader, writer
    writer.transport.abort()
    await asyncio.sleep(0.001)


async def when_it_waits(function, *arguments):
    """Has a function called when the loop has nothing else to do: by a timer."""
    asyncio.get_running_loop().call_later(0.001, function, *arguments)


@scene
async def end_of_the_stream_behind_the_bytes(loop, library, order):
    with connected("tcp") as (near, far):
        async with reading(library, near) as (reader, _):

            def send():
                far.send(b"x")
                far.close()

            await when_it_waits(send)
            order.append(await reader.read(10))
            for _ in range(4):
                order.append(reader.at_eof())
                await asyncio.sleep(0)


@scene
async def more_bytes_than_are_received_at_once(loop, library, order):
    with connected("tcp") as (near, far):
        async with reading(library, near) as (reader, writer):
            writer.transport.max_size = 2
            await when_it_waits(far.send, b"abcdefg")
            order.append(await reader.read(10))
            for _ in range(4):
                order.append(bytes(reader._buffer))
                await asyncio.sleep(0)


@scene
async def bytes_and_then_a_descriptor_over_a_unix_socket(loop, library, order):
    with connected() as (near, far):
        async with reading(library, near) as (reader, _):

            def send():
                socket.send_fds(far, [b"with one"], [far.fileno()])
                far.send(b"without")

            await when_it_waits(send)
            order.append(await reader.read(100))
            for _ in range(3):
                order.append(bytes(reader._buffer))
                await asyncio.sleep(0)


@scene
async def room_for_the_other_end(loop, library, order):
    with connected() as (near, far):
        waiting = loop.create_task(loop.sock_recv(near, 1 << 22))
        await asyncio.sleep(0)

        def fill():
            with contextlib.suppress(BlockingIOError):
                while True:
                    far.send(bytes(4096))
            loop.add_writer(far, seen)

        def seen():
            order.append("room")
            loop.remove_writer(far)

        await when_it_waits(fill)
        assert len(await waiting) > 4096
        await note_turns(order)


@scene
async def what_another_callback_of_the_turn_has_written(loop, library, order):
    reading_end, writing_end = os.pipe()
    with connected() as (near, far), connected() as (other_near, other_far):

        def other():
            other_near.recv(1)
            os.write(writing_end, b"x")

        def seen():
            order.append("pipe")
            loop.remove_reader(reading_end)

        loop.add_reader(other_near, other)
        loop.add_reader(reading_end, seen)
        waiting = loop.create_task(loop.sock_recv(near, 10))
        await asyncio.sleep(0)

        def send():
            far.send(b"x")
            other_far.send(b"x")

        await when_it_waits(send)
        order.append(await waiting)
        await note_turns(order)
        loop.remove_reader(other_near)
    os.close(reading_end)
    os.close(writing_end)


@scene
async def what_a_protocol_has_written_past_the_loop(loop, library, order):
    reading_end, writing_end = os.pipe()
    got = loop.create_future()

    class Writes(asyncio.Protocol):
        def data_received(self, data):
            os.write(writing_end, data)
            got.set_result(data)

    def seen():
        order.append("pipe")
        loop.remove_reader(reading_end)

    with connected("tcp") as (near, far):
        transport, _ = await loop.create_connection(Writes, sock=near)
        loop.add_reader(reading_end, seen)
        await when_it_waits(far.send, b"x")
        order.append(await got)
        await note_turns(order)
        transport.abort()
        await asyncio.sleep(0.001)
    os.close(reading_end)
    os.close(writing_end)


@scene
async def what_a_reader_of_the_programs_has_written_past_the_loop(loop, library, order):
    reading_end, writing_end = os.pipe()

    class Reader(library.StreamReader):
        def feed_data(self, data):
            os.write(writing_end, data)
            super().feed_data(data)

    def seen():
        order.append("pipe")
        loop.remove_reader(reading_end)

    with connected("tcp") as (near, far):
        reader = Reader()
        protocol = library.StreamReaderProtocol(reader)
        transport, _ = await loop.create_connection(lambda: protocol, sock=near)
        loop.add_reader(reading_end, seen)
        await when_it_waits(far.send, b"x")
        order.append(await reader.read(10))
        await note_turns(order)
        transport.abort()
        await asyncio.sleep(0.001)
    os.close(reading_end)
    os.close(writing_end)


@scene
async def what_the_woken_task_sends(loop, library, order):
    with connected("tcp") as (near, far):
        async with reading(library, near) as (reader, writer):
            loop.add_reader(far, lambda: order.append(far.recv(10)))
            await when_it_waits(far.send, b"question")
            order.append(await reader.read(10))
            writer.write(b"answer")
            await note_turns(order)
            loop.remove_reader(far)


@scene
async def what_the_woken_task_sends_past_the_loop(loop, library, order):
    with connected("tcp") as (near, far), connected() as (other_near, other_far):
        async with reading(library, near) as (reader, _):
            loop.add_reader(other_near, lambda: order.append(other_near.recv(10)))
            await when_it_waits(far.send, b"question")
            order.append(await reader.read(10))
            other_far.send(b"answer")
            await note_turns(order)
            loop.remove_reader(other_near)


def order_on(loop_factory, library, scene):
    """What happens, three times, since a loop's rhythm may change."""
    order = []

    async def main():
        for _ in range(3):
            await asyncio.sleep(0.001)
            await scene(asyncio.get_running_loop(), library, order)
            order.append("over")

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(main())
    return order


@pytest.mark.parametrize("scene", SCENES.values(), ids=SCENES.keys())
def test_the_order_is_asyncios(scene):
    expected = order_on(asyncio.SelectorEventLoop, asyncio, scene)
    assert order_on(greenloop.new_event_loop, greenloop, scene) == expected
