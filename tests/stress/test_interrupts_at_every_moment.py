"""An exception at any moment leaves a loop that can be run or closed, and no callback is lost.

Signal handlers (Ctrl-C), trace functions and audit hooks raise between any two instructions of
Python code, and memory runs out at any allocation. asyncio's own loop, which is Python code, can be
left running for ever by that; so these tests are about ours.
"""

import asyncio
import json
import os
import pathlib
import random
import signal
import socket
import subprocess
import sys

import pytest
from raising_at_instructions import Interrupt, check_usable

import greenloop

pytestmark = [
    # Of coroutines that an interrupt has kept from being handed to the loop.
    pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning"),
    pytest.mark.slow,
]

# How many signals interrupt the loop. The promise was counted with 100000, in two minutes.
INTERRUPTS = int(os.environ.get("GREENLOOP_INTERRUPTS", "1500"))
# Whether to raise at each instruction, also of operations that have tens of thousands.
EACH = INTERRUPTS >= 100000

PROGRAM = pathlib.Path(__file__).with_name("raising_at_instructions.py")


# Between any two instructions, and at any allocation.


@pytest.fixture(scope="module")
def trials():
    """What came of each operation in a process of its own, by the operation's name."""
    done = subprocess.run(
        [sys.executable, PROGRAM, "0" if EACH else "80"], stdout=subprocess.PIPE, text=True
    )
    assert done.returncode == 0
    found = [json.loads(line) for line in done.stdout.splitlines()]
    return {each["name"]: each for each in found}


def check(trials):
    assert [each["problem"] for each in trials if each["problem"]] == []
    assert [each["name"] for each in trials if not each["raised"]] == []
    print(sum(each["raised"] for each in trials), "exceptions in", len(trials), "operations")


def test_an_exception_at_any_instruction_leaves_a_usable_loop(trials):
    found = [each for name, each in trials.items() if not name.endswith("without memory")]
    assert len(found) == 14
    check(found)


def test_memory_that_runs_out_at_any_allocation_leaves_a_usable_loop(trials):
    pytest.importorskip("_testcapi")
    found = [each for name, each in trials.items() if name.endswith("without memory")]
    assert found
    check(found)


# By signals, in whatever the loop does.


class Counted:
    """Callbacks and tasks of all kinds, each of which is to run once."""

    def __init__(self, loop):
        self.loop = loop
        self.asked, self.ran = 0, []
        self.near, self.far = socket.socketpair()
        self.near.setblocking(False)
        self.queue = greenloop.Queue()

    def callback(self, number):
        self.ran.append(number)

    def done(self, number, future):
        self.ran.append(number)

    def readable(self, number):
        # An interrupt between the poll and this call lets two polls find the same byte.
        try:
            self.near.recv(1)
        except BlockingIOError:
            return
        self.ran.append(number)

    async def task(self, number):
        await greenloop.sleep(0)
        await greenloop.sleep(1e-5)
        await self.queue.get()
        self.ran.append(number)

    def number(self):
        self.asked += 1
        return self.asked - 1

    def ask(self):
        """Ask for one of each kind."""
        loop = self.loop
        # Half of them are C functions: turns without Python code, in which a signal is handled.
        for function in (self.callback, self.ran.append):
            loop.call_soon(function, self.number())
            loop.call_soon_threadsafe(function, self.number())
            loop.call_later(2e-5, function, self.number())
            loop.call_at(loop.time(), function, self.number())
            loop.run_in_executor(None, loop.call_soon_threadsafe, function, self.number())
        future = loop.create_future()
        number = self.number()
        future.add_done_callback(lambda future: self.done(number, future))
        loop.call_soon(future.set_result, None)
        self.task_kept = loop.create_task(self.task(self.number()))
        self.queue.put_nowait(None)
        loop.add_reader(self.near, self.readable, self.number())
        self.far.send(b"x")

    def drain(self):
        async def main():
            while len(self.ran) < self.asked:
                await asyncio.sleep(0.001)

        # First the calls of stop() that are left over.
        self.loop.call_soon(self.loop.stop)
        self.loop.run_forever()
        self.loop.run_until_complete(asyncio.wait_for(main(), 10))

    def close(self):
        self.loop.remove_reader(self.near)
        self.near.close()
        self.far.close()


def enter(loop):
    """The only function of this module in which a signal raises, beside all of the library's."""
    loop.run_forever()


def test_signals_at_every_moment_lose_nothing(interrupts=INTERRUPTS):
    raised, rounds, chance = 0, 0, random.Random(12)

    def handle(number, frame):
        nonlocal raised
        if frame.f_code is enter.__code__ or frame.f_code.co_filename != __file__:
            raised += 1
            raise Interrupt

    loop = greenloop.new_event_loop()
    counted = Counted(loop)
    before = signal.signal(signal.SIGALRM, handle)
    try:
        while raised < interrupts:
            rounds += 1
            if len(counted.ran) == counted.asked:
                counted.ran.clear()
                counted.asked = 0
                counted.ask()
            loop.call_soon(loop.stop)
            try:
                signal.setitimer(signal.ITIMER_REAL, chance.uniform(1e-6, 6e-5))
                enter(loop)
            except Interrupt:
                pass
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
            assert not loop.is_running()
            assert asyncio._get_running_loop() is None
            assert len(counted.ran) <= counted.asked
            if len(counted.ran) == counted.asked:
                assert sorted(counted.ran) == list(range(counted.asked))
        signal.signal(signal.SIGALRM, before)
        counted.drain()
        assert sorted(counted.ran) == list(range(counted.asked))
        print(f"{raised} interrupts in {rounds} runs")
    finally:
        signal.signal(signal.SIGALRM, before)
        counted.close()
        loop.run_until_complete(loop.shutdown_default_executor())
        check_usable(loop)
