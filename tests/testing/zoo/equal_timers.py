"""A log is flushed and closed by two timers with the same deadline.

The bug shows when the timer that closes the log comes first: the lines in the buffer are
dropped. A close() that flushes mends it, for then the order of the timers does not matter.
"""

import asyncio

DELAY = 0.01


class Log:
    """Lines that are collected and written together."""

    def __init__(self):
        self.buffer = []
        self.written = []
        self.closed = asyncio.Event()

    def write(self, line):
        if not self.buffer:
            asyncio.get_running_loop().call_later(DELAY, self.flush)
        self.buffer.append(line)

    def flush(self):
        if not self.closed.is_set():
            self.written += self.buffer
            self.buffer.clear()

    def close(self):
        self.closed.set()


class FlushingLog(Log):
    def close(self):
        self.flush()
        super().close()


async def request(log):
    log.write("started")
    log.write("ended")
    asyncio.get_running_loop().call_later(DELAY, log.close)
    await log.closed.wait()
    assert log.written == ["started", "ended"], f"the log has only {log.written}"


async def broken():
    await asyncio.gather(request(Log()), request(Log()))


async def mended():
    await asyncio.gather(request(FlushingLog()), request(FlushingLog()))
