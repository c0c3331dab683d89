"""ThreadQueue: tasks and threads put and get, in one line; nothing is lost, whoever gives up."""

import asyncio
import concurrent.futures
import gc
import queue as thread_queues
import signal
import sys
import threading
import time

import pytest

from greenloop import ThreadQueue

# A hang is a failure soon.
SOON = 30


@pytest.fixture
def threads():
    """Runs functions in threads, which have ended when the test has."""
    with concurrent.futures.ThreadPoolExecutor(16) as executor:
        yield executor


def run(loop, main):
    return loop.run_until_complete(asyncio.wait_for(main, SOON))


def until(condition):
    """Wait for what another thread is about to do."""
    deadline = time.monotonic() + SOON
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0)


async def waiting(line, count):
    """Let others run until so many wait in a line."""
    while len(line) < count:
        await asyncio.sleep(0)


def nobody_is_left_over(queue):
    assert not queue._getters
    assert not queue._putters
    assert not queue._joiners
    assert queue._promised_items == 0
    assert queue._promised_room == 0


# Tasks alone.


def test_tasks_use_it_as_they_use_asyncios(loop):
    async def main():
        queue = ThreadQueue(2)
        await queue.put(1)
        queue.put_nowait(2)
        assert queue.full()
        with pytest.raises(asyncio.QueueFull):
            queue.put_nowait(3)
        putter = asyncio.ensure_future(queue.put(3))
        await asyncio.sleep(0)
        assert [await queue.get(), queue.get_nowait(), await queue.get()] == [1, 2, 3]
        await putter
        with pytest.raises(asyncio.QueueEmpty):
            queue.get_nowait()
        joiner = asyncio.ensure_future(queue.join())
        for _ in range(3):
            assert not joiner.done()
            queue.task_done()
            await asyncio.sleep(0)
        await joiner
        await queue.join()
        with pytest.raises(ValueError, match=r"task_done\(\) called too many times"):
            queue.task_done()
        nobody_is_left_over(queue)

    run(loop, main())


def test_an_unblocked_put_and_get_take_no_turn(loop):
    async def main():
        queue, order = ThreadQueue(), []
        loop.call_soon(order.append, "turn")
        await queue.put(1)
        order.append(await queue.get())
        assert order == [1]

    run(loop, main())


def test_what_is_promised_cannot_be_taken_by_others(loop):
    async def main():
        queue = ThreadQueue(1)
        getter = asyncio.ensure_future(queue.get())
        await asyncio.sleep(0)
        queue.put_nowait(1)
        assert queue.qsize() == 1
        assert queue.empty()
        assert queue.full()
        with pytest.raises(asyncio.QueueEmpty):
            queue.get_nowait()
        assert await getter == 1
        queue.put_nowait(2)
        putter = asyncio.ensure_future(queue.put(3))
        await asyncio.sleep(0)
        assert queue.get_nowait() == 2
        with pytest.raises(asyncio.QueueFull):
            queue.put_nowait(4)
        await putter
        assert queue.get_nowait() == 3
        nobody_is_left_over(queue)

    run(loop, main())


@pytest.mark.parametrize("promised", [False, True])
def test_a_cancelled_getter_gives_its_promise_to_the_next(loop, promised):
    async def main():
        queue = ThreadQueue()
        first = asyncio.ensure_future(queue.get())
        second = asyncio.ensure_future(queue.get())
        await asyncio.sleep(0)
        if promised:
            queue.put_nowait(1)
            first.cancel()
        else:
            first.cancel()
            queue.put_nowait(1)
        assert await second == 1
        assert first.cancelled()
        nobody_is_left_over(queue)

    run(loop, main())


