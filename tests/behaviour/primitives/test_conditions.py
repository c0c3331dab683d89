"""Condition: waiting without the lock, having it again whatever happens, and notifications."""

import asyncio
import asyncio.locks
import sys
import threading

import pytest

from primitives_under_test import turns


def locks(sync):
    """Every kind of lock that a condition may be given."""

    class Inherited(sync.Lock):
        pass

    return {"none": None, "own": sync.Lock(), "asyncio's": asyncio.locks.Lock(), "sub": Inherited()}


@pytest.fixture(params=["none", "own", "asyncio's", "sub"])
def condition(sync, request):
    """A condition over each kind of lock."""
    return sync.Condition(locks(sync)[request.param])


def test_waiting_lets_go_of_the_lock_and_has_it_afterwards(sync, condition):
    async def main():
        trace = []

        async def waiter():
            async with condition:
                assert await condition.wait() is True
                trace.append(condition.locked())

        task = asyncio.create_task(waiter())
        await turns(2)
        trace.append(condition.locked())
        async with condition:
            condition.notify()
            await turns(2)
            assert not task.done()
        await task
        return trace, condition.locked()

    assert sync.run(main()) == ([False, True], False)


def test_so_many_as_are_notified_go_on_in_order(sync, condition):
    async def main():
        order = []

        async def waiter(number):
            async with condition:
                await condition.wait()
                order.append(number)

        tasks = [asyncio.create_task(waiter(number)) for number in range(5)]
        await turns(2)
        seen = []
        for notify in (condition.notify, lambda: condition.notify(n=2), condition.notify_all):
            async with condition:
                notify()
            await turns(6)
            seen.append(list(order))
        await asyncio.gather(*tasks)
        return seen

    assert sync.run(main()) == [[0], [0, 1, 2], [0, 1, 2, 3, 4]]


def test_a_limit_that_is_no_number_matters_only_if_somebody_waits(sync, condition):
    async def main():
        async def waiter():
            async with condition:
                await condition.wait()

        async with condition:
            condition.notify("many")
        tasks = [asyncio.create_task(waiter()) for _ in range(3)]
        await turns(5)
        async with condition:
            with pytest.raises(TypeError, match="'>=' not supported between"):
                condition.notify("many")
            condition.notify(1.5)
            condition.notify(-1)
        await turns(5)
        done = [task.done() for task in tasks]
        tasks[2].cancel()
        return done

    assert sync.run(main()) == [True, True, False]


def test_waiting_for_a_predicate_returns_what_it_returned(sync, condition):
    async def main():
        values = []

        async def waiter():
            async with condition:
                return await condition.wait_for(lambda: values and values[-1])

        task = asyncio.create_task(waiter())
        for value in (0, "", "enough"):
            await turns(3)
            async with condition:
                values.append(value)
                condition.notify_all()
        async with condition:
            assert await condition.wait_for(predicate=lambda: "at once") == "at once"
        return await task

    assert sync.run(main()) == "enough"


def test_a_predicate_may_raise(sync, condition):
    async def main():
        async with condition:
            with pytest.raises(ZeroDivisionError):
                await condition.wait_for(lambda: 1 / 0)
            return condition.locked()

    assert sync.run(main())


def test_without_the_lock_there_is_neither_waiting_nor_notifying(sync, condition):
    async def main():
        with pytest.raises(RuntimeError, match="^cannot wait on un-acquired lock$"):
            await condition.wait()
        with pytest.raises(RuntimeError, match="^cannot wait on un-acquired lock$"):
            await condition.wait_for(lambda: False)
        for notify in (condition.notify, condition.notify_all):
            with pytest.raises(RuntimeError, match="^cannot notify on un-acquired lock$"):
                notify()

    sync.run(main())


def test_a_cancelled_waiter_has_the_lock_before_it_learns_of_it(sync, condition):
    async def main():
        held = []

        async def waiter():
            async with condition:
                try:
                    await condition.wait()
                finally:
                    held.append(condition.locked())

        task = asyncio.create_task(waiter())
        await turns(2)
        await condition.acquire()
        task.cancel("enough")
        await turns(3)
        assert not task.done()
        condition.release()
        with pytest.raises(asyncio.CancelledError) as caught:
            await task
        return held, condition.locked(), caught.value.args

    # Through asyncio's own tasks the message goes to the exception in any case.
    assert sync.run(main()) == ([True], False, ("enough",))


def test_a_waiter_cancelled_again_while_relocking_raises_the_last_cancellation(sync, condition):
    """Up to Python 3.12 it raised one without a message."""

    async def main():
        async def waiter():
            async with condition:
                await condition.wait()

        task = asyncio.create_task(waiter())
        await turns(2)
        await condition.acquire()
        for message in ("first", "second", "third"):
            task.cancel(message)
            await turns(2)
            assert not task.done()
        condition.release()
        with pytest.raises(asyncio.CancelledError) as caught:
            await task
        return caught.value.args, type(caught.value.__context__), caught.value.__context__.args

    args, context, first = sync.run(main())
    assert args == (("third",) if sys.version_info >= (3, 13) else ())
    assert (context, first) == (asyncio.CancelledError, ("first",))


