"""Cancelling tasks: when it arrives, how often, with which message, and who sees it."""

import asyncio

import pytest


async def forever():
    await asyncio.get_running_loop().create_future()


@pytest.fixture
def drive(loop):
    """Start a coroutine as a task and let it make its first step."""

    def start(coroutine, turns=1):
        task = loop.create_task(coroutine)
        for _ in range(turns):
            loop.call_soon(loop.stop)
            loop.run_forever()
        return task

    return start


def outcome(loop, task):
    """How a task ended."""
    loop.run_until_complete(asyncio.wait([task]))
    if task.cancelled():
        try:
            task.result()
        except asyncio.CancelledError as error:
            return ("cancelled", *error.args)
    return task.exception() or task.result()


def test_cancelling_a_task_that_has_not_begun_keeps_its_body_from_running(loop):
    ran = []

    async def body():
        ran.append(True)

    task = loop.create_task(body())
    assert task.cancel() is True
    assert not task.done()
    assert outcome(loop, task) == ("cancelled",)
    assert ran == []


def test_cancelling_reaches_the_await(loop, drive):
    async def body():
        try:
            await forever()
        except asyncio.CancelledError as error:
            return ("caught", *error.args)

    task = drive(body())
    assert task.cancel("why") is True
    assert outcome(loop, task) == ("caught", "why")
    assert task.cancelled() is False


def test_a_cancelled_future_cancels_the_task_that_awaits_it(loop, drive):
    future = loop.create_future()

    async def body():
        await future

    task = drive(body())
    future.cancel("from the future")
    assert outcome(loop, task) == ("cancelled", "from the future")
    assert task.cancelling() == 0


def test_cancelling_cancels_the_future_awaited(loop, drive):
    future = loop.create_future()

    async def body():
        await future

    task = drive(body())
    task.cancel("down")
    assert future.cancelled()
    assert not task.done()
    assert outcome(loop, task) == ("cancelled", "down")


def test_cancelling_goes_through_a_chain_of_tasks(loop, drive):
    async def outer(depth):
        if depth:
            await loop.create_task(outer(depth - 1))
        else:
            await forever()

    task = drive(outer(3), turns=5)
    inner = asyncio.all_tasks(loop)
    assert len(inner) == 4
    task.cancel("all")
    assert outcome(loop, task) == ("cancelled", "all")
    assert all(one.cancelled() for one in inner)


def test_only_the_outermost_of_a_chain_counts_the_request(loop, drive):
    async def outer():
        await inner

    inner = loop.create_task(forever())
    task = drive(outer(), turns=2)
    task.cancel()
    assert (task.cancelling(), inner.cancelling()) == (1, 1)
    outcome(loop, task)


def test_a_done_task_cannot_be_cancelled(loop):
    async def body():
        return 1

    task = loop.create_task(body())
    loop.run_until_complete(task)
    assert task.cancel() is False
    assert task.cancelling() == 0
    assert task.result() == 1


def test_requests_are_counted_and_taken_back(loop, drive):
    task = drive(forever())
    assert task.cancelling() == 0
    assert task.uncancel() == 0
    task.cancel()
    task.cancel()
    assert task.cancelling() == 2
    assert task.uncancel() == 1
    assert task.uncancel() == 0
    assert task.uncancel() == 0
    assert outcome(loop, task) == ("cancelled",)


def test_a_second_request_before_the_first_arrives_does_not_add_an_exception(loop, drive):
    caught = []

    async def body():
        for _ in range(2):
            try:
                await asyncio.sleep(0)
                await asyncio.sleep(0)
            except asyncio.CancelledError as error:
                caught.append(error.args)

    task = drive(body())
    task.cancel("one")
    task.cancel("two")
    outcome(loop, task)
    assert caught == [("two",)]


def test_a_task_that_swallows_can_be_cancelled_again(loop, drive):
    async def body():
        for count in range(3):
            try:
                await forever()
            except asyncio.CancelledError:
                counts.append((count, asyncio.current_task().cancelling()))
        return "end"

    counts = []
    task = drive(body())
    for _ in range(3):
        task.cancel()
        loop.call_soon(loop.call_soon, loop.stop)
        loop.run_forever()
    assert outcome(loop, task) == "end"
    assert counts == [(0, 1), (1, 2), (2, 3)]


def test_a_task_that_cancels_itself_is_cancelled_at_its_next_await(loop):
    async def body():
        asyncio.current_task().cancel("self")
        order.append("after")
        await asyncio.sleep(0)
        order.append("never")

    order = []
    assert outcome(loop, loop.create_task(body())) == ("cancelled", "self")
    assert order == ["after"]