@pytest.mark.parametrize("promised", [False, True])
def test_a_cancelled_putter_gives_its_promise_to_the_next(loop, promised):
    async def main():
        queue = ThreadQueue(1)
        queue.put_nowait(0)
        first = asyncio.ensure_future(queue.put(1))
        second = asyncio.ensure_future(queue.put(2))
        await asyncio.sleep(0)
        if promised:
            queue.get_nowait()
            first.cancel()
        else:
            first.cancel()
            queue.get_nowait()
        await second
        assert queue.get_nowait() == 2
        nobody_is_left_over(queue)

    run(loop, main())


def test_the_only_getter_that_gives_up_leaves_the_item(loop):
    async def main():
        queue = ThreadQueue()
        getter = asyncio.ensure_future(queue.get())
        await asyncio.sleep(0)
        queue.put_nowait(1)
        getter.cancel()
        await asyncio.wait([getter])
        assert queue.get_nowait() == 1
        nobody_is_left_over(queue)

    run(loop, main())


def test_it_is_bound_to_the_first_loop_that_awaits_it(loop):
    queue = ThreadQueue()
    run(loop, queue.put(1))
    other = asyncio.SelectorEventLoop()
    try:
        for method in (lambda: queue.put(2), queue.get, queue.join):
            with pytest.raises(RuntimeError, match="is bound to a different event loop"):
                other.run_until_complete(method())
    finally:
        other.close()
    assert queue.get_nowait() == 1


# Threads alone.


def test_threads_use_it_as_they_use_queue_queue(threads):
    queue = ThreadQueue(1)
    getter = threads.submit(queue.sync_get)
    until(lambda: queue._getters)
    queue.sync_put("to the waiter")
    assert getter.result(SOON) == "to the waiter"
    queue.sync_put(1)
    putter = threads.submit(queue.sync_put, 2)
    joiner = threads.submit(queue.sync_join)
    until(lambda: queue._putters and queue._joiners)
    assert queue.sync_get() == 1
    putter.result(SOON)
    assert queue.sync_get() == 2
    for _ in range(3):
        assert not joiner.done()
        queue.task_done()
    joiner.result(SOON)
    queue.sync_join()
    nobody_is_left_over(queue)


@pytest.mark.parametrize("timeout", [0, 0.001])
def test_a_timeout_raises_what_threads_and_tasks_know(timeout):
    queue = ThreadQueue(1)
    for exception in (thread_queues.Empty, asyncio.QueueEmpty, ThreadQueue.Empty):
        with pytest.raises(exception):
            queue.sync_get(timeout)
    queue.put_nowait(1)
    for exception in (thread_queues.Full, asyncio.QueueFull, ThreadQueue.Full):
        with pytest.raises(exception):
            queue.sync_put(2, timeout)
    with pytest.raises(TimeoutError):
        queue.sync_join(timeout)
    nobody_is_left_over(queue)
    assert queue.sync_get(timeout) == 1


@pytest.mark.parametrize("timeout", [-1, float("nan")])
def test_a_timeout_that_is_none_is_refused(timeout):
    queue = ThreadQueue()
    for call in (queue.sync_get, queue.sync_join, lambda timeout: queue.sync_put(1, timeout)):
        with pytest.raises(ValueError, match="'timeout' must be a non-negative number"):
            call(timeout)


def test_a_timeout_of_a_thousand_years_is_fine(threads):
    queue = ThreadQueue()
    getter = threads.submit(queue.sync_get, 1000 * 365 * 86400)
    until(lambda: queue._getters)
    queue.put_nowait(1)
    assert getter.result(SOON) == 1


def test_blocking_in_a_thread_that_runs_a_loop_is_refused(loop):
    async def main():
        queue = ThreadQueue()
        for call in (queue.sync_get, queue.sync_join, lambda: queue.sync_put(1)):
            with pytest.raises(RuntimeError, match="would block this thread's event loop"):
                call()

    run(loop, main())


