"""The virtual clock: it jumps when nothing can run, and never over what is under way."""

import asyncio
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

import greenloop
import greenloop.testing
import greenloop.testing.outside
from greenloop.testing import run


def test_a_sleep_takes_no_time_and_the_clock_shows_it():
    async def main():
        loop = asyncio.get_running_loop()
        began = loop.time()
        await asyncio.sleep(3600)
        return began, loop.time()

    began = time.perf_counter()
    assert run(main) == (0.0, 3600.0)
    assert time.perf_counter() - began < 10


def test_timers_fire_in_the_order_of_their_deadlines_at_their_times():
    async def main():
        loop = asyncio.get_running_loop()
        seen = []
        for delay in (3, 1, 2.5):
            loop.call_later(delay, lambda: seen.append(loop.time()))
        await asyncio.sleep(10)
        return seen

    assert run(main) == [1.0, 2.5, 3.0]


def test_timeouts_end_at_their_time():
    async def main():
        loop = asyncio.get_running_loop()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(60):
                await loop.create_future()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(loop.create_future(), 30)
        return loop.time()

    assert run(main) == 90.0


def test_a_real_clock_goes_on_by_itself():
    async def main():
        began = time.monotonic()
        await asyncio.sleep(0.05)
        return time.monotonic() - began

    assert run(main, clock="real") >= 0.05
    assert run(main, clock="real", seed=3, orders="hostile") >= 0.05


def test_a_deadlock_is_an_error_that_names_who_waits_for_what():
    async def main():
        lock = asyncio.Lock()
        await lock.acquire()
        await lock.acquire()

    with pytest.raises(greenloop.Deadlock, match="waits for lock") as caught:
        run(main)
    assert "test_clock.py" in str(caught.value)


def test_a_run_without_an_end_is_an_error():
    async def main():
        while True:
            await asyncio.sleep(0)

    with pytest.raises(greenloop.testing.EndlessRun, match="main"):
        run(main, most_steps=10_000)


def test_a_job_of_an_executor_is_waited_for_however_long_it_takes():
    async def main():
        loop = asyncio.get_running_loop()
        job = loop.run_in_executor(None, time.sleep, 0.3)
        with pytest.raises(TimeoutError):
            # The clock jumps only after the job, whose result is there by then.
            async with asyncio.timeout(0.2):
                await loop.create_future()
        assert await asyncio.wait_for(job, 1) is None
        return loop.time()

    assert run(main) == 0.2


def test_a_thread_that_calls_the_loop_is_waited_for():
    async def main():
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        thread = threading.Timer(0.02, loop.call_soon_threadsafe, (future.set_result, "called"))
        thread.start()
        result = await asyncio.wait_for(future, 3600)
        thread.join()
        return result

    assert run(main) == "called"


@pytest.mark.parametrize("kind", ["executor", "thread"])
def test_time_passes_for_a_thread_that_waits_for_the_loop(kind):
    async def main():
        loop = asyncio.get_running_loop()

        def wait():
            sleep = asyncio.run_coroutine_threadsafe(asyncio.sleep(3600, "slept"), loop)
            return sleep.result()

        if kind == "executor":
            return await loop.run_in_executor(None, wait), loop.time()
        result = loop.create_future()
        thread = threading.Thread(
            target=lambda: loop.call_soon_threadsafe(result.set_result, wait())
        )
        thread.start()
        return await result, loop.time()

    assert run(main) == ("slept", 3600.0)


def test_a_thread_of_a_pool_of_the_programs_own_is_waited_for():
    async def main():
        loop = asyncio.get_running_loop()
        future = loop.create_future()

        def call():
            time.sleep(0.05)
            loop.call_soon_threadsafe(future.set_result, "called")

        with ThreadPoolExecutor(1) as pool:
            pool.submit(call)
            return await future

    assert run(main) == "called"


def test_a_deadlock_is_seen_though_threads_wait():
    async def main():
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, int)
        await loop.create_future()

    with pytest.raises(greenloop.Deadlock):
        run(main)


