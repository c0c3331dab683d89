"""Threads and tasks hammer a ThreadQueue: no item is lost or doubled, nobody is forgotten."""

import asyncio
import itertools
import queue as thread_queues
import random
import sys

import pytest

from greenloop import ThreadQueue

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("switch_often")]

# A hang is a failure soon.
SOON = 60
EACH = 500


@pytest.fixture
def switch_often():
    """Let threads change places as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def run(loop, main):
    return loop.run_until_complete(asyncio.wait_for(main, SOON))


def nobody_is_left_over(queue):
    assert not queue._getters
    assert not queue._putters
    assert not queue._joiners
    assert queue._promised_items == 0
    assert queue._promised_room == 0


@pytest.mark.parametrize("maxsize", [0, 1, 10])
@pytest.mark.parametrize("consumers", [1, 4])
@pytest.mark.parametrize("producing", ["tasks", "threads", "both"])
@pytest.mark.parametrize("consuming", ["a task", "a thread"])
def test_all_arrives_and_each_producers_order_is_kept(
    loop, maxsize, consumers, producing, consuming
):
    queue = ThreadQueue(maxsize)
    received = []

    def produce_in_a_thread(producer):
        for number in range(EACH):
            queue.sync_put((producer, number))

    async def produce_in_a_task(producer):
        for number in range(EACH):
            await queue.put((producer, number))
            if number % 7 == 0:
                await asyncio.sleep(0)

    def consume_in_a_thread():
        while (item := queue.sync_get()) is not None:
            received.append(item)
            queue.task_done()
        queue.task_done()

    async def consume_in_a_task():
        while (item := await queue.get()) is not None:
            received.append(item)
            queue.task_done()
        queue.task_done()

    def producer(number):
        if producing == "threads" or (producing == "both" and number % 2):
            return asyncio.to_thread(produce_in_a_thread, number)
        return produce_in_a_task(number)

    def consumer():
        if consuming == "a thread":
            return asyncio.to_thread(consume_in_a_thread)
        return consume_in_a_task()

    async def main():
        done = asyncio.gather(*[consumer() for _ in range(consumers)])
        await asyncio.gather(*[producer(number) for number in range(4)])
        await queue.join()
        for _ in range(consumers):
            await queue.put(None)
        await done

    run(loop, main())
    assert sorted(received) == [*itertools.product(range(4), range(EACH))]
    if consumers == 1:
        # A stable sort: whoever sorts by producer alone keeps the order of each.
        assert sorted(received, key=lambda item: item[0]) == sorted(received)
    nobody_is_left_over(queue)
    assert queue.empty()


@pytest.mark.parametrize("maxsize", [0, 1, 3])
def test_nothing_is_lost_when_tasks_are_cancelled_and_threads_time_out(loop, maxsize):
    queue = ThreadQueue(maxsize)
    put, got = [], []
    numbers = itertools.count()
    rounds = 300

    def work(seed):
        chance = random.Random(seed)
        for _ in range(rounds):
            timeout = chance.choice([0, 0.00001, 0.0001, 0.001])
            if chance.random() < 0.5:
                number = next(numbers)
                try:
                    queue.sync_put(number, timeout)
                except thread_queues.Full:
                    continue
                put.append(number)
            else:
                try:
                    got.append(queue.sync_get(timeout))
                except thread_queues.Empty:
                    pass

    async def put_one():
        number = next(numbers)
        await queue.put(number)
        put.append(number)

    async def get_one():
        got.append(await queue.get())

    async def main():
        chance = random.Random(1)
        working = [asyncio.to_thread(work, seed) for seed in range(4)]
        finished = asyncio.gather(*working)
        while not finished.done():
            tasks = [
                asyncio.ensure_future(chance.choice([put_one, get_one])())
                for _ in range(chance.randrange(6))
            ]
            for _ in range(chance.randrange(3)):
                await asyncio.sleep(0)
            for task in tasks:
                task.cancel()
            if tasks:
                await asyncio.wait(tasks)
            await asyncio.sleep(0)
        await finished

    run(loop, main())
    while not queue.empty():
        got.append(queue.get_nowait())
    assert sorted(got) == sorted(put)
    nobody_is_left_over(queue)
