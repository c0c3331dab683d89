"""Lock: who gets it, in which order, and what a cancelled waiter hands on."""

import asyncio

import pytest

from primitives_under_test import turns


def test_a_free_lock_is_taken_without_a_turn(sync):
    async def main():
        lock = sync.Lock()
        turn = []
        asyncio.get_running_loop().call_soon(turn.append, 1)
        assert await lock.acquire() is True
        assert lock.locked()
        async with sync.Lock() as entered:
            assert entered is None
        return list(turn)

    assert sync.run(main()) == []


def test_a_lock_is_handed_on_in_the_order_of_asking(sync):
    async def main():
        lock, order = sync.Lock(), []

        async def worker(number):
            async with lock:
                order.append(number)
                await asyncio.sleep(0)

        await asyncio.gather(*(worker(number) for number in range(5)))
        return order

    assert sync.run(main()) == [0, 1, 2, 3, 4]


def test_a_task_that_comes_before_the_woken_one_has_run_waits_behind_it(sync):
    async def main():
        lock, order = sync.Lock(), []
        await lock.acquire()

        async def worker(number):
            async with lock:
                order.append(number)

        first = asyncio.create_task(worker(1))
        await turns(1)
        lock.release()
        assert not lock.locked()
        await worker(2)
        await first
        return order

    assert sync.run(main()) == [1, 2]


@pytest.mark.parametrize("woken", [False, True], ids=["while it waits", "after it was woken"])
def test_a_cancelled_waiter_does_not_keep_the_lock_from_the_next(sync, woken):
    async def main():
        lock = sync.Lock()
        await lock.acquire()
        first = asyncio.create_task(lock.acquire())
        second = asyncio.create_task(lock.acquire())
        await turns(1)
        if woken:
            lock.release()
        first.cancel("enough")
        if not woken:
            lock.release()
        with pytest.raises(asyncio.CancelledError) as caught:
            await first
        assert caught.value.args == ("enough",)
        assert await second is True
        return lock.locked(), len(lock._waiters)

    assert sync.run(main()) == (True, 0)


def test_a_waiter_that_was_cancelled_by_its_future_hands_the_lock_on(sync):
    async def main():
        lock = sync.Lock()
        await lock.acquire()
        tasks = [asyncio.create_task(lock.acquire()) for _ in range(2)]
        await turns(1)
        assert lock._waiters[0].cancel() is True
        assert lock._waiters[0].cancelled()
        lock.release()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        return [type(result) for result in results]

    assert sync.run(main()) == [asyncio.CancelledError, bool]


def test_releasing_a_lock_that_nobody_holds_is_an_error(sync):
    with pytest.raises(RuntimeError, match=r"^Lock is not acquired\.$"):
        sync.Lock().release()


def test_a_lock_belongs_to_the_loop_on_which_somebody_first_waited(sync):
    lock = sync.Lock()

    async def wait():
        await lock.acquire()
        try:
            await asyncio.wait_for(lock.acquire(), 0.001)
        except TimeoutError:
            lock.release()

    async def take():
        async with lock:
            return True

    sync.run(wait())
    assert sync.run(take())  # Nobody waits, so nobody asks.
    with pytest.raises(RuntimeError, match=r"<.*Lock.*> is bound to a different event loop"):
        sync.run(wait())


def test_the_repr_tells_the_state_and_counts_the_waiters(sync):
    async def main():
        lock = sync.Lock()
        texts = [repr(lock)]
        await lock.acquire()
        texts.append(repr(lock))
        task = asyncio.create_task(lock.acquire())
        await turns(1)
        texts.append(repr(lock))
        task.cancel()
        return [text.partition("[")[2] for text in texts]

    assert sync.run(main()) == ["unlocked]>", "locked]>", "locked, waiters:1]>"]


def test_a_lock_takes_no_arguments(sync):
    message = r"^Lock.__init__\(\) got an unexpected keyword argument 'loop'$"
    with pytest.raises(TypeError, match=message):
        sync.Lock(loop=None)
    message = r"^Lock.__init__\(\) takes 1 positional argument but 2 were given$"
    with pytest.raises(TypeError, match=message):
        sync.Lock(None)


def test_a_wait_that_is_closed_leaves_the_line(sync):
    async def main():
        lock = sync.Lock()
        await lock.acquire()
        waiting = lock.acquire()
        assert asyncio.isfuture(waiting.send(None))
        before = len(lock._waiters)
        waiting.close()
        return before, len(lock._waiters)

    assert sync.run(main()) == (1, 0)


def test_an_exception_thrown_by_hand_wakes_nobody(sync):
    async def main():
        lock = sync.Lock()
        await lock.acquire()
        waiting = lock.acquire()
        waiting.send(None)
        other = asyncio.create_task(lock.acquire())
        await turns(1)
        lock.release()
        with pytest.raises(ZeroDivisionError):
            waiting.throw(ZeroDivisionError())
        done = lock._waiters[0].done()
        other.cancel()
        return lock.locked(), done

    assert sync.run(main()) == (False, False)


def test_a_subclass_is_asked_by_name(sync):
    class Counting(sync.Lock):
        def __init__(self):
            super().__init__()
            self.calls = []

        async def acquire(self):
            self.calls.append("acquire")
            return await super().acquire()

        def release(self):
            self.calls.append("release")
            super().release()

    async def main():
        lock = Counting()
        async with lock:
            assert lock.locked()
        return lock.calls

    assert sync.run(main()) == ["acquire", "release"]


def test_a_method_that_was_replaced_on_an_instance_is_called(sync):
    calls = []

    async def acquire():
        calls.append("acquire")

    async def main():
        lock = sync.Lock()
        lock.acquire, lock.release = acquire, lambda: calls.append("release")
        async with lock:
            pass

    sync.run(main())
    assert calls == ["acquire", "release"]
