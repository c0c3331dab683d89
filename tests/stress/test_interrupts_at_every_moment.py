"""An exception at any moment leaves a loop that can be run or closed, and no callback is lost.

Signal handlers (Ctrl-C), trace functions and audit hooks raise between any two instructions of
Python code, and memory runs out at any allocation. asyncio's own loop, which is Python code, can be
left running for ever by that; so these tests are about ours.
"""

import asyncio
import gc
import os
import random
import signal
import socket
import sys
import threading

import pytest

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


class Interrupt(KeyboardInterrupt):
    """Ends the loop also out of a callback, where any other exception would be reported."""


# What comes of asyncio.Runner, and of the start of a thread, that go on after an interrupt.
EXPECTED = [
    "Event loop is closed",
    "cannot access local variable 'loop' where it is not associated with a value",
    "release unlocked lock",
]


async def answer():
    await asyncio.sleep(0)
    return 5


def check_usable(loop):
    """The loop does not run, and can be run unless it is closed; then it is closed for good."""
    assert not loop.is_running()
    assert asyncio._get_running_loop() is None
    assert loop._thread_id is None
    if not loop.is_closed():
        # First what is left over, which may stop the loop too.
        loop.call_soon(loop.stop)
        loop.run_forever()
        assert loop.run_until_complete(answer()) == 5
    loop.close()
    assert loop.is_closed()
    assert loop._default_executor is None
    assert not loop._signal_handlers
    assert loop._wakeup_pair is None


# At each instruction of the library's Python code.


def interrupt(instruction, operation, loop):
    """Raise at an instruction, counted from 0, of all Python code but this module's.

    Return how many more there would have been to come: below zero if it came.
    """
    left, before = instruction, sys.gettrace()

    def trace(frame, event, argument):
        nonlocal left
        if frame.f_code.co_filename == __file__:
            return None
        frame.f_trace_opcodes = True
        if event == "opcode":
            left -= 1
            if left == -1:
                raise Interrupt
        return trace

    sys.settrace(trace)
    try:
        operation(loop)
    except Interrupt:
        pass
    except (RuntimeError, UnboundLocalError) as error:
        assert str(error) in EXPECTED
    finally:
        sys.settrace(before)
    return left


def run_until_complete(loop):
    loop.run_until_complete(answer())


def run_until_complete_future(loop):
    future = asyncio.Future(loop=loop)
    loop.call_soon(future.set_result, 5)
    loop.run_until_complete(future)


def run_forever(loop):
    loop.call_soon(loop.stop)
    loop.run_forever()


def run_in_debug_mode(loop):
    loop.set_debug(True)
    loop.run_until_complete(answer())


def run_with_everything_that_is_closed(loop):
    async def main():
        loop.add_signal_handler(signal.SIGUSR1, print)
        await loop.run_in_executor(None, int)

    loop.run_until_complete(main())
    loop.close()


def close(loop):
    loop.close()


def run(loop):
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(answer())


class Wrapping(greenloop.EventLoop):
    """A loop as derived by programs that do something of their own before and after a run."""

    def _run_forever_setup(self):
        super()._run_forever_setup()
        self.runs = True

    def _run_forever_cleanup(self):
        self.runs = False
        super()._run_forever_cleanup()


@pytest.mark.skipif(
    sys.version_info < (3, 12),
    reason="a run that is traced like this does not end on 3.11, nor does it with asyncio's loop",
)
@pytest.mark.parametrize("loop_class", [greenloop.EventLoop, Wrapping])
@pytest.mark.parametrize(
    "operation",
    [
        run_until_complete,
        run_until_complete_future,
        run_forever,
        run_in_debug_mode,
        run_with_everything_that_is_closed,
        close,
        run,
    ],
)
def test_an_exception_at_any_instruction_leaves_a_usable_loop(operation, loop_class):
    hooks, depth = sys.get_asyncgen_hooks(), sys.get_coroutine_origin_tracking_depth()
    handler = signal.getsignal(signal.SIGINT)
    loop = loop_class()
    count = 10**9 - interrupt(10**9, operation, loop)
    loop.close()
    for instruction in range(0, count, 1 if EACH else max(1, count // 80)):
        loop, ran = loop_class(), []
        for number in range(3):
            loop.call_soon(ran.append, number)
        interrupt(instruction, operation, loop)
        lost_by_closing = loop.is_closed()
        check_usable(loop)
        if ran or not lost_by_closing:
            assert ran == [0, 1, 2], instruction
        assert sys.get_asyncgen_hooks() == hooks
        assert sys.get_coroutine_origin_tracking_depth() == depth
        signal.signal(signal.SIGINT, handler)
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGUSR1, signal.SIG_DFL)


# At each allocation.


# On 3.11 setting a result needs memory, and a run waits for ever for one that was not set.
@pytest.mark.parametrize(
    "operation",
    [run_forever] if sys.version_info < (3, 12) else [run_forever, run_until_complete_future],
)
def test_memory_that_runs_out_at_any_allocation_leaves_a_usable_loop(operation):
    memory = pytest.importorskip("_testcapi")
    hooks = sys.get_asyncgen_hooks()
    failures = 0
    for allocation in range(300):
        loop = greenloop.new_event_loop()
        # To release a lock needs no memory, and a second time is an error.
        locks = [threading.Lock() for _ in range(3)]
        for lock in locks:
            lock.acquire()
            loop.call_soon(lock.release)
        gc.disable()
        memory.set_nomemory(allocation, allocation + 1)
        try:
            operation(loop)
        except MemoryError:
            failures += 1
        finally:
            memory.remove_mem_hooks()
            gc.enable()
        lost_by_closing = loop.is_closed()
        check_usable(loop)
        still_to_run = [lock.locked() for lock in locks]
        assert not any(still_to_run) or (lost_by_closing and all(still_to_run)), allocation
        assert sys.get_asyncgen_hooks() == hooks
    assert failures > 0


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
