"""A program that runs, stops and closes loops while exceptions are raised or memory runs out.

`python raising_at_instructions.py COUNT` raises at COUNT of the instructions of each operation, or
at each one if it is 0, and lets 300 allocations fail. The answer is one line of JSON for each
operation: its name, how often something was raised, and the traceback of what must not be.

It is a process of its own since the interpreter does not survive unharmed what a trace function
raises between the two instructions that enter and leave the handling of an exception: it believes
that exception to be handled for ever, and names it as the context of all that are raised later.
"""

import asyncio
import concurrent.futures.thread
import gc
import importlib.util
import json
import logging
import queue
import signal
import sys
import threading
import traceback
import warnings

import greenloop

# What comes of an asyncio.Runner that goes on after an interrupt in the middle of its own code.
EXPECTED = [
    "Event loop is closed",
    "cannot access local variable 'loop' where it is not associated with a value",
]
# Where nothing is raised: here, and in what executors and loggers are made of. A lock of theirs
# that is taken and not yet guarded by its `with` would be held for ever, by the whole process.
SPARED = {
    module.__file__
    for module in (sys.modules[__name__], threading, queue, logging, concurrent.futures.thread)
}


class Interrupt(KeyboardInterrupt):
    """Ends the loop also out of a callback, where any other exception would be reported."""


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


def interrupt(instruction, operation, loop):
    """Raise at an instruction, counted from 0, of all Python code but what is spared.

    Return how many more there would have been to come: below zero if it came.
    """
    left, before = instruction, sys.gettrace()

    def trace(frame, event, argument):
        nonlocal left
        if frame.f_code.co_filename in SPARED:
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


OPERATIONS = [
    run_until_complete,
    run_until_complete_future,
    run_forever,
    run_in_debug_mode,
    run_with_everything_that_is_closed,
    close,
    run,
]
# On 3.11 setting a result needs memory, and a run waits for ever for one that was not set.
OPERATIONS_WITHOUT_MEMORY = [run_forever]
if sys.version_info >= (3, 12):
    OPERATIONS_WITHOUT_MEMORY.append(run_until_complete_future)


def raise_at_instructions(operation, loop_class, points):
    """Raise at instructions, each time in another loop; return how often."""
    hooks, depth = sys.get_asyncgen_hooks(), sys.get_coroutine_origin_tracking_depth()
    handler = signal.getsignal(signal.SIGINT)
    count = 0
    # The first time that code is traced in a process, 3.12 tells of none of its instructions.
    for _ in range(2):
        loop = loop_class()
        count = 10**9 - interrupt(10**9, operation, loop)
        loop.close()
    raised = 0
    for instruction in range(0, count, max(1, count // points) if points else 1):
        loop, ran = loop_class(), []
        for number in range(3):
            loop.call_soon(ran.append, number)
        raised += interrupt(instruction, operation, loop) < 0
        lost_by_closing = loop.is_closed()
        check_usable(loop)
        if ran or not lost_by_closing:
            assert ran == [0, 1, 2], instruction
        assert sys.get_asyncgen_hooks() == hooks
        assert sys.get_coroutine_origin_tracking_depth() == depth
        signal.signal(signal.SIGINT, handler)
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGUSR1, signal.SIG_DFL)
    return raised


def run_without_memory(operation, memory):
    """Let one allocation after the other fail; return how many were noticed."""
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
    return failures


def trials(points):
    """What is tried: a name, a function and its arguments."""
    for loop_class in greenloop.EventLoop, Wrapping:
        for operation in OPERATIONS:
            name = f"{loop_class.__name__} {operation.__name__}"
            yield name, raise_at_instructions, (operation, loop_class, points)
    if importlib.util.find_spec("_testcapi") is not None:
        import _testcapi

        for operation in OPERATIONS_WITHOUT_MEMORY:
            name = f"{operation.__name__} without memory"
            yield name, run_without_memory, (operation, _testcapi)


def main():
    warnings.simplefilter("ignore")
    # What is older than the loops is none of the collector's business.
    gc.collect()
    gc.freeze()
    for name, function, arguments in trials(int(sys.argv[1])):
        answer = {"name": name, "raised": 0, "problem": None}
        try:
            answer["raised"] = function(*arguments)
        except BaseException:
            sys.settrace(None)
            answer["problem"] = traceback.format_exc()
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
