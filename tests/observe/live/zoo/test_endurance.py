"""A watch outlives bad clients, blocked loops and forks, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import multiprocessing
import os
import re
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import hangs
import pytest

import greenloop
from greenloop.watching import place

PATIENCE = 30
"""Seconds."""

pytestmark = pytest.mark.slow


def connected(pid):
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(PATIENCE)
    client.connect(place.socket_path(pid))
    return client


def ask(pid, **request):
    """What a watched process answers."""
    with connected(pid) as client:
        client.sendall(json.dumps(request).encode() + b"\n")
        answer = b"".join(iter(lambda: client.recv(65536), b""))
    return json.loads(answer)


@contextlib.contextmanager
def running(program, *arguments, **environment):
    """Run a program until it has written a line, and kill it in the end."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    command = [sys.executable, "-c", textwrap.dedent(program), *map(str, arguments)]
    variables = {**os.environ, "GREENLOOP_WATCH": "1", **environment}
    with subprocess.Popen(command, env=variables, **pipes) as process:
        try:
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.kill()


NATIVE = """
    import asyncio, re, sys, greenloop
    async def other():
        await asyncio.sleep(3600)
    async def main():
        task = asyncio.create_task(other(), name="other")
        await asyncio.sleep(0.1)
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        print("blocked", flush=True)
        while True:
            re.match("(a*)*b", "a" * 30)
    greenloop.run(main())
"""


def test_the_last_report_is_sent_while_native_code_keeps_the_interpreters_lock(runtime_folder):
    with running(NATIVE) as process:
        assert ask(process.pid, want="report")["stale"] is None
        process.stdin.write("\n")
        process.stdin.flush()
        assert process.stdout.readline() == "blocked\n"
        time.sleep(0.5)
        report = ask(process.pid, want="report")
        assert report["stale"]["because"] == "native code keeps the interpreter's lock"
        assert 0 < report["stale"]["age"] < PATIENCE
        assert "other" in [task["name"] for task in report["tasks"]]
        stalls = ask(process.pid, want="stalls")["stalls"]
        assert stalls[-1]["over"] is False
        # Without a client before there is no report.
    with running(NATIVE) as process:
        process.stdin.write("\n")
        process.stdin.flush()
        process.stdout.readline()
        time.sleep(0.5)
        assert "there is no earlier report" in ask(process.pid, want="report")["error"]


DEADLOCKED = """
    import sys
    sys.path.insert(0, sys.argv[1])
    import asyncio, greenloop, hangs
    async def main():
        asyncio.get_running_loop().call_later(0.05, lambda: print("ready", flush=True))
        await hangs.HANGS[sys.argv[2]].function()
    greenloop.run(main())
"""


def test_a_deadlocked_process_answers_and_says_so(runtime_folder):
    folder = str(Path(hangs.__file__).parent)
    with running(DEADLOCKED, folder, "crossed_locks") as process:
        end = time.monotonic() + PATIENCE
        while not (deadlocks := ask(process.pid, want="report")["deadlocks"]):
            assert time.monotonic() < end
        assert {party["name"] for party in deadlocks[0]["parties"]} == {"alice", "bob"}
        for command, said in [("ps", "alice"), ("tree", "wait for each other")]:
            arguments = [sys.executable, "-m", "greenloop", command, str(process.pid)]
            shown = subprocess.run(arguments, capture_output=True, text=True, timeout=PATIENCE)
            assert said in shown.stdout


def test_bad_clients_cost_the_program_nothing(runtime_folder):
    rounds = []

    async def work():
        while True:
            await asyncio.sleep(0.005)
            rounds.append(time.monotonic())

    def disturb(loop, problems):
        try:
            pid = os.getpid()
            silent = [connected(pid) for _ in range(6)]
            slow = [connected(pid) for _ in range(4)]
            for client in slow:
                client.sendall(b'{"want": ')
            garbage = [
                b"\n",
                b"\xff" * 100 + b"\n",
                b"[1]\n",
                b"[" * 50_000 + b"\n",
                b"x" * 200_000,
            ]
            garbage += [b'{"want": "trace", "seconds": -1, "form": "html"}\n', b'{"want": {}}\n']
            for line in garbage:
                with connected(pid) as client, contextlib.suppress(OSError):
                    client.sendall(line)
                    client.shutdown(socket.SHUT_WR)
                    answer = b"".join(iter(lambda client=client: client.recv(65536), b""))
                    if answer and "error" not in json.loads(answer):
                        problems.append((line[:20], answer[:80]))
            # One does not read its answer.
            lazy = connected(pid)
            lazy.sendall(b'{"want": "report"}\n')
            many = [socket.socket(socket.AF_UNIX) for _ in range(100)]
            for client in many:
                with contextlib.suppress(OSError):
                    client.settimeout(5)
                    client.connect(place.socket_path(pid))
                    client.sendall(b'{"want": "report"}\n')
            answers = []
            for client in many:
                with contextlib.suppress(OSError):
                    answers.append(b"".join(iter(lambda client=client: client.recv(65536), b"")))
            before, end = len(rounds), time.monotonic() + PATIENCE
            while len(rounds) < before + 2 and time.monotonic() < end:
                time.sleep(0.005)
            if len(rounds) < before + 2:
                problems.append("the loop stands still beside clients that are silent")
            for client in [*silent, *slow, lazy, *many]:
                client.close()
            # Some are turned away, and some are served.
            if not any(b'"tasks"' in answer for answer in answers):
                problems.append(("nobody was served", answers[:3]))
            end = time.monotonic() + PATIENCE
            while True:
                with contextlib.suppress(OSError, ValueError):
                    if ask(pid, want="report")["tasks"]:
                        break
                if time.monotonic() > end:
                    problems.append("nobody is served any more")
                    break
                time.sleep(0.05)
        except Exception as error:  # It is shown by the test.
            problems.append(error)
        finally:
            loop.call_soon_threadsafe(loop.stop)

    problems = []
    loop = greenloop.new_event_loop()
    with greenloop.watch(60):
        thread = threading.Thread(target=disturb, args=(loop, problems))
        task = loop.create_task(work())
        loop.call_soon(thread.start)
        loop.run_forever()
        thread.join()
        task.cancel()
        loop.call_soon(loop.stop)
        loop.run_forever()
    loop.close()
    assert problems == []