class Interruption(Exception):
    """Raised by a signal handler."""


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="needs signals for threads")
@pytest.mark.parametrize("method", ["sync_get", "sync_put", "sync_join"])
def test_a_thread_that_a_signal_handler_interrupts_leaves_the_line(threads, method):
    queue = ThreadQueue(1)
    if method != "sync_get":
        queue.put_nowait(0)
    line = {"sync_get": queue._getters, "sync_put": queue._putters, "sync_join": queue._joiners}

    def interrupt(number, frame):
        raise Interruption

    def send():
        until(lambda: line[method])
        # One that comes before the thread sleeps in the lock does not wake it, so there is another.
        while line[method]:
            signal.pthread_kill(threading.main_thread().ident, signal.SIGUSR1)
            time.sleep(0.2)

    before = signal.signal(signal.SIGUSR1, interrupt)
    try:
        sender = threads.submit(send)
        with pytest.raises(Interruption):
            getattr(queue, method)(*[1] * (method == "sync_put"))
        sender.result(SOON)
    finally:
        signal.signal(signal.SIGUSR1, before)
    nobody_is_left_over(queue)


# Tasks and threads.


def test_tasks_and_threads_wait_in_one_line(loop, threads):
    async def main():
        queue = ThreadQueue()
        getters = []
        for number in range(6):
            if number % 2:
                getters.append(asyncio.ensure_future(queue.get()))
            else:
                getters.append(asyncio.wrap_future(threads.submit(queue.sync_get)))
            await waiting(queue._getters, number + 1)
        for item in range(6):
            queue.put_nowait(item)
        assert sorted(await asyncio.gather(*getters)) == [*range(6)]

        queue = ThreadQueue(1)
        queue.put_nowait("first")
        putters = []
        for number in range(6):
            if number % 2:
                putters.append(asyncio.ensure_future(queue.put(number)))
            else:
                putters.append(asyncio.wrap_future(threads.submit(queue.sync_put, number)))
            await waiting(queue._putters, number + 1)
        assert await queue.get() == "first"
        assert [await queue.get() for _ in range(6)] == [*range(6)]
        await asyncio.gather(*putters)
        nobody_is_left_over(queue)

    run(loop, main())


def test_a_thread_wakes_a_loop_that_sleeps(loop, threads):
    async def main():
        queue = ThreadQueue()
        getter = asyncio.ensure_future(queue.get())
        await waiting(queue._getters, 1)
        # Nothing is ready from here on, so that the loop waits in its poller.
        threads.submit(queue.sync_put, 1)
        assert await getter == 1
        joiner = asyncio.ensure_future(queue.join())
        await waiting(queue._joiners, 1)
        threads.submit(queue.task_done)
        await joiner

    run(loop, main())


# Shutting down.


@pytest.mark.parametrize("immediate", [False, True])
def test_shutting_down_wakes_all_waiters(loop, threads, immediate):
    async def main():
        queue = ThreadQueue(1)
        getters = [
            asyncio.ensure_future(queue.get()),
            asyncio.wrap_future(threads.submit(queue.sync_get)),
        ]
        await waiting(queue._getters, 2)
        queue.shutdown(immediate)
        results = await asyncio.gather(*getters, return_exceptions=True)
        assert [type(result) for result in results] == [ThreadQueue.ShutDown] * 2

        queue = ThreadQueue(1)
        queue.put_nowait(0)
        putters = [
            asyncio.ensure_future(queue.put(1)),
            asyncio.wrap_future(threads.submit(queue.sync_put, 2)),
        ]
        joiner = asyncio.wrap_future(threads.submit(queue.sync_join))
        await waiting(queue._putters, 2)
        await waiting(queue._joiners, 1)
        threads.submit(queue.shutdown, immediate).result(SOON)
        results = await asyncio.gather(*putters, return_exceptions=True)
        assert [type(result) for result in results] == [ThreadQueue.ShutDown] * 2
        if not immediate:
            assert await queue.get() == 0
            queue.task_done()
        await joiner
        for use in (queue.get_nowait, lambda: queue.put_nowait(1)):
            with pytest.raises(ThreadQueue.ShutDown):
                use()
        for use in (queue.get, lambda: queue.put(1)):
            with pytest.raises(ThreadQueue.ShutDown):
                await use()
        nobody_is_left_over(queue)
        assert repr(queue).endswith("maxsize=1 qsize=0 shutdown>")

    run(loop, main())


