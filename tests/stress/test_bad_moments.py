"""Closing, stopping and exiting at bad moments: nothing hangs, crashes or is silent.

What an interpreter says when it exits with a loop in some state is compared with what it says for
asyncio: the exit code, and the kinds of lines on its standard error.
"""

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
import textwrap
import threading

import pytest

ASYNCIO_PROLOGUE = "import asyncio\nnew_event_loop = asyncio.SelectorEventLoop\nrun = asyncio.run\n"
GREENLOOP_PROLOGUE = (
    "import asyncio, greenloop\nnew_event_loop = greenloop.new_event_loop\nrun = greenloop.run\n"
)


def run_program(prologue, body, *options):
    """Run a program in a fresh interpreter; what it says is stripped of places and addresses."""
    environment = os.environ | {"PYTHONFAULTHANDLER": "1"}
    result = subprocess.run(
        [sys.executable, *options, "-c", prologue + textwrap.dedent(body)],
        capture_output=True,
        text=True,
        timeout=60,
        env=environment,
    )
    errors = re.sub(r"0x[0-9a-f]+", "0x", result.stderr)
    # Of tracebacks and long reports the lines that tell what happened.
    lines = [
        re.sub(r"\(most recent call last\)|<.*>|, line \d+.*|Task-\d+", "", line).strip()
        for line in errors.splitlines()
        if line and not line.startswith(" ")
    ]
    # A warning's place is the line of a file of asyncio's or of ours.
    lines = [re.sub(r"^.*:\d+: (?=\w+Warning)", "", line) for line in lines if line]
    return result.returncode, result.stdout, lines


# What a destructor of asyncio's may say that wants to import something when no module is left.
TOO_LATE = "ImportError: sys.meta_path is None, Python is likely shutting down"


PROGRAMS = {
    "nothing happens": "new_event_loop().close()",
    "a loop is left open": "loop = new_event_loop()",
    "a loop is left open that ran": """
        loop = new_event_loop()
        loop.run_until_complete(asyncio.sleep(0))
        """,
    "callbacks are left": """
        loop = new_event_loop()
        loop.call_soon(print, "never")
        loop.call_later(1000, print, "never")
        """,
    "a task is left pending": """
        loop = new_event_loop()
        async def body():
            await loop.create_future()
        task = loop.create_task(body())
        loop.run_until_complete(asyncio.sleep(0))
        """,
    "a task is left pending on a closed loop": """
        loop = new_event_loop()
        async def body():
            await loop.create_future()
        task = loop.create_task(body())
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()
        """,
    "a task never began": """
        loop = new_event_loop()
        async def body():
            pass
        loop.create_task(body())
        loop.close()
        """,
    "a lost exception": """
        loop = new_event_loop()
        loop.create_future().set_exception(ValueError("lost"))
        loop.close()
        """,
    "the first task is made while the interpreter ends": """
        import sys
        async def work():
            return "worked"
        class Last:
            def __init__(self):
                self.loop, self.work, self.print = new_event_loop(), work, print
            def __del__(self):
                task = self.loop.create_task(self.work())
                self.print(self.loop.run_until_complete(task))
                self.loop.close()
        sys.modules["kept for the end"] = Last()
        """,
    "an exception leaves main": """
        async def main():
            raise ValueError("main failed")
        run(main())
        """,
    "exit in main": """
        async def main():
            raise SystemExit(7)
        run(main())
        """,
    "exit in a callback": """
        loop = new_event_loop()
        loop.call_soon(exit, 8)
        loop.run_forever()
        """,
    "exit in a task": """
        import sys
        loop = new_event_loop()
        async def body():
            sys.exit("words")
        loop.create_task(body())
        loop.run_forever()
        """,
    "exit at once in a callback": """
        import os
        loop = new_event_loop()
        loop.call_soon(os._exit, 9)
        loop.run_forever()
        """,
    "ctrl-c in main": """
        import os, signal
        async def main():
            os.kill(os.getpid(), signal.SIGINT)
            await asyncio.sleep(10)
        run(main())
        """,
    "ctrl-c in main that cleans up": """
        import os, signal
        async def main():
            try:
                os.kill(os.getpid(), signal.SIGINT)
                await asyncio.sleep(10)
            finally:
                print("cleaned")
        run(main())
        """,
    "ctrl-c in a bare loop": """
        import os, signal
        loop = new_event_loop()
        loop.call_soon(os.kill, os.getpid(), signal.SIGINT)
        loop.call_later(10, loop.stop)
        loop.run_forever()
        """,
    "terminated while idle": """
        import os, signal
        loop = new_event_loop()
        loop.call_soon(os.kill, os.getpid(), signal.SIGTERM)
        loop.run_forever()
        """,
    "a loop runs in a daemon thread": """
        import threading
        loop = new_event_loop()
        started = threading.Event()
        loop.call_soon(started.set)
        threading.Thread(target=loop.run_forever, daemon=True).start()
        started.wait()
        print("main ends")
        """,
    "a busy loop runs in a daemon thread": """
        import threading
        loop = new_event_loop()
        started = threading.Event()
        def spin():
            loop.call_soon(spin)
        async def body():
            while True:
                await asyncio.sleep(0)
        loop.call_soon(started.set)
        loop.call_soon(spin)
        loop.call_soon(lambda: loop.create_task(body()))
        threading.Thread(target=loop.run_forever, daemon=True).start()
        started.wait()
        print("main ends")
        """,
    "a daemon thread calls while the interpreter exits": """
        import threading
        loop = new_event_loop()
        started = threading.Event()
        def send():
            while True:
                loop.call_soon_threadsafe(int)
                started.set()
        threading.Thread(target=send, daemon=True).start()
        started.wait()
        print("main ends")
        """,
    "a loop runs at exit": """
        import atexit
        loop = new_event_loop()
        atexit.register(lambda: (print(loop.run_until_complete(asyncio.sleep(0, "at exit"))),
                                 loop.close()))
        """,
    "a loop is made by a destructor at the end": """
        class Last:
            def __del__(self):
                loop = self.make()
                print("made", loop.is_closed())
                loop.close()
        last = Last()
        last.make = new_event_loop
        """,
    "an asynchronous generator is left open": """
        async def generate():
            try:
                yield 1
            finally:
                print("closed")
        async def main():
            global generator
            generator = generate()
            await anext(generator)
        run(main())
        """,
    "a task refuses to be cancelled": """
        async def stubborn():
            try:
                await asyncio.sleep(10)
            except asyncio.CancelledError:
                print("refused")
        async def main():
            global task
            task = asyncio.ensure_future(stubborn())
            await asyncio.sleep(0)
        run(main())
        """,
    "a task fails while it is cancelled": """
        async def failing():
            try:
                await asyncio.sleep(10)
            finally:
                raise ValueError("while cancelled")
        async def main():
            asyncio.ensure_future(failing())
            await asyncio.sleep(0)
        run(main())
        """,
    "everything is in the modules": """
        import sys
        loop = new_event_loop()
        sys.loop, sys.future = loop, loop.create_future()
        sys.future.add_done_callback(print)
        async def body():
            await sys.future
        sys.task = loop.create_task(body())
        loop.run_until_complete(asyncio.sleep(0))
        """,
    "run inside run": """
        async def main():
            coroutine = asyncio.sleep(0)
            try:
                run(coroutine)
            except RuntimeError as error:
                print(error)
            coroutine.close()
        run(main())
        """,
    "a signal handler is left": """
        import signal
        loop = new_event_loop()
        loop.add_signal_handler(signal.SIGUSR1, print)
        """,
}