CHILDREN = """
    import asyncio, json, multiprocessing, os, sys, time
    import greenloop
    from greenloop.watching import place, session

    async def child():
        await asyncio.sleep(0.05)
        watch = session.current()
        path = place.socket_path(os.getpid())
        return watch is not None and os.path.exists(path) and bool(watch.report()["tasks"])

    def work(queue):
        queue.put(greenloop.run(child()))

    async def main():
        await asyncio.sleep(0.05)

    if __name__ == "__main__":
        greenloop.run(main())
        assert session.current() is not None
        for method in sys.argv[1:]:
            context = multiprocessing.get_context(method)
            queue = context.SimpleQueue()
            process = context.Process(target=work, args=(queue,))
            process.start()
            print(method, queue.get(), flush=True)
            process.join()
            print(method, "ended with", process.exitcode, flush=True)
        if (pid := os.fork()) == 0:
            seen = greenloop.run(child())
            print("os.fork", seen, flush=True)
            sys.exit(0)
        os.waitpid(pid, 0)
        if (pid := os.fork()) == 0:
            os._exit(0)
        os.waitpid(pid, 0)
        assert session.current().report()["pid"] == os.getpid()
        print(sorted(os.listdir(os.path.dirname(place.socket_path(1)))) == [f"{os.getpid()}.sock"])
"""


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_children_are_watched_and_leave_no_socket_behind(runtime_folder, tmp_path):
    program = tmp_path / "program.py"
    program.write_text(textwrap.dedent(CHILDREN))
    methods = [
        each for each in ("fork", "spawn") if each in multiprocessing.get_all_start_methods()
    ]
    run = subprocess.run(
        [sys.executable, program, *methods],
        env={**os.environ, "GREENLOOP_WATCH": "1"},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    expected = [line for each in methods for line in (f"{each} True", f"{each} ended with 0")]
    assert run.stdout.splitlines() == [*expected, "os.fork True", "True"], run.stderr
    assert run.returncode == 0
    assert list(runtime_folder.rglob("*.sock")) == []


def test_the_child_of_a_fork_does_not_keep_the_parents_socket(runtime_folder):
    program = """
        import asyncio, os, sys, time, greenloop
        async def main():
            await asyncio.sleep(0.05)
        greenloop.run(main())
        if os.fork() == 0:
            print("ready", flush=True)
            time.sleep(3600)
        os.wait()
    """
    with running(program) as process:
        child = int(Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text())
        try:
            process.kill()
            process.wait()
            with pytest.raises(ConnectionRefusedError):
                connected(process.pid)
        finally:
            os.kill(child, signal.SIGKILL)


EXITS = {
    "return": ("pass", 0),
    "sys.exit": ("sys.exit(3)", 3),
    "exception": ("1 / 0", 1),
    "os._exit": ("os._exit(4)", 4),
    "sigterm": ("os.kill(os.getpid(), signal.SIGTERM)", -signal.SIGTERM),
    "abandoned": ("later.append(keep)", 0),
    "thread": ("threading.Thread(target=time.sleep, args=(0.1,)).start()", 0),
    "daemon": (
        "threading.Thread(target=asyncio.run, args=(asyncio.sleep(9),), daemon=True).start()",
        0,
    ),
}
"""What a watched program may do in the end, and how it then ends."""

EXIT = """
    import asyncio, os, signal, sys, threading, time
    import greenloop
    tasks, later = [], []
    def keep(coroutine):
        loop = greenloop.new_event_loop()
        tasks.append(loop.create_task(coroutine))
        loop.call_later(0.01, loop.stop)
        loop.run_forever()
    async def main():
        await asyncio.sleep(float(sys.argv[1]))
        {}
    watch = greenloop.watch(on_deadlock=lambda _: None)
    greenloop.run(main())
    for each in later:
        each(asyncio.Event().wait())
"""


@pytest.mark.parametrize("way", EXITS)
def test_a_watched_program_ends_as_it_would(runtime_folder, way):
    statement, expected = EXITS[way]
    code = textwrap.dedent(EXIT).format(statement)
    command = [sys.executable, "-c", code, "0.02"]
    run = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    assert run.returncode == expected, run.stderr
    assert not re.search("Fatal|panicked|greenloop-watch", run.stderr)
    left = list(runtime_folder.rglob("*.sock"))
    assert bool(left) == (way in ("os._exit", "sigterm"))


def figures_of_process():
    gc.collect()
    descriptors, threads = (len(os.listdir(f"/proc/self/{name}")) for name in ("fd", "task"))
    resident = int(Path("/proc/self/statm").read_text().split()[1]) * 4
    return descriptors, threads, resident


def test_a_thousand_watches_leave_nothing_behind(runtime_folder):
    async def program():
        await asyncio.sleep(0)

    def some(count):
        for number in range(count):
            with greenloop.watch() as watch:
                if number % 100 == 0:
                    greenloop.run(program())
                    watch.report()

    some(100)
    before = figures_of_process()
    some(1000)
    after = figures_of_process()
    assert after[:2] == before[:2]
    # KiB: one that was kept would be more than a page.
    assert after[2] - before[2] < 2_000