def test_time_passes_for_a_job_that_waits_for_what_a_timer_does():
    async def main():
        loop = asyncio.get_running_loop()
        event = threading.Event()
        job = loop.run_in_executor(None, event.wait)
        await asyncio.sleep(60)
        event.set()
        return await job, loop.time()

    assert run(main) == (True, 60.0)


def test_a_thread_that_waits_for_others_costs_no_time():
    async def main():
        event = threading.Event()
        thread = threading.Thread(target=event.wait)
        thread.start()
        for _ in range(100):
            await asyncio.sleep(60)
        event.set()
        thread.join()
        return asyncio.get_running_loop().time()

    began = time.perf_counter()
    assert run(main) == 6000.0
    assert time.perf_counter() - began < 5


def test_a_thread_that_calls_the_loop_while_it_asks_is_no_deadlock(monkeypatch):
    asked = []

    async def main():
        loop = asyncio.get_running_loop()
        future = loop.create_future()

        def patience(jobs, descriptors):
            if not asked:
                call = (loop.call_soon_threadsafe, future.set_result, "called")
                thread = threading.Thread(target=call[0], args=call[1:])
                thread.start()
                thread.join()
            asked.append(jobs)
            return 0.0

        event = threading.Event()
        other = threading.Thread(target=event.wait)
        other.start()
        ask.append(patience)
        try:
            return await future
        finally:
            event.set()
            other.join()

    ask = []
    monkeypatch.setattr(
        greenloop.testing.outside, "patience", lambda *arguments: ask[0](*arguments)
    )
    assert run(main) == "called"
    assert asked


def test_a_child_process_is_waited_for():
    async def main():
        program = "import time; time.sleep(0.3); print('done')"
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-c", program, stdout=subprocess.PIPE
        )
        output, _ = await asyncio.wait_for(child.communicate(), 3600)
        return output, asyncio.get_running_loop().time()

    assert run(main) == (b"done\n", 0.0)


@pytest.mark.parametrize("kind", ["tcp", "unix"])
def test_the_clock_never_jumps_over_bytes_of_a_connection_of_the_program(kind, tmp_path):
    path = str(tmp_path / "socket")

    async def serve(reader, writer):
        while line := await reader.readline():
            writer.write(line.upper())
            await writer.drain()
        writer.close()

    async def main():
        loop = asyncio.get_running_loop()
        if kind == "tcp":
            server = await asyncio.start_server(serve, "127.0.0.1", 0)
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        else:
            server = await asyncio.start_unix_server(serve, path)
            reader, writer = await asyncio.open_unix_connection(path)
        for number in range(50):
            writer.write(b"line %d\n" % number)
            assert await asyncio.wait_for(reader.readline(), 1) == b"LINE %d\n" % number
            assert loop.time() == number
            await asyncio.sleep(1)
        writer.close()
        await writer.wait_closed()
        server.close()
        return loop.time()

    assert run(main) == 50.0


def test_an_answer_of_another_process_is_waited_for_a_moment():
    program = (
        "import socket, time; server = socket.create_server(('127.0.0.1', 0)); "
        "print(server.getsockname()[1], flush=True); peer, _ = server.accept(); "
        "time.sleep(0.05); peer.sendall(b'x'); peer.recv(1)"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as child:
        port = int(child.stdout.readline())

        async def main():
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            assert await asyncio.wait_for(reader.read(1), 1) == b"x"
            # Nothing more comes, so that the clock jumps in the end.
            await asyncio.sleep(3600)
            writer.close()
            return asyncio.get_running_loop().time()

        assert run(main) == 3600.0


def test_a_replaced_clock_is_not_asked(monkeypatch):
    monkeypatch.setattr(time, "monotonic", lambda: 1e6)

    async def main():
        await asyncio.sleep(5)
        return asyncio.get_running_loop().time()

    assert run(main) == 5.0


def test_a_real_clock_may_be_that_of_a_subclass():
    class Ahead(greenloop.EventLoop):
        def time(self):
            return super().time() + 1000

    loop = Ahead()
    try:
        greenloop.testing.simulate(loop, greenloop.testing.Schedule.asyncios(clock="real"))
        began = time.perf_counter()
        loop.run_until_complete(asyncio.sleep(0.05))
        assert 0.04 < time.perf_counter() - began < 10
    finally:
        loop.close()