OPTIONS = {"plain": [], "development mode": ["-X", "dev"]}


@pytest.mark.slow
@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS.keys())
@pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS.keys())
def test_an_interpreter_ends_as_with_asyncio(program, options):
    expected_code, expected_output, expected_lines = run_program(
        ASYNCIO_PROLOGUE, program, *options
    )
    code, output, lines = run_program(GREENLOOP_PROLOGUE, program, *options)
    assert (code, output) == (expected_code, expected_output), lines
    # An asyncio that failed like this has said too much or done too little to be an example.
    if TOO_LATE not in expected_lines:
        # Which of two objects that nobody holds goes first is each implementation's own affair.
        assert sorted(lines) == sorted(expected_lines)


def test_closing_with_tasks_that_wait_lets_them_be_destroyed_quietly(loop):
    async def body():
        await loop.create_future()

    tasks = [loop.create_task(body()) for _ in range(10)]
    for task in tasks:
        task._log_destroy_pending = False
    loop.call_soon(loop.stop)
    loop.run_forever()
    loop.close()
    for task in tasks:
        with pytest.raises(RuntimeError, match="Event loop is closed"):
            task.cancel()


def test_closing_with_readers_leaves_their_sockets_alone(loop):
    near, far = socket.socketpair()
    with near, far:
        loop.add_reader(near, print)
        loop.add_writer(near, print)
        loop.close()
        far.send(b"still open")
        assert near.recv(100) == b"still open"


def test_a_socket_closed_behind_the_loops_back_harms_nobody(loop):
    near, far = socket.socketpair()
    loop.add_reader(near, print)
    near.close()
    far.close()
    order = []
    loop.call_later(0.001, lambda: (order.append("alive"), loop.stop()))
    loop.run_forever()
    assert order == ["alive"]


def test_a_loop_can_be_closed_after_an_exception_left_it(loop):
    def leave():
        raise KeyboardInterrupt

    loop.call_soon(leave)
    loop.call_soon(print, "never")
    with pytest.raises(KeyboardInterrupt):
        loop.run_forever()
    loop.close()
    assert loop.is_closed()


def test_a_loop_can_be_closed_while_its_executor_works(loop):
    gate, order = threading.Event(), []
    future = loop.run_in_executor(None, lambda: (gate.wait(), order.append("worked")))
    executor = loop._default_executor
    loop.close()
    gate.set()
    executor.shutdown()
    # The result finds no loop to be told to; the work itself was done.
    assert order == ["worked"]
    assert not future.done()


def test_a_signal_for_a_closed_loop_goes_to_the_default(loop):
    received = []
    before = signal.signal(signal.SIGUSR1, lambda *_: received.append("mine"))
    try:
        loop.add_signal_handler(signal.SIGUSR1, received.append, "the loop's")
        loop.close()
        signal.signal(signal.SIGUSR1, lambda *_: received.append("mine"))
        os.kill(os.getpid(), signal.SIGUSR1)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert received == ["mine"]


def test_many_stops_and_starts(loop):
    async def body():
        for _ in range(1000):
            await asyncio.sleep(0)
        return "end"

    task = loop.create_task(body())
    runs = 0
    while not task.done():
        loop.call_soon(loop.stop)
        loop.run_forever()
        runs += 1
    assert task.result() == "end"
    assert runs == 1001


def test_a_stop_in_the_last_step_of_main_leaves_its_end_for_the_next_run(loop):
    """The run ends by the stop, so what main's end has scheduled, another stop, is yet to come."""

    async def main():
        loop.stop()
        return 3

    assert loop.run_until_complete(main()) == 3
    order = []
    loop.call_soon(lambda: loop.call_soon(order.append, "second turn"))
    loop.run_forever()
    assert order == []
    loop.call_soon(loop.stop)
    loop.run_forever()
    assert order == ["second turn"]
