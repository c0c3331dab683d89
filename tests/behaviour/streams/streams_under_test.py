"""The names of streams, and what a test feeds them by: a filled reader, a transport that notes."""

import asyncio

NAMES = (
    "FlowControlMixin",
    "StreamReader",
    "StreamReaderProtocol",
    "StreamWriter",
    "open_connection",
    "open_unix_connection",
    "start_server",
    "start_unix_server",
)


class Transport(asyncio.Transport):
    """Notes what it is told."""

    def __init__(self):
        super().__init__()
        self.calls = []
        self.closing = False

    def pause_reading(self):
        self.calls.append("pause")

    def resume_reading(self):
        self.calls.append("resume")

    def is_closing(self):
        return self.closing

    def write(self, data):
        self.calls.append(bytes(data))

    def close(self):
        self.closing = True

    def __repr__(self):
        return "<Transport>"


async def turns_of(awaitable):
    """How many turns of the loop it takes, and its result."""
    count = 0

    async def counter():
        nonlocal count
        while True:
            await asyncio.sleep(0)
            count += 1

    task = asyncio.ensure_future(counter())
    await asyncio.sleep(0)
    before = count
    result = await awaitable
    turns = count - before
    task.cancel()
    return turns, result


def reader_with(streams, *chunks, eof=True, **keywords):
    reader = streams.StreamReader(loop=asyncio.get_running_loop(), **keywords)
    for chunk in chunks:
        reader.feed_data(chunk)
    if eof:
        reader.feed_eof()
    return reader