def test_an_item_that_was_promised_is_still_taken_after_a_shutdown(loop):
    async def main():
        queue = ThreadQueue()
        getters = [asyncio.ensure_future(queue.get()) for _ in range(2)]
        await asyncio.sleep(0)
        queue.put_nowait(1)
        queue.shutdown()
        assert await getters[0] == 1
        with pytest.raises(ThreadQueue.ShutDown):
            await getters[1]
        nobody_is_left_over(queue)

    run(loop, main())


def test_a_promise_does_not_outlive_an_immediate_shutdown(loop):
    async def main():
        queue = ThreadQueue()
        getter = asyncio.ensure_future(queue.get())
        await asyncio.sleep(0)
        queue.put_nowait(1)
        queue.shutdown(immediate=True)
        with pytest.raises(ThreadQueue.ShutDown):
            await getter
        await queue.join()
        nobody_is_left_over(queue)

    run(loop, main())


@pytest.mark.skipif(sys.version_info < (3, 13), reason="the exceptions are new in 3.13")
def test_the_exception_after_a_shutdown_is_known_to_tasks_and_threads():
    assert issubclass(ThreadQueue.ShutDown, asyncio.QueueShutDown)
    assert issubclass(ThreadQueue.ShutDown, thread_queues.ShutDown)


# The end of the loop.


def test_threads_go_on_without_the_loop(loop_factory, threads):
    queue = ThreadQueue()
    loop = loop_factory()
    run(loop, queue.put(1))
    loop.close()
    assert queue.sync_get() == 1
    getter = threads.submit(queue.sync_get)
    until(lambda: queue._getters)
    queue.sync_put(2)
    assert getter.result(SOON) == 2
    getter = threads.submit(queue.sync_get)
    until(lambda: queue._getters)
    queue.shutdown()
    with pytest.raises(ThreadQueue.ShutDown):
        getter.result(SOON)


def test_tasks_that_a_closed_loop_left_behind_get_no_promise(loop_factory):
    queue = ThreadQueue(1)
    loop = loop_factory()
    left = [loop.create_task(queue.get()), loop.create_task(queue.get())]
    for task in left:
        task._log_destroy_pending = False
    loop.run_until_complete(asyncio.sleep(0))
    assert len(queue._getters) == 2
    loop.close()
    queue.sync_put(1)
    assert queue.sync_get(SOON) == 1
    del left, task
    gc.collect()
    nobody_is_left_over(queue)


def test_a_promise_to_a_task_of_a_closed_loop_comes_back(loop_factory):
    queue = ThreadQueue()
    loop = loop_factory()
    left = loop.create_task(queue.get())
    left._log_destroy_pending = False
    loop.run_until_complete(asyncio.sleep(0))
    queue.put_nowait(1)
    assert queue.empty()
    loop.close()
    del left, loop
    gc.collect()
    assert queue.get_nowait() == 1
    nobody_is_left_over(queue)


# The rest.


def test_a_finaliser_may_use_the_queue():
    seen = []

    class Last:
        def __del__(self):
            queue.put_nowait("from the finaliser")
            seen.append(queue.get_nowait())

    queue = ThreadQueue()
    queue.put_nowait(Last())
    queue.get_nowait()
    gc.collect()
    assert seen == ["from the finaliser"]


def test_it_says_what_it_holds():
    queue = ThreadQueue(3)
    assert repr(queue) == f"<ThreadQueue at {id(queue):#x} maxsize=3 qsize=0>"
    queue.put_nowait(1)
    assert repr(queue) == f"<ThreadQueue at {id(queue):#x} maxsize=3 qsize=1 tasks=1>"
    assert queue.maxsize == 3
    assert ThreadQueue[int].__origin__ is ThreadQueue
