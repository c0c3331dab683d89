"""The motifs of random programs: each waits in one way for what somebody gives in the end."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import signal
import socket
import time
import weakref
from typing import Any

import greenloop

BRIEF = 0.002
"""Seconds: the longest sleep."""

registry: dict[int, Any] = {}
"""Resources that anybody can reach."""

known: weakref.WeakValueDictionary[int, Any] = weakref.WeakValueDictionary()
"""Resources that somebody reaches who does not hold them."""

boxes: weakref.WeakSet[Any] = weakref.WeakSet()

current: contextvars.ContextVar[Any] = contextvars.ContextVar("current")


class Box:
    """Something with an attribute."""

    def __init__(self, held):
        self.held = held

    def give(self):
        self.held.set()


class Guard:
    """Sets an event when it is let go."""

    def __init__(self, event):
        self.event = event

    def __del__(self):
        self.event.set()


class Referent:
    """Something that can be referred to weakly."""


class Motifs:
    """The motifs of a program, which says how things are given."""

    async def do_event(self):
        event = self.kit.Event()
        if self.chance(0.1):
            greenloop.name(event, "named")
        kept = self.giver(event)
        waiters = [asyncio.create_task(event.wait()) for _ in range(self.random.randrange(3))]
        await event.wait()
        await greenloop.gather(*waiters)
        del kept

    async def do_event_waited_for_elsewhere(self):
        """The one who waits has nothing but the event."""
        event = self.kit.Event()
        kept = self.giver(event)
        task = asyncio.create_task(event.wait())
        del event
        await task
        del kept

    async def do_signalled_events(self):
        """A signal handler that is replaced meanwhile still sets all."""
        event = self.kit.Event()
        self.pending_events.append(event)
        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, self.signalled, event)
        self.thread(self.signal_later, self.random.random() * BRIEF)
        await event.wait()

    async def do_future(self):
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        if self.chance(0.5):
            loop.call_later(self.random.random() * BRIEF, future.set_result, 1)
        else:
            self.thread(loop.call_soon_threadsafe, future.set_result, 1)
        await future

    async def do_queue(self):
        queue = self.kit.Queue(self.random.randrange(3))
        if self.chance(0.3):
            registry[id(queue)] = queue
        count = self.random.randint(1, 4)

        async def produce():
            for number in range(count):
                await self.pause()
                await queue.put(number)

        async def consume():
            for _ in range(count):
                await queue.get()
                await self.pause()
                queue.task_done()

        if self.chance(0.5):
            await greenloop.gather(produce(), consume())
            await queue.join()
        else:
            tasks = [asyncio.create_task(produce()), asyncio.create_task(consume())]
            await self.pause()
            for task in tasks:
                await task
        registry.pop(id(queue), None)

    async def do_locks(self):
        locks = [self.kit.Lock() for _ in range(self.random.randint(1, 3))]
        where = self.random.choice([lambda: locks, Box(locks).__getattribute__])
        held = where() if where.__name__ == "<lambda>" else where("held")

        async def use():
            for _ in range(2):
                async with contextlib.AsyncExitStack() as stack:
                    for lock in held:
                        if self.chance(0.7):
                            await stack.enter_async_context(lock)
                            await self.pause()

        await greenloop.gather(*(use() for _ in range(self.random.randint(1, 4))))

    async def do_lock_released_by_another(self):
        lock = self.kit.Lock()
        await lock.acquire()
        loop = asyncio.get_running_loop()
        how = self.random.choice(["timer", "task", "thread", "closure", "done-callback"])
        if how == "timer":
            loop.call_later(BRIEF, lock.release)
        elif how == "closure":
            loop.call_later(BRIEF, lambda: lock.release())
        elif how == "thread":
            self.thread(self.release_in_thread, loop, lock)
        elif how == "done-callback":
            asyncio.create_task(asyncio.sleep(BRIEF)).add_done_callback(lambda _: lock.release())
        else:
            kept = asyncio.create_task(self.release_later(lock))  # noqa: F841

        async def use():
            async with lock:
                await self.pause()

        # The owner waits for one that waits for the lock.
        await asyncio.create_task(use())

    async def release_later(self, lock):
        await asyncio.sleep(BRIEF)
        lock.release()

    @staticmethod
    def release_in_thread(loop, lock):
        time.sleep(BRIEF)
        loop.call_soon_threadsafe(lock.release)

    async def do_semaphore(self):
        semaphore = self.kit.Semaphore(self.random.randint(1, 2))

        async def use(hands_over):
            await semaphore.acquire()
            await self.pause()
            if hands_over:
                asyncio.get_running_loop().call_later(BRIEF / 2, semaphore.release)
            else:
                semaphore.release()

        users = [use(self.chance(0.3)) for _ in range(self.random.randint(1, 5))]
        await greenloop.gather(*users)

    async def do_condition(self):
        condition, state = self.kit.Condition(), []

        async def wait():
            async with condition:
                await condition.wait_for(lambda: state)

        async def notify():
            await self.pause()
            async with condition:
                state.append(1)
                condition.notify_all()

        await greenloop.gather(wait(), notify(), wait())

    async def do_barrier(self):
        count = self.random.randint(1, 4)
        barrier = self.kit.Barrier(count)

        async def come():
            await self.pause()
            await barrier.wait()

        await greenloop.gather(*(come() for _ in range(count)))

    async def do_timeout(self):
        never = self.kit.Event()
        with contextlib.suppress(TimeoutError):
            how = self.random.randrange(4)
            if how == 0:
                await greenloop.wait_for(never.wait(), self.random.random() * BRIEF)
            elif how == 1:
                async with greenloop.timeout(self.random.random() * BRIEF):
                    await never.wait()
            elif how == 2:
                async with greenloop.timeout(self.random.random() * BRIEF):
                    # The timeout ends what a task of the task waits for.
                    await greenloop.gather(self.within(never))
            else:
                async with greenloop.timeout(1000), asyncio.timeout(self.random.random() * BRIEF):
                    async with greenloop.TaskGroup() as group:
                        group.create_task(self.within(never))

    async def within(self, never):
        await self.kit.Lock().acquire()
        await never.wait()

    async def do_cancel(self):
        """One is cancelled that would have gone on, had it been left alone."""
        event = self.kit.Event()
        task = asyncio.create_task(event.wait())
        await self.pause()
        task.cancel()
        await greenloop.wait([task])
        event.set()

    async def do_wait_on_purpose(self):
        """A server waits for ever, until it is cancelled."""

        async def serve():
            if self.chance(0.5):
                await asyncio.get_running_loop().create_future()
            else:
                await self.kit.Event().wait()

        task = asyncio.create_task(serve())
        await self.pause()
        await self.pause()
        task.cancel()
        await greenloop.wait([task])

    async def do_first_of_several(self):
        event = self.kit.Event()
        kept = self.giver(event)
        tasks = [asyncio.create_task(event.wait()), asyncio.create_task(asyncio.sleep(BRIEF))]
        _, pending = await greenloop.wait(tasks, return_when="FIRST_COMPLETED")
        for task in pending:
            task.cancel()
        await event.wait()
        del kept

    async def do_thread_queue(self):
        queue, count = greenloop.ThreadQueue(self.random.randrange(3)), self.random.randint(1, 3)

        def feed():
            for number in range(count):
                queue.sync_put(number)

        def drain():
            for _ in range(count):
                time.sleep(BRIEF / 4)
                queue.sync_get()
                queue.task_done()

        if self.chance(0.5):
            self.thread(feed)
            for _ in range(count):
                await queue.get()
                queue.task_done()
        else:
            self.thread(drain)
            for number in range(count):
                await queue.put(number)
        await queue.join()

    async def do_executor(self):
        if self.chance(0.5):
            await asyncio.to_thread(time.sleep, BRIEF / 2)
        else:
            await asyncio.get_running_loop().run_in_executor(None, time.sleep, BRIEF / 2)

    async def do_subprocess(self):
        if not self.chance(0.03):
            return
        child = await greenloop.create_subprocess_exec("/bin/true")
        await child.wait()

    async def do_generator(self):
        queue = self.kit.Queue()

        async def items():
            try:
                for number in range(3):
                    await self.pause()
                    yield number
                    await queue.get()
            finally:
                await self.pause()

        seen = 0
        async with contextlib.aclosing(items()) as all_items:
            async for _ in all_items:
                queue.put_nowait(1)
                seen += 1
                if self.chance(0.2):
                    break

    async def do_streams(self):
        if not self.chance(0.3):
            return
        ours, theirs = socket.socketpair()
        (reader, writer), (other, answering) = await greenloop.gather(
            greenloop.open_connection(sock=ours), greenloop.open_connection(sock=theirs)
        )

        async def echo():
            answering.write(await other.readline())
            await answering.drain()

        task = asyncio.create_task(echo())
        writer.write(b"hello\n")
        await reader.readline()
        await task
        for each in (writer, answering):
            each.close()
            await each.wait_closed()

    async def do_group_of_waiters(self):
        event = self.kit.Event()
        async with greenloop.TaskGroup() as group:
            group.create_task(event.wait())
            group.create_task(self.set_later(event))

    async def do_result_of_a_task_that_is_waited_for_by_all(self):
        task = asyncio.create_task(self.pause())

        async def wait():
            await greenloop.shield(task)

        await greenloop.gather(wait(), wait(), task)
