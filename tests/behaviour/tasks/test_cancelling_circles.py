"""Tasks that await each other in a circle: cancelling one raises RecursionError, no more.

Nobody makes them on purpose, but `await gather(*all_tasks())` does. That long chains without a
circle are cancelled is tested among the recursions of the stress tests.
"""

import asyncio

import pytest

from primitives_under_test import turns


@pytest.fixture
def loop(loop_factory):
    """A loop whose tasks are left as they are: a circle of them cannot be cancelled."""
    loop = loop_factory()
    yield loop
    for task in asyncio.all_tasks(loop):
        task._log_destroy_pending = False
    loop.close()


async def circle(loop, awaits, new_task=None):
    """Two tasks that await each other, by a function of each."""
    new_task = new_task or loop.create_task
    tasks = []

    async def await_the_one_at(place):
        await awaits(tasks[place])

    tasks += [new_task(await_the_one_at(1)), new_task(await_the_one_at(0))]
    await turns(3)
    return tasks


@pytest.mark.parametrize(
    "awaits",
    [
        lambda functions, task: task,
        lambda functions, task: functions.gather(task),
        lambda functions, task: functions.gather(functions.gather(task)),
        lambda functions, task: functions.wait_for(task, None),
    ],
    ids=["task", "gather", "gather of gather", "wait_for"],
)
def test_a_circle_ends_in_a_recursion_error(loop, combinators, awaits):
    async def main():
        tasks = await circle(loop, lambda task: awaits(combinators, task))
        for task in tasks:
            with pytest.raises(RecursionError):
                task.cancel()
            assert task.cancelling() > 0
            assert not task.done()

    loop.run_until_complete(main())


@pytest.mark.parametrize(
    "awaits",
    [
        lambda functions, task: functions.shield(task),
        lambda functions, task: functions.wait([task]),
    ],
    ids=["shield", "wait"],
)
def test_a_circle_through_what_stops_a_cancellation_is_none(loop, combinators, awaits):
    async def main():
        one, other = await circle(loop, lambda task: awaits(combinators, task))
        assert one.cancel()
        await asyncio.wait([one, other], timeout=5)
        assert one.cancelled()
        assert other.done()

    loop.run_until_complete(main())


def test_a_task_that_gathers_itself_cannot_be_cancelled(loop, combinators):
    async def gather_all():
        await combinators.gather(*asyncio.all_tasks())

    task = loop.create_task(gather_all())
    loop.run_until_complete(asyncio.sleep(0))
    with pytest.raises(RecursionError):
        task.cancel()
    # The rest of the circle can still be ended through its future.
    task._fut_waiter.set_result(None)
    loop.run_until_complete(asyncio.wait([task]))
    assert task.done()


def test_a_subclass_that_refuses_the_second_request_ends_the_circle(loop):
    class Patient(asyncio.Task):
        asked = 0

        def cancel(self, msg=None):
            self.asked += 1
            return self.asked < 2 and super().cancel(msg)

    async def main():
        kinds = iter([loop.create_task, lambda coroutine: Patient(coroutine, loop=loop)])
        one, patient = await circle(loop, lambda task: task, lambda coro: next(kinds)(coro))
        assert one.cancel()
        assert (one.cancelling(), patient.asked, patient.cancelling()) == (2, 2, 1)
        assert one._must_cancel

    loop.run_until_complete(main())


def test_a_message_goes_all_the_way(loop, combinators):
    async def main():
        future = loop.create_future()

        async def follow(inner):
            await inner

        task = loop.create_task(follow(combinators.gather(loop.create_task(follow(future)))))
        await turns(2)
        assert task.cancel("enough")
        with pytest.raises(asyncio.CancelledError, match="enough"):
            await future
        with pytest.raises(asyncio.CancelledError):
            await task

    loop.run_until_complete(main())
