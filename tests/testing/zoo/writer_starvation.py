"""A readers-writer lock lets readers overtake a waiting writer, without a bound.

The bug shows when new readers arrive before the last reader leaves: they enter although a writer
has been waiting for longer. A lock in which newcomers queue behind all waiters mends it.
"""

import asyncio
from collections import deque

READER, WRITER = "reader", "writer"
READING = 0.01
BOUND = 1


class ReadersFirst:
    """A lock for many readers or one writer; leave() admits the next waiters in the queue."""

    def __init__(self):
        self.readers = 0
        self.writing = False
        self.queue = deque()
        self.overtaken = 0

    def free_for(self, kind):
        return not self.writing and (kind == READER or not self.readers)

    def may_pass_the_queue(self):
        return True

    def let_in(self, kind):
        self.readers += kind == READER
        self.writing = kind == WRITER

    async def enter(self, kind):
        if self.free_for(kind) and (not self.queue or self.may_pass_the_queue()):
            self.overtaken += sum(waiting == WRITER for waiting, _ in self.queue)
            self.let_in(kind)
            return
        admitted = asyncio.get_running_loop().create_future()
        self.queue.append((kind, admitted))
        await admitted

    def leave(self, kind):
        self.readers -= kind == READER
        self.writing = False
        while self.queue and self.free_for(self.queue[0][0]):
            kind, admitted = self.queue.popleft()
            self.let_in(kind)
            admitted.set_result(None)


class FirstComeFirstServed(ReadersFirst):
    def may_pass_the_queue(self):
        return False


async def use(lock, kind):
    await lock.enter(kind)
    await asyncio.sleep(READING)
    lock.leave(kind)


async def late_reader(lock):
    await asyncio.sleep(READING)  # Another page is read first.
    await use(lock, READER)


async def readers_and_a_writer(lock):
    late_readers = [late_reader(lock) for _ in range(3)]
    await asyncio.gather(use(lock, READER), use(lock, WRITER), *late_readers)
    assert lock.overtaken <= BOUND, f"{lock.overtaken} readers overtook a waiting writer"


async def broken():
    await readers_and_a_writer(ReadersFirst())


async def mended():
    await readers_and_a_writer(FirstComeFirstServed())
