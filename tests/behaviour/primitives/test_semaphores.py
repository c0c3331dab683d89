"""Semaphore and BoundedSemaphore: permits, their order, and what becomes of an unused one."""

import asyncio
import sys

import pytest

from primitives_under_test import turns


def test_as_many_as_there_are_permits_come_in_and_the_rest_in_order(sync):
    async def main():
        semaphore, trace = sync.Semaphore(2), []

        async def worker(number):
            async with semaphore as entered:
                assert entered is None
                trace.append(f"+{number}")
                await turns(2)
                trace.append(f"-{number}")

        await asyncio.gather(*(worker(number) for number in range(5)))
        return " ".join(trace), semaphore._value

    trace, value = sync.run(main())
    assert trace == "+0 +1 -0 -1 +2 +3 -2 -3 +4 -4"
    assert value == 2


def test_a_permit_that_somebody_woken_is_about_to_use_is_not_counted(sync):
    async def main():
        semaphore = sync.Semaphore(0)
        task = asyncio.create_task(semaphore.acquire())
        await turns(1)
        semaphore.release()
        seen = semaphore._value, semaphore.locked()
        assert await task is True
        return seen, semaphore._value

    assert sync.run(main()) == ((0, True), 0)


def test_a_later_task_waits_behind_the_woken_one_although_there_is_a_permit(sync):
    async def main():
        semaphore, order = sync.Semaphore(0), []

        async def worker(number):
            await semaphore.acquire()
            order.append(number)

        first = asyncio.create_task(worker(1))
        await turns(1)
        semaphore.release()
        semaphore.release()
        assert semaphore._value == 1
        assert semaphore.locked()
        await worker(2)
        await first
        return order

    assert sync.run(main()) == [1, 2]


def test_the_permit_of_a_waiter_that_is_cancelled_after_it_was_woken_goes_to_the_next(sync):
    async def main():
        semaphore = sync.Semaphore(0)
        tasks = [asyncio.create_task(semaphore.acquire()) for _ in range(3)]
        await turns(1)
        semaphore.release()
        tasks[0].cancel()
        await turns(2)
        done = [task.done() for task in tasks]
        tasks[2].cancel()
        return done, tasks[0].cancelled(), semaphore._value

    assert sync.run(main()) == ([True, True, False], True, 0)


def test_a_cancellation_thrown_by_hand_into_a_waiter(sync):
    """Up to Python 3.12 that made a permit."""

    async def main():
        semaphore = sync.Semaphore(0)
        waiting = semaphore.acquire()
        waiting.send(None)
        with pytest.raises(asyncio.CancelledError):
            waiting.throw(asyncio.CancelledError())
        return semaphore._value

    assert sync.run(main()) == (0 if sys.version_info >= (3, 13) else 1)


def test_a_waiter_that_leaves_wakes_as_many_as_there_are_permits(sync):
    """Up to Python 3.12 it woke one."""

    async def main():
        semaphore = sync.Semaphore(0)
        tasks = [asyncio.create_task(semaphore.acquire()) for _ in range(4)]
        await turns(1)
        semaphore.release()
        semaphore._value = 2
        await turns(1)
        woken = [waiter.done() for waiter in semaphore._waiters]
        for task in tasks:
            task.cancel()
        return woken

    both = sys.version_info >= (3, 13)
    assert sync.run(main()) == [True, both, False]


@pytest.mark.parametrize("kind", ["Semaphore", "BoundedSemaphore"])
def test_a_negative_number_of_permits_is_refused(sync, kind):
    with pytest.raises(ValueError, match=r"^Semaphore initial value must be >= 0$"):
        getattr(sync, kind)(-1)


def test_what_is_no_number_is_refused(sync):
    with pytest.raises(TypeError, match="not supported between instances of 'str' and 'int'"):
        sync.Semaphore("many")


def test_there_may_be_permits_without_end(sync):
    async def main():
        semaphore = sync.Semaphore(float("inf"))
        for _ in range(3):
            await semaphore.acquire()
        return semaphore.locked()

    assert sync.run(main()) is False


def test_a_bounded_semaphore_is_not_released_more_often_than_acquired(sync):
    async def main():
        semaphore = sync.BoundedSemaphore(2)
        async with semaphore:
            pass
        with pytest.raises(ValueError, match=r"^BoundedSemaphore released too many times$"):
            semaphore.release()
        semaphore._bound_value = 3
        semaphore.release()
        return semaphore._value

    assert issubclass(sync.BoundedSemaphore, sync.Semaphore)
    assert sync.run(main()) == 3


def test_the_repr_tells_the_value_and_counts_the_waiters(sync):
    async def main():
        semaphore = sync.Semaphore(1)
        texts = [repr(semaphore)]
        await semaphore.acquire()
        task = asyncio.create_task(semaphore.acquire())
        await turns(1)
        texts.append(repr(semaphore))
        task.cancel()
        return [text.partition("[")[2] for text in texts]

    assert sync.run(main()) == ["unlocked, value:1]>", "locked, waiters:1]>"]


def test_a_subclass_is_asked_by_name(sync):
    class Counting(sync.Semaphore):
        def __init__(self):
            super().__init__(2)
            self.calls = []

        def locked(self):
            self.calls.append("locked")
            return super().locked()

        async def acquire(self):
            self.calls.append("acquire")
            return await super().acquire()

        def release(self):
            self.calls.append("release")
            super().release()

    async def main():
        semaphore = Counting()
        async with semaphore:
            pass
        return semaphore.calls

    assert sync.run(main()) == ["acquire", "locked", "release"]
