"""Twenty programs that hang, and what has to be named of each.

Each is a coroutine function. A comment on a line says who waits there (`# alice waits`) or takes a
lock there (`# alice takes`); the table says what kind of wait it is.
"""

from __future__ import annotations

import asyncio
import collections
import inspect
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import greenloop


@dataclass(frozen=True)
class Hang:
    """A program that hangs, and the truth about it."""

    function: Callable[[], Coroutine[Any, Any, None]]
    waits: dict[str, str]
    """The kinds of wait of those that hang, by their names."""
    texts: dict[str, str] = field(default_factory=dict)
    """What the text of a wait says, by the same names."""
    why: tuple[str, ...] = ("cycle", "unreachable")
    """Why they can never go on, or nothing if somebody outside could end it."""

    @property
    def name(self) -> str:
        return self.function.__name__

    def line(self, mark: str) -> int:
        """The line with this comment."""
        for part in (self.function, Service):
            lines, first = inspect.getsourcelines(part)
            for number, line in enumerate(lines, first):
                if line.rstrip().endswith(f"# {mark}"):
                    return number
        raise LookupError(mark)

    def takers(self) -> list[str]:
        """Those that have taken a lock."""
        source = inspect.getsource(self.function)
        return [name for name in self.waits if f"# {name} takes" in source]


HANGS: dict[str, Hang] = {}


def hang(waits: dict[str, str], **truth: Any) -> Callable[..., Any]:
    """Put a function into the table."""

    def put(function: Callable[[], Coroutine[Any, Any, None]]) -> Any:
        HANGS[function.__name__] = Hang(function, waits, **truth)
        return function

    return put


async def together(**coroutines: Coroutine[Any, Any, Any]) -> None:
    """Run coroutines as tasks with these names."""
    tasks = [asyncio.create_task(one, name=name) for name, one in coroutines.items()]
    await greenloop.gather(*tasks)


# Nobody outside could end these.


@hang({"alice": "lock", "bob": "lock"}, texts={"alice": "journal", "bob": "ledger"}, why=("cycle",))
async def crossed_locks():
    ledger, journal = greenloop.Lock(), greenloop.Lock()

    async def alice():
        async with ledger:  # alice takes
            await asyncio.sleep(0)
            async with journal:  # alice waits
                pass

    async def bob():
        async with journal:  # bob takes
            await asyncio.sleep(0)
            async with ledger:  # bob waits
                pass

    await together(alice=alice(), bob=bob())


@hang({"twice": "lock"}, texts={"twice": "mutex"}, why=("cycle",))
async def lock_taken_twice():
    mutex = greenloop.Lock()

    async def inner():
        async with mutex:  # twice waits
            pass

    async def twice():
        await mutex.acquire()  # twice takes
        await inner()

    await together(twice=twice())


@hang({"consumer": "queue.get"}, texts={"consumer": "'orders' (0 items"})
async def queue_whose_producer_died():
    orders = greenloop.Queue()

    async def producer():
        raise ValueError("it died")

    async def consumer():
        await orders.get()  # consumer waits

    died = asyncio.create_task(producer())
    await asyncio.wait([died])
    died.exception()
    del died
    await together(consumer=consumer())


@hang({"joiner": "queue.join"}, texts={"joiner": "1 unfinished"})
async def join_without_task_done():
    jobs = greenloop.Queue()

    async def worker():
        await jobs.get()

    async def joiner():
        await jobs.put(1)
        await jobs.join()  # joiner waits

    await together(worker=worker(), joiner=joiner())


@hang({"waiter": "event"}, texts={"waiter": "'opened'"})
async def event_nobody_sets():
    opened = greenloop.Event()

    async def waiter():
        await opened.wait()  # waiter waits

    await together(waiter=waiter())


@hang({"late": "condition"}, texts={"late": "'changed'"})
async def condition_notified_before_the_wait():
    changed = greenloop.Condition()

    async def early():
        async with changed:
            changed.notify_all()

    async def late():
        async with changed:
            await changed.wait()  # late waits

    await early()
    await together(late=late())


@hang({"one": "barrier", "two": "barrier"}, texts={"one": "2 of 3", "two": "2 of 3"})
async def barrier_one_short():
    start = greenloop.Barrier(3)

    async def one():
        await start.wait()  # one waits

    async def two():
        await start.wait()  # two waits

    await together(one=one(), two=two())


@hang({"next": "semaphore"}, texts={"next": "'permits' (0 free)"})
async def semaphore_leaked_by_a_cancelled_task():
    permits = greenloop.Semaphore(1)

    async def leaking():
        await permits.acquire()
        await asyncio.sleep(3600)
        permits.release()

    async def following():
        async with permits:  # next waits
            pass

    leaked = asyncio.create_task(leaking())
    await asyncio.sleep(0)
    leaked.cancel()
    await asyncio.wait([leaked])
    del leaked
    await together(next=following())


@hang({"shutdown": "gather"})
async def gather_of_itself():
    async def shutdown():
        mine = [task for task in asyncio.all_tasks() if task.get_name() == "shutdown"]
        await greenloop.gather(*mine)  # shutdown waits

    await together(shutdown=shutdown())


@hang({"waiter": "future"})
async def future_nobody_completes():
    async def waiter():
        reply = asyncio.get_running_loop().create_future()
        await reply  # waiter waits

    await together(waiter=waiter())


@hang({"parent": "task-group", "child": "task"}, why=("cycle",))
async def task_group_whose_child_waits_for_its_parent():
    async def child(parent):
        await parent  # child waits

    async def parent():
        async with greenloop.TaskGroup() as group:  # parent waits
            group.create_task(child(asyncio.current_task()), name="child")

    await together(parent=parent())


