"""Threads that wake futures while the interpreter ends, and after: they do no harm.

The threads are the extension's own, native ones, which nobody waits for. When a program ends, they
are in the middle of waking: a loop that runs, is being closed, is closed, or is gone together with
its interpreter.
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


@pytest.mark.slow
@pytest.mark.parametrize("prologue", PROLOGUES.values(), ids=PROLOGUES.keys())
@pytest.mark.parametrize("body", PROGRAMS.values(), ids=PROGRAMS.keys())
def test_an_interpreter_ends_while_threads_wake(prologue, body):
    program = prologue + SHARED + textwrap.dedent(body) + "\nprint('main ends')\n"
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