def test_a_task_that_cancels_itself_and_returns_is_cancelled(loop):
    async def body():
        asyncio.current_task().cancel("self")
        return 7

    assert outcome(loop, loop.create_task(body())) == ("cancelled", "self")


def test_a_task_that_cancels_itself_and_raises_keeps_its_exception(loop):
    async def body():
        asyncio.current_task().cancel("self")
        raise KeyError("own")

    error = outcome(loop, loop.create_task(body()))
    assert isinstance(error, KeyError)


def test_uncancelling_before_the_exception_arrives(loop, drive):
    """Since 3.13 the request itself is dropped when the count falls to zero."""

    def attempt(task_class):
        async def body():
            await asyncio.sleep(0)
            return "survived"

        task = task_class(body())
        task.cancel()
        task.uncancel()
        return outcome(loop, task)

    expected = attempt(lambda coroutine: asyncio.Task(coroutine, loop=loop))
    assert attempt(loop.create_task) == expected


def test_raising_cancelled_error_cancels(loop):
    async def body():
        raise asyncio.CancelledError("own", 2)

    task = loop.create_task(body())
    with pytest.raises(asyncio.CancelledError) as caught:
        loop.run_until_complete(task)
    assert caught.value.args == ("own", 2)
    assert task.cancelled()


def test_the_exception_of_a_cancelled_task_is_the_one_that_left_it(loop):
    class Own(asyncio.CancelledError):
        pass

    async def body():
        try:
            await forever()
        except asyncio.CancelledError:
            raise Own("mine") from None

    task = loop.create_task(body())
    loop.call_soon(loop.call_soon, task.cancel)
    with pytest.raises(asyncio.CancelledError) as caught:
        loop.run_until_complete(task)
    assert type(caught.value) is Own
    assert task.cancelled()


def test_a_message_reaches_the_task_that_awaits_the_cancelled_one(loop):
    async def main():
        task = loop.create_task(forever())
        await asyncio.sleep(0)
        task.cancel("message")
        try:
            await task
        except asyncio.CancelledError as error:
            return error.args

    assert loop.run_until_complete(main()) == ("message",)


def test_a_result_set_before_the_cancellation_is_lost_to_it(loop, drive):
    future = loop.create_future()

    async def body():
        return await future

    task = drive(body())
    future.set_result(1)
    task.cancel()
    assert outcome(loop, task) == ("cancelled",)


def test_a_shielded_task_survives(loop, drive):
    async def body():
        await asyncio.shield(inner)

    inner = loop.create_task(forever())
    task = drive(body(), turns=2)
    task.cancel()
    assert outcome(loop, task) == ("cancelled",)
    assert not inner.done()


def test_gather_is_cancelled_with_its_children(loop, drive):
    children = [loop.create_task(forever()) for _ in range(3)]

    async def body():
        await asyncio.gather(*children)

    task = drive(body(), turns=2)
    task.cancel("all")
    assert outcome(loop, task)[0] == "cancelled"
    assert all(child.cancelled() for child in children)


def test_a_task_group_waits_for_what_it_cancels(loop):
    order = []

    async def stubborn():
        try:
            await forever()
        finally:
            await asyncio.sleep(0)
            order.append("cleaned")

    async def fail():
        await asyncio.sleep(0)
        raise KeyError("group")

    async def main():
        with pytest.raises(ExceptionGroup) as caught:
            async with asyncio.TaskGroup() as group:
                group.create_task(stubborn())
                group.create_task(fail())
        order.append([type(error) for error in caught.value.exceptions])

    loop.run_until_complete(main())
    assert order == ["cleaned", [KeyError]]


def test_a_cancel_method_that_raises_reaches_the_caller_of_cancel(loop, drive):
    class Bad(asyncio.Future):
        def cancel(self, msg=None):
            raise ValueError("bad cancel")

    future = Bad(loop=loop)

    async def body():
        await future

    task = drive(body())
    with pytest.raises(ValueError, match="bad cancel"):
        task.cancel()
    future.set_result(None)
    loop.run_until_complete(asyncio.wait([task]))


def test_a_future_that_refuses_its_cancellation_delays_it(loop, drive):
    class Stubborn(asyncio.Future):
        def cancel(self, msg=None):
            return False

    future = Stubborn(loop=loop)

    async def body():
        await future

    task = drive(body())
    assert task.cancel() is True
    assert task._must_cancel is True
    future.set_result(None)
    assert outcome(loop, task) == ("cancelled",)