@hang(
    {"first": "task", "second": "task"},
    texts={"first": "'second'", "second": "'first'"},
    why=("cycle",),
)
async def await_of_each_other():
    tasks = {}

    async def first():
        await asyncio.sleep(0)
        await tasks["second"]  # first waits

    async def second():
        await asyncio.sleep(0)
        await tasks["first"]  # second waits

    tasks["first"] = asyncio.create_task(first(), name="first")
    tasks["second"] = asyncio.create_task(second(), name="second")
    await asyncio.wait(list(tasks.values()))


@hang({"stubborn": "event"}, texts={"stubborn": "'finished'"})
async def timeout_that_is_swallowed():
    finished = greenloop.Event()

    async def stubborn():
        try:
            async with greenloop.timeout(0.01):
                await finished.wait()
        except TimeoutError:
            pass
        await finished.wait()  # stubborn waits

    await together(stubborn=stubborn())


class ForeignLock:
    """A lock like anyio's, whose hand-over gets lost if the next in line is cancelled."""

    def __init__(self):
        self.owner = None
        self.waiters = collections.deque()

    def locked(self):
        return self.owner is not None

    async def acquire(self):
        if self.owner is None and not self.waiters:
            self.owner = asyncio.current_task()
            return
        woken = asyncio.get_running_loop().create_future()
        self.waiters.append(woken)
        await woken
        self.owner = asyncio.current_task()

    def release(self):
        self.owner = None
        if self.waiters:
            woken = self.waiters.popleft()
            if not woken.done():
                woken.set_result(None)


foreign = ForeignLock()


@hang({"loser": "future"}, texts={"loser": "ForeignLock"}, why=("broken-hand-over",))
async def hand_over_lost_by_a_foreign_lock():
    foreign.__init__()  # It is global, so that others could use it: it is free, and waited for.

    async def loser():
        await foreign.acquire()  # loser waits

    async def cancelled():
        await foreign.acquire()

    await foreign.acquire()
    second = asyncio.create_task(cancelled())
    await asyncio.sleep(0)
    third = asyncio.create_task(loser(), name="loser")
    await asyncio.sleep(0)
    second.cancel()
    foreign.release()
    await third


@hang({"consumer": "event"}, texts={"consumer": "'taken'"})
async def async_generator_waiting_for_its_consumer():
    taken = greenloop.Event()

    async def items():
        yield 1
        await taken.wait()  # consumer waits
        yield 2

    async def consumer():
        count = 0
        async for _ in items():
            count += 1
            if count == 2:
                taken.set()

    await together(consumer=consumer())


class Service:
    """A service whose worker is told to stop by an item of its own queue."""

    def __init__(self):
        self.inbox = greenloop.Queue()
        self.stopped = greenloop.Event()

    async def stop(self):
        self.inbox.put_nowait("no more")
        await self.stopped.wait()  # worker waits

    async def work(self):
        while await self.inbox.get() != "no more":
            await self.stop()
        self.stopped.set()


@hang({"worker": "event"}, texts={"worker": "'stopped'"})
async def shutdown_waiting_for_itself():
    service = Service()

    async def worker():
        await service.work()

    service.inbox.put_nowait("stop")
    await together(worker=worker())


# These could be ended from outside: by a peer, a thread, a child.


@hang({"feeder": "queue.put"}, texts={"feeder": "'mailbox' (1 of 1 items"}, why=())
async def thread_queue_without_a_reader():
    mailbox = greenloop.ThreadQueue(1)
    ended = threading.Event()
    # It has the queue, but does not read.
    thread = threading.Thread(target=lambda queue: ended.wait(60), args=(mailbox,))
    thread.start()

    async def feeder():
        await mailbox.put(1)
        await mailbox.put(2)  # feeder waits

    try:
        await together(feeder=feeder())
    finally:
        ended.set()


@hang({"sender": "stream.drain"}, texts={"sender": "127.0.0.1"}, why=())
async def drain_against_a_peer_that_does_not_read():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        _, writer = await greenloop.open_connection(*listener.getsockname())
        peer, _ = listener.accept()

    async def sender():
        while True:
            writer.write(bytes(1 << 20))
            await writer.drain()  # sender waits

    try:
        with peer:
            await together(sender=sender())
    finally:
        writer.close()


def waits_for_the_pool(pool, ended):
    """A job that waits for another job of the same executor."""
    while not ended.wait(0):
        try:
            return pool.submit(int).result(0.05)
        except TimeoutError:
            continue
    return None


@hang({"caller": "executor"}, texts={"caller": "waits_for_the_pool"}, why=())
async def executor_full_of_waiters():
    ended = threading.Event()
    pool = ThreadPoolExecutor(1)

    async def caller():
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(pool, waits_for_the_pool, pool, ended)  # caller waits

    try:
        await together(caller=caller())
    finally:
        ended.set()
        pool.shutdown(wait=False, cancel_futures=True)


children: list[int] = []
"""The processes that were started."""


@hang({"reaper": "subprocess"}, texts={"reaper": "stdout"}, why=())
async def subprocess_pipe_full():
    child = await greenloop.create_subprocess_exec(
        sys.executable, "-c", "print('x' * 1_000_000)", stdout=subprocess.PIPE
    )
    children.append(child.pid)

    async def reaper():
        await child.wait()  # reaper waits

    try:
        await together(reaper=reaper())
    finally:
        child.kill()
        child._transport.close()
