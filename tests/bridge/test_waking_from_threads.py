"""Wakers in other threads: none of their wake-ups is lost, and they disturb nobody."""

import asyncio
import ctypes
import gc
import os
import sys
import threading
import weakref

import greenloop_bridge_example as example
import pytest


@pytest.mark.parametrize("threads", [1, 4, 16])
def test_many_threads_wake_the_same_future(loop, threads):
    async def main():
        return await asyncio.wait_for(example.woken_by_threads(threads, 50), 60)

    assert loop.run_until_complete(main()) >= 1


def test_many_futures_are_woken_by_their_threads(loop):
    async def main():
        await asyncio.wait_for(asyncio.gather(*(example.ping(100) for _ in range(8))), 60)

    loop.run_until_complete(main())


def test_a_loop_that_waits_for_the_system_is_woken(loop):
    async def main():
        for number in range(20):
            assert await asyncio.wait_for(example.from_thread(number), 60) == number**2

    loop.run_until_complete(main())


def test_a_busy_loop_is_reached(loop):
    async def main():
        task = loop.create_task(example_task())
        while not task.done():
            await asyncio.sleep(0)
        return task.result()

    async def example_task():
        return await example.from_thread(5)

    assert loop.run_until_complete(asyncio.wait_for(main(), 60)) == 25


def test_a_disturbance_polls_again_and_ends_nothing(loop):
    flag = example.Flag()

    async def waits():
        await flag.wait()

    async def main():
        task = loop.create_task(waits())
        await asyncio.sleep(0)
        for _ in range(10):
            flag.disturb()
            await asyncio.sleep(0.001)
            assert not task.done()
        flag.set()
        await task

    loop.run_until_complete(main())


def test_cancellations_race_with_wake_ups(loop):
    async def main():
        tasks = [loop.create_task(one()) for _ in range(200)]
        await asyncio.sleep(0)
        for number, task in enumerate(tasks):
            if number % 2:
                task.cancel()
            if number % 20 == 0:
                await asyncio.sleep(0)
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        for number, outcome in enumerate(outcomes):
            assert outcome == 49 or (number % 2 and isinstance(outcome, asyncio.CancelledError))

    async def one():
        return await example.from_thread(7)

    loop.run_until_complete(asyncio.wait_for(main(), 60))


@pytest.mark.parametrize("threads", [1, 2, 8])
def test_the_last_thread_that_drops_a_waker_lets_go_of_the_task(loop, threads):
    async def waits():
        await example.abandon(threads)

    async def main():
        tasks = [loop.create_task(waits()) for _ in range(50)]
        await asyncio.sleep(0)
        references = [weakref.ref(task) for task in tasks]
        del tasks
        while any(reference() is not None for reference in references):
            await asyncio.sleep(0.001)
            gc.collect()

    loop.set_exception_handler(lambda loop, context: None)
    loop.run_until_complete(asyncio.wait_for(main(), 60))


def test_loops_in_several_threads_do_not_meet(loop_factory):
    errors = []

    def run():
        loop = loop_factory()
        try:
            loop.run_until_complete(asyncio.wait_for(example_coroutine(), 60))
        except BaseException as error:
            errors.append(error)
        finally:
            loop.close()

    async def example_coroutine():
        await asyncio.gather(example.ping(50), example.ping(50))

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


@pytest.mark.parametrize("closed", [False, True], ids=["loop open", "loop closed"])
def test_waking_a_finished_future_does_not_wait_for_the_gil(loop, closed):
    # A library of this class is called with the GIL held.
    usleep = ctypes.PyDLL(None).usleep

    def running():
        return set(os.listdir("/proc/self/task"))

    async def main():
        task = asyncio.ensure_future(example.woken_by_threads(3, 3_000))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])

    before, interval = running(), sys.getswitchinterval()
    # Nobody takes the GIL from this thread, which lets others have it for a moment at each listing.
    sys.setswitchinterval(1000)
    try:
        loop.run_until_complete(main())
        if closed:
            loop.close()
        started = running() - before
        for _ in range(500):
            usleep(10_000)
            if started.isdisjoint(running()):
                break
        else:
            pytest.fail("the threads are not done with waking")
    finally:
        sys.setswitchinterval(interval)