def test_the_notification_of_a_cancelled_waiter_goes_to_the_next(sync, condition):
    """Up to Python 3.12 it was lost."""

    async def main():
        async def waiter():
            async with condition:
                await condition.wait()

        tasks = [asyncio.create_task(waiter()) for _ in range(2)]
        await turns(4)
        async with condition:
            condition.notify()
            tasks[0].cancel()
        await turns(4)
        done = [task.done() for task in tasks]
        tasks[1].cancel()
        return tasks[0].cancelled(), done

    assert sync.run(main()) == (True, [True, sys.version_info >= (3, 13)])


def test_a_condition_of_another_loop_is_refused_with_the_lock_held(sync, condition):
    async def main():
        condition._loop = object()
        async with condition:
            with pytest.raises(RuntimeError, match="is bound to a different event loop"):
                await condition.wait()
            return condition.locked(), len(condition._waiters)

    assert sync.run(main()) == (True, 0)


def test_a_condition_exports_the_methods_of_its_lock(sync):
    lock = sync.Lock()
    condition = sync.Condition(lock)
    assert condition._lock is lock
    assert condition.acquire.__self__ is lock
    assert condition.release.__self__ is lock
    assert condition.locked() is False


def test_what_is_no_lock_is_refused(sync):
    with pytest.raises(AttributeError, match="locked"):
        sync.Condition("lock")


def test_a_lock_of_another_kind_is_asked_by_name(sync):
    class Recording:
        def __init__(self):
            self.calls, self.held = [], False

        def locked(self):
            return self.held

        async def acquire(self):
            self.calls.append("acquire")
            self.held = True

        def release(self):
            self.calls.append("release")
            self.held = False

    async def main():
        lock = Recording()
        condition = sync.Condition(lock)

        async def waiter():
            async with condition:
                await condition.wait()

        task = asyncio.create_task(waiter())
        await turns(1)
        async with condition:
            condition.notify()
        await task
        return lock.calls

    assert sync.run(main()) == ["acquire", "release"] * 3


def test_a_thread_lock_that_says_whether_it_is_held_is_no_lock_to_await(sync):
    if not hasattr(threading.Lock(), "locked"):
        pytest.skip("locks of threads do not say whether they are held")

    async def main():
        condition = sync.Condition(threading.Lock())
        with pytest.raises(TypeError, match="can't be (used in 'await' expression|awaited)"):
            async with condition:
                pass

    sync.run(main())


def test_a_subclass_is_asked_by_name_except_for_what_the_lock_exports(sync):
    class Counting(sync.Condition):
        def __init__(self):
            super().__init__()
            self.calls = []

        async def wait(self):
            self.calls.append("wait")
            return await super().wait()

        def notify(self, n=1):
            self.calls.append(f"notify {n}")
            super().notify(n)

        async def acquire(self):
            self.calls.append("never")

    async def main():
        condition, ready = Counting(), []

        async def waiter():
            async with condition:
                await condition.wait_for(lambda: ready)

        task = asyncio.create_task(waiter())
        await turns(2)
        async with condition:
            ready.append(True)
            condition.notify_all()
        await task
        return condition.calls

    assert sync.run(main()) == ["wait", "notify 1"]


def test_the_repr_tells_the_state_and_counts_the_waiters(sync, condition):
    async def main():
        async def waiter():
            async with condition:
                await condition.wait()

        task = asyncio.create_task(waiter())
        await turns(2)
        texts = [repr(condition)]
        async with condition:
            texts.append(repr(condition))
        task.cancel()
        return [text.partition("[")[2] for text in texts]

    assert sync.run(main()) == ["unlocked, waiters:1]>", "locked, waiters:1]>"]


def test_a_wait_that_is_closed_has_the_lock_if_it_is_free(sync, condition):
    async def main():
        await condition.acquire()
        waiting = condition.wait()
        waiting.send(None)
        waiting.close()
        return condition.locked(), len(condition._waiters)

    assert sync.run(main()) == (True, 0)


def test_a_wait_that_would_have_to_wait_for_the_lock_cannot_be_closed(sync, condition):
    async def main():
        await condition.acquire()
        waiting = condition.wait()
        waiting.send(None)
        await condition.acquire()
        with pytest.raises(RuntimeError, match="coroutine ignored GeneratorExit"):
            waiting.close()
        condition.release()
        with pytest.raises(GeneratorExit):
            waiting.send(None)

    sync.run(main())
