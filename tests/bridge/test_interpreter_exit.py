"""Threads that use futures while the interpreter ends, and after: they do no harm.

Some are the extension's own, native ones, which nobody waits for. When a program ends, they are
in the middle of waking: a loop that runs, is being closed, is closed, or is gone together with its
interpreter. Others are Python's daemon threads, in the middle of a function of the extension.
"""

import os
import subprocess
import sys
import textwrap

import pytest

PROLOGUES = {
    "greenloop": "import greenloop\nnew_event_loop = greenloop.new_event_loop\n",
    "asyncio": "import asyncio\nnew_event_loop = asyncio.SelectorEventLoop\n",
}
SHARED = """
import asyncio, sys, threading
import greenloop_bridge_example as example

async def woken(times):
    await example.woken_by_threads(3, times)

async def begin(times, tasks=5):
    # A task that has begun has its threads.
    global waiting
    waiting = [asyncio.ensure_future(woken(times)) for _ in range(tasks)]
    for _ in range(10):
        await asyncio.sleep(0)

FOR_EVER = 10**15
"""
PROGRAMS = {
    "the loop is left open": """
        loop = new_event_loop()
        loop.run_until_complete(begin(FOR_EVER))
        """,
    "the loop is closed": """
        loop = new_event_loop()
        loop.run_until_complete(begin(FOR_EVER))
        for task in waiting:
            task.cancel()
        loop.run_until_complete(asyncio.wait(waiting))
        loop.close()
        """,
    "the loop is closed with its tasks": """
        loop = new_event_loop()
        loop.run_until_complete(begin(FOR_EVER))
        loop.close()
        """,
    "the threads end about when the interpreter does": """
        loop = new_event_loop()
        for times in range(0, 1000, 100):
            loop.run_until_complete(begin(times, 1))
        """,
    "the tasks are in the modules": """
        loop = new_event_loop()
        loop.run_until_complete(begin(FOR_EVER))
        sys.waiting, sys.loop = waiting, loop
        """,
    "the loop runs in a daemon thread": """
        loop = new_event_loop()
        begun = threading.Event()
        async def main():
            await begin(FOR_EVER)
            begun.set()
            await asyncio.gather(*waiting)
        threading.Thread(target=loop.run_until_complete, args=(main(),), daemon=True).start()
        begun.wait()
        """,
}
# Daemon threads do these for ever. The interpreter takes the GIL from a thread often, to meet many
# of the moments at which it can end one.
DAEMONS = """
import asyncio, sys, threading, warnings
import greenloop_bridge_example as example

warnings.simplefilter("ignore")
begun = threading.Barrier(5)

def run(step):
    step()
    begun.wait()
    while True:
        step()

def start(step):
    for _ in range(4):
        threading.Thread(target=run, args=(step,), daemon=True).start()
    sys.setswitchinterval(1e-5)
    begun.wait()

def step_of_a_loop(body):
    local = threading.local()
    def step():
        if not hasattr(local, "loop"):
            local.loop = new_event_loop()
        local.loop.run_until_complete(body())
    return step

def by_hand(awaitable):
    # As somebody who is no loop, and knows none.
    try:
        next(awaitable.__await__())
    except (RuntimeError, StopIteration):
        pass

class Slow:
    # Python code wherever a future is asked for something, or let go of.
    _asyncio_future_blocking = False
    def work(self, *_, **__):
        sum(i for i in range(20))
    add_done_callback = remove_done_callback = call_soon_threadsafe = cancel = work
    __del__ = is_closed = work
    def done(self):
        self.work()
        return self
    def __bool__(self):
        self.work()
        return False
    def get_loop(self):
        self.work()
        return self

async def inner():
    sum(i for i in range(20))
    await asyncio.sleep(0)
"""
DAEMON_PROGRAMS = {
    "the first call imports": """
        def first():
            begun.wait()
            by_hand(example.from_thread(3))
        for _ in range(4):
            threading.Thread(target=first, daemon=True).start()
        begun.wait()
        """,
    "awaiting by hand": "start(lambda: by_hand(example.from_thread(3)))",
    "into_future without a loop": "start(lambda: by_hand(example.pass_through(inner())))",
    "into_future of a slow future": "start(lambda: by_hand(example.pass_through(Slow())))",
    "into_future that is never polled": "start(lambda: example.pass_through(inner()) and None)",
    "into_future on a loop": """
        async def body():
            await example.pass_through(inner())
        start(step_of_a_loop(body))
        """,
    "one of two futures is dropped": """
        async def body():
            await example.first(inner(), asyncio.sleep(0))
        start(step_of_a_loop(body))
        """,
    "cancelling": """
        async def body():
            task = asyncio.ensure_future(example.pass_through(asyncio.sleep(100)))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
        start(step_of_a_loop(body))
        """,
}


@pytest.mark.slow
@pytest.mark.parametrize("prologue", PROLOGUES.values(), ids=PROLOGUES.keys())
@pytest.mark.parametrize("body", PROGRAMS.values(), ids=PROGRAMS.keys())
def test_an_interpreter_ends_while_threads_wake(prologue, body):
    check(prologue + SHARED + textwrap.dedent(body))


@pytest.mark.slow
@pytest.mark.parametrize("prologue", PROLOGUES.values(), ids=PROLOGUES.keys())
@pytest.mark.parametrize("body", DAEMON_PROGRAMS.values(), ids=DAEMON_PROGRAMS.keys())
def test_an_interpreter_ends_while_daemon_threads_call(prologue, body):
    check(prologue + DAEMONS + textwrap.dedent(body))


def check(program):
    program += "\nprint('main ends')\n"
    # Which moment of the end a thread meets is chance.
    for _ in range(3):
        result = subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            text=True,
            timeout=60,
            env=os.environ | {"PYTHONFAULTHANDLER": "1"},
        )
        assert (result.returncode, result.stdout) == (0, "main ends\n"), result.stderr
        for sign in ("panicked", "Fatal", "thread '"):
            assert sign not in result.stderr
