"""Threads that hammer call_soon_threadsafe: nothing is lost, and each thread's order is kept."""

import asyncio
import concurrent.futures
import sys
import threading

import pytest

THREADS = 8
CALLS = 5000


@pytest.fixture(autouse=True)
def switch_often():
    """Let threads change places as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def start(functions):
    """Start a thread for each function."""
    threads = [threading.Thread(target=function) for function in functions]
    for thread in threads:
        thread.start()
    return threads


def stop_after(loop, seconds=60):
    """A guard against a loop that nobody wakes."""
    return loop.call_later(seconds, loop.stop)


@pytest.mark.slow
@pytest.mark.parametrize("busy", [False, True], ids=["idle loop", "busy loop"])
@pytest.mark.parametrize("debug", [False, True], ids=["plain", "debug"])
def test_no_call_is_lost_and_each_threads_order_is_kept(loop, busy, debug):
    loop.set_debug(debug)
    loop.slow_callback_duration = 1000
    received = [[] for _ in range(THREADS)]
    total = 0

    def receive(thread, number):
        nonlocal total
        received[thread].append(number)
        total += 1
        if total == THREADS * CALLS:
            loop.stop()

    def send(thread):
        for number in range(CALLS):
            loop.call_soon_threadsafe(receive, thread, number)

    def spin():
        loop.call_soon(spin)

    if busy:
        spin()
    guard = stop_after(loop)
    threads = start([lambda thread=thread: send(thread) for thread in range(THREADS)])
    loop.run_forever()
    guard.cancel()
    for thread in threads:
        thread.join()
    assert received == [list(range(CALLS))] * THREADS


@pytest.mark.slow
def test_calls_between_two_runs_are_not_lost(loop):
    received, finished = [], threading.Event()

    def send():
        for number in range(CALLS):
            loop.call_soon_threadsafe(received.append, number)
        finished.set()

    threads = start([send])
    # A loop that stops and starts all the time: a wake-up may come at any moment between.
    while not finished.is_set():
        loop.call_soon(loop.stop)
        loop.run_forever()
    threads[0].join()
    loop.call_soon(loop.stop)
    loop.run_forever()
    assert received == list(range(CALLS))


@pytest.mark.slow
def test_an_idle_loop_is_woken_each_time(loop):
    """One call at a time, each sent when the loop is about to wait again."""
    received, ready = [], threading.Semaphore(0)

    def receive(number):
        received.append(number)
        ready.release()
        if number == 2000:
            loop.stop()

    def send():
        for number in range(1, 2001):
            loop.call_soon_threadsafe(receive, number)
            ready.acquire()

    guard = stop_after(loop)
    threads = start([send])
    loop.run_forever()
    guard.cancel()
    threads[0].join()
    assert len(received) == 2000


@pytest.mark.slow
def test_handles_cancelled_in_another_thread_run_or_do_not(loop):
    """Cancelling from the thread that scheduled races the loop; neither may break."""
    received = []

    def send():
        for number in range(CALLS):
            handle = loop.call_soon_threadsafe(received.append, number)
            if number % 2:
                handle.cancel()
        loop.call_soon_threadsafe(loop.stop)

    guard = stop_after(loop)
    threads = start([send])
    loop.run_forever()
    guard.cancel()
    threads[0].join()
    assert [number for number in received if number % 2 == 0] == list(range(0, CALLS, 2))
    assert received == sorted(received)


@pytest.mark.slow
def test_calls_that_come_while_the_loop_is_closed_are_refused_or_dropped(loop_factory):
    for _ in range(20):
        loop, refused, running = loop_factory(), [], threading.Event()

        def send(loop=loop, refused=refused, running=running):
            try:
                while True:
                    loop.call_soon_threadsafe(int)
                    running.set()
            except RuntimeError as error:
                refused.append(str(error))

        threads = start([send, send])
        running.wait()
        loop.call_soon(loop.stop)
        loop.run_forever()
        loop.close()
        for thread in threads:
            thread.join()
        assert refused == ["Event loop is closed"] * 2


@pytest.mark.slow
def test_coroutines_sent_from_many_threads_all_give_their_result(loop):
    async def double(number):
        await asyncio.sleep(0)
        return 2 * number

    def send(thread):
        futures = [asyncio.run_coroutine_threadsafe(double(number), loop) for number in range(200)]
        return [future.result(60) for future in futures]

    async def main():
        with concurrent.futures.ThreadPoolExecutor(THREADS) as executor:
            sending = [loop.run_in_executor(executor, send, thread) for thread in range(THREADS)]
            return await asyncio.gather(*sending)

    expected = [2 * number for number in range(200)]
    assert loop.run_until_complete(main()) == [expected] * THREADS


@pytest.mark.slow
def test_a_loop_in_each_thread(loop_factory):
    async def main(number):
        total = 0
        for count in range(300):
            total += await asyncio.get_running_loop().create_task(give(count))
            if count % 50 == 0:
                await asyncio.sleep(0.0001)
        assert asyncio.current_task().get_name() == f"main {number}"
        return total

    async def give(value):
        await asyncio.sleep(0)
        return value

    def run(number):
        loop = loop_factory()
        try:
            task = loop.create_task(main(number), name=f"main {number}")
            results.append(loop.run_until_complete(task))
        finally:
            loop.close()

    results = []
    for thread in start([lambda number=number: run(number) for number in range(THREADS)]):
        thread.join()
    assert results == [sum(range(300))] * THREADS


@pytest.mark.slow
def test_loops_that_call_each_other(loop_factory):
    """A ring of loops, each in its thread, that hand a number round."""
    loops = [loop_factory() for _ in range(4)]
    last = 4000

    def receive(number):
        if number >= last:
            for loop in loops:
                loop.call_soon_threadsafe(loop.stop)
        else:
            following = loops[(number + 1) % len(loops)]
            following.call_soon_threadsafe(receive, number + 1)

    threads = start([loop.run_forever for loop in loops])
    loops[0].call_soon_threadsafe(receive, 0)
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads)
    for loop in loops:
        loop.close()


def test_a_loop_can_run_in_one_thread_after_another(loop):
    async def where():
        await asyncio.sleep(0)
        return threading.get_ident()

    places = []
    for _ in range(5):
        (thread,) = start([lambda: places.append(loop.run_until_complete(where()))])
        thread.join()
    places.append(loop.run_until_complete(where()))
    assert len(places) == 6
    assert places[-1] == threading.get_ident()


def test_a_running_loop_cannot_be_run_in_another_thread(loop):
    async def main():
        errors = []

        def run():
            try:
                loop.run_forever()
            except RuntimeError as error:
                errors.append(str(error))

        (thread,) = start([run])
        thread.join()
        return errors

    assert loop.run_until_complete(main()) == ["This event loop is already running"]


def test_a_loop_can_be_stopped_from_another_thread(loop):
    (thread,) = start([lambda: loop.call_soon_threadsafe(loop.stop)])
    guard = stop_after(loop)
    loop.run_forever()
    guard.cancel()
    thread.join()


@pytest.mark.slow
def test_futures_looked_at_from_another_thread_do_not_break(loop):
    """Reading is not promised to be consistent there, but it must be safe."""
    future_now = [loop.create_future()]
    stop = threading.Event()
    errors = []

    def look():
        try:
            while not stop.is_set():
                future = future_now[0]
                repr(future)
                future.done()
                future.cancelled()
                asyncio.all_tasks(loop)
                asyncio.current_task(loop)
        except Exception as error:
            errors.append(error)

    async def main():
        for _ in range(2000):
            future_now[0] = future = loop.create_future()
            loop.call_soon(future.set_result, None)
            await loop.create_task(wait(future))

    async def wait(future):
        await future

    threads = start([look, look])
    loop.run_until_complete(main())
    stop.set()
    for thread in threads:
        thread.join()
    # asyncio itself gives up when its set of tasks changes too often meanwhile.
    assert [error for error in errors if not isinstance(error, RuntimeError)] == []
