"""Random programs that always finish, in which tasks wait for each other in every way.

A program is a tree of motifs by the numbers of a seed. Each motif waits for what somebody gives in
the end: a task, a timer, a thread, a signal, a child; found by way of a variable, a global, an
attribute, a closure, a context variable or a weak reference. Cancellations only hit what would go
on by itself.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextvars
import functools
import os
import signal
import socket
import sys
import threading
import time
import weakref
from typing import Any

from motifs import BRIEF, Box, Guard, Motifs, Referent, boxes, current, known, registry

import greenloop


class Program(Motifs):
    """A random program."""

    def __init__(self, random, kit, search):
        self.random = random
        self.kit = kit
        self.search = search
        self.left = random.randint(3, 12)
        """How many motifs are still to come."""
        self.threads = []

    async def run(self):
        await self.several()
        for thread in self.threads:
            await asyncio.to_thread(thread.join)

    def chance(self, share):
        return self.random.random() < share

    async def pause(self):
        """Let time pass, or others, and look for deadlocks now and then."""
        if self.chance(0.4):
            self.search()
        kind = self.random.randrange(4)
        if kind:
            await asyncio.sleep(self.random.random() * BRIEF if kind > 1 else 0)

    def thread(self, function, *args):
        thread = threading.Thread(target=function, args=args)
        thread.start()
        self.threads.append(thread)

    async def several(self):
        """Some motifs at once, waited for in some way."""
        count = self.random.randint(1, 4)
        self.left -= count
        how = self.random.choice(["gather", "group", "wait", "as_completed", "await", "shield"])
        motifs = [self.motif() for _ in range(count)]
        if how == "gather":
            await greenloop.gather(*motifs)
        elif how == "group":
            async with greenloop.TaskGroup() as group:
                for motif in motifs:
                    group.create_task(motif)
                    await self.pause()
        elif how == "shield":
            for motif in motifs:
                await greenloop.shield(motif)
        elif how == "await":
            tasks = [asyncio.create_task(motif) for motif in motifs]
            for task in tasks:
                await task
        elif how == "wait":
            pending = {asyncio.create_task(motif) for motif in motifs}
            while pending:
                done, pending = await greenloop.wait(pending, return_when="FIRST_COMPLETED")
                for task in done:
                    task.result()
        else:
            for each in greenloop.as_completed(motifs):
                await each

    async def motif(self):
        motifs = [getattr(self, name) for name in dir(self) if name.startswith("do_")]
        await self.random.choice(motifs)()
        if self.left > 0 and self.chance(0.6):
            await self.several()

    # How an event is set, in the end.

    def giver(self, event):
        """Have somebody set an event, and return what has to be kept until then."""
        loop = asyncio.get_running_loop()
        ways = [
            "task",
            "timer",
            "closure",
            "thread",
            "global",
            "attribute",
            "weak",
            "weak-method",
            "context",
            "signal",
            "guard",
            "weak-callback",
            "finalize",
            "future",
            "coroutine-threadsafe",
            "executor",
            "done-callback",
            "reader",
            "partial",
            "weak-box",
            "weak-set",
            "cyclic-box",
            "wrapped-future",
        ]
        way = self.random.choice(ways)
        delay = self.random.random() * BRIEF
        if way == "task":
            return asyncio.create_task(self.set_later(event))
        if way == "timer":
            return loop.call_later(delay, event.set)
        if way == "closure":
            box = [event]
            loop.call_later(delay, lambda: box[0].set())
        elif way == "partial":
            loop.call_later(delay, functools.partial(type(event).set, event))
        elif way == "thread":
            self.thread(self.set_in_thread, loop, event, delay)
        elif way == "global":
            registry[id(event)] = event
            loop.call_later(delay, self.set_registered, id(event))
        elif way == "attribute":
            box = Box(event)
            loop.call_later(delay, box.give)
        elif way == "weak":
            known[id(event)] = event
            loop.call_later(delay, self.set_known, id(event))
        elif way == "weak-method":
            box = Box(event)
            loop.call_later(delay, lambda method: method()(), weakref.WeakMethod(box.give))
            return box
        elif way == "context":
            context = contextvars.copy_context()
            context.run(current.set, event)
            loop.call_later(delay, lambda: current.get().set(), context=context)
        elif way == "signal":
            self.pending_events.append(event)
            loop.add_signal_handler(signal.SIGUSR1, self.signalled, event)
            self.thread(self.signal_later, delay)
        elif way == "weak-box":
            box = known[id(event)] = Box(event)
            loop.call_later(delay, self.give_known, id(event))
            return box
        elif way == "weak-set":
            box = Box(event)
            boxes.add(box)
            loop.call_later(delay, self.give_all)
            return box
        elif way == "cyclic-box":
            box = Box(event)
            box.itself = [box, {"box": box}]
            loop.call_later(delay, lambda: box.itself[1]["box"].give())
        elif way == "wrapped-future":
            future = concurrent.futures.Future()
            future.add_done_callback(lambda _: loop.call_soon_threadsafe(event.set))
            self.thread(self.finish_later, future, delay)
            return asyncio.wrap_future(future)
        elif way == "guard":
            return asyncio.create_task(self.drop_later([Guard(event)]))
        elif way == "weak-callback":
            held = [Referent()]
            reference = weakref.ref(held[0], lambda _: event.set())
            # The task that waits keeps the reference, and another one the object.
            return reference, asyncio.create_task(self.drop_later(held))
        elif way == "finalize":
            held = [Referent()]
            weakref.finalize(held[0], event.set)
            asyncio.create_task(self.drop_later(held))  # noqa: RUF006
        elif way == "future":
            future = loop.create_future()
            future.add_done_callback(lambda _: event.set())
            loop.call_later(delay, future.set_result, None)
            return future
        elif way == "done-callback":
            task = asyncio.create_task(asyncio.sleep(delay))
            task.add_done_callback(lambda _: event.set())
            return task
        elif way == "coroutine-threadsafe":
            self.thread(self.run_in_thread, loop, event)
        elif way == "executor":
            return loop.run_in_executor(None, self.set_in_thread, loop, event, delay)
        elif way == "reader":
            reader, writer = socket.socketpair()
            loop.add_reader(reader, self.readable, loop, reader, event)
            self.thread(self.write_later, writer, delay)
        return None

    async def set_later(self, event):
        await self.pause()
        await self.pause()
        event.set()

    async def drop_later(self, held):
        await self.pause()
        await asyncio.sleep(BRIEF / 2)
        held.clear()

    @staticmethod
    def set_in_thread(loop, event, delay):
        time.sleep(delay)
        loop.call_soon_threadsafe(event.set)

    def run_in_thread(self, loop, event):
        asyncio.run_coroutine_threadsafe(self.set_later(event), loop).result()

    @staticmethod
    def set_registered(key):
        registry.pop(key).set()

    @staticmethod
    def set_known(key):
        event = known.get(key)
        if event is not None:
            event.set()

    @staticmethod
    def give_known(key):
        box = known.get(key)
        if box is not None:
            box.give()

    @staticmethod
    def give_all():
        for box in list(boxes):
            box.give()

    @staticmethod
    def finish_later(future, delay):
        time.sleep(delay)
        future.set_result(None)

    pending_events: list[Any] = []
    """Those that the next signal sets."""

    @classmethod
    def signalled(cls, event):
        event.set()
        while cls.pending_events:
            cls.pending_events.pop().set()

    def signal_later(self, delay):
        time.sleep(delay)
        os.kill(os.getpid(), signal.SIGUSR1)

    @staticmethod
    def readable(loop, reader, event):
        loop.remove_reader(reader)
        reader.close()
        event.set()

    @staticmethod
    def write_later(writer, delay):
        time.sleep(delay)
        writer.close()

    # Motifs.


def main(first: int, count: int) -> None:
    """Run programs by hand: `python finishing_programs.py FIRST COUNT`."""
    from alarms import alarms_of  # noqa: PLC0415

    alarms = alarms_of(range(first, first + count), show=print)
    print(f"{count} programs, {len(alarms)} alarms")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
