"""Patched instances and foreign loops: what a user replaces is what gets called."""

import asyncio
import types
from unittest import mock

import pytest

import greenloop


@pytest.fixture
def own(loop):
    """The Future and Task that belong to the loop under test."""
    if isinstance(loop, greenloop.EventLoop):
        return types.SimpleNamespace(future=greenloop.Future, task=greenloop.Task)
    return types.SimpleNamespace(future=asyncio.Future, task=asyncio.Task)


async def give(value=None):
    return value


def test_a_mocked_call_soon_gets_the_callbacks_of_futures(loop):
    future = loop.create_future()
    future.add_done_callback(print)
    with mock.patch.object(loop, "call_soon") as call_soon:
        future.set_result(1)
    (call,) = call_soon.call_args_list
    assert call.args == (print, future)
    assert set(call.kwargs) == {"context"}


def test_a_mocked_call_soon_gets_the_steps_of_tasks(loop):
    coroutine = give(4)
    with mock.patch.object(loop, "call_soon") as call_soon:
        task = loop.create_task(coroutine)
    (call,) = call_soon.call_args_list
    assert set(call.kwargs) == {"context"}
    # The step that was withheld can be made by hand.
    asyncio._set_running_loop(loop)
    try:
        with mock.patch.object(loop, "call_soon"):
            call.args[0](*call.args[1:])
    finally:
        asyncio._set_running_loop(None)
    assert task.result() == 4


def test_a_mocked_call_at_gets_what_call_later_sets(loop):
    with mock.patch.object(loop, "call_at", wraps=loop.call_at) as call_at:
        handle = loop.call_later(5, print, 1)
    assert call_at.call_count in (0, 1)
    assert handle.when() > loop.time()
    handle.cancel()


def test_a_mocked_create_future_is_used_by_asyncio(loop):
    future = loop.create_future()

    async def main():
        with mock.patch.object(loop, "create_future", return_value=future):
            loop.call_soon(future.set_result, None)
            await asyncio.Event().wait()

    loop.run_until_complete(asyncio.wait_for(main(), 10))
    assert future.done()


def test_a_mocked_time_is_seen_by_asyncio(loop):
    async def main():
        with mock.patch.object(loop, "time", return_value=loop.time() + 1000):
            async with asyncio.timeout(5) as timeout:
                return timeout.when() - loop.time()

    assert loop.run_until_complete(main()) == 5


def test_a_mocked_exception_handler_gets_lost_exceptions(loop):
    with mock.patch.object(loop, "call_exception_handler") as handler:
        loop.create_future().set_exception(ValueError("lost"))
    (call,) = handler.call_args_list
    assert "never retrieved" in call.args[0]["message"]


class ForeignLoop(asyncio.AbstractEventLoop):
    """A loop of nobody's making that only queues."""

    def __init__(self):
        self.queue = []
        self.reports = []

    def call_soon(self, callback, *arguments, context=None):
        self.queue.append((callback, arguments, context))

    def call_exception_handler(self, context):
        self.reports.append(context["message"])

    def get_debug(self):
        return False

    def is_running(self):
        return True

    def is_closed(self):
        return False

    def run(self):
        """Run until nothing is left."""
        asyncio._set_running_loop(self)
        try:
            while self.queue:
                callback, arguments, context = self.queue.pop(0)
                context.run(callback, *arguments)
        finally:
            asyncio._set_running_loop(None)


def test_futures_and_tasks_work_on_a_foreign_loop(own):
    foreign = ForeignLoop()
    future = own.future(loop=foreign)
    order = []

    async def body():
        order.append(await future)
        await asyncio.sleep(0)
        order.append(asyncio.current_task() is task)
        return "end"

    task = own.task(body(), loop=foreign)
    assert task in asyncio.all_tasks(foreign)
    foreign.run()
    assert not task.done()
    future.set_result("set")
    foreign.run()
    assert order == ["set", True]
    assert task.result() == "end"
    assert asyncio.all_tasks(foreign) == set()
    assert foreign.reports == []


def test_a_task_on_a_foreign_loop_can_be_cancelled(own):
    foreign = ForeignLoop()

    async def body():
        await own.future(loop=foreign)

    task = own.task(body(), loop=foreign)
    foreign.run()
    task.cancel("why")
    foreign.run()
    assert task.cancelled()


def test_a_lost_exception_is_reported_to_the_foreign_loop(own):
    foreign = ForeignLoop()
    own.future(loop=foreign).set_exception(ValueError("lost"))
    assert foreign.reports == ["Future exception was never retrieved"]


def test_futures_work_on_a_loop_that_is_all_mock(own):
    loop = mock.Mock()
    loop.get_debug.return_value = False
    future = own.future(loop=loop)
    future.add_done_callback(print)
    future.set_result(1)
    (call,) = loop.call_soon.call_args_list
    assert call.args == (print, future)


def test_a_subclass_with_its_own_call_soon_gets_everything(loop):
    calls = []

    class Own(type(loop)):
        def call_soon(self, callback, *arguments, context=None):
            calls.append(callback)
            return super().call_soon(callback, *arguments, context=context)

    async def main():
        future = mine.create_future()
        mine.call_soon(future.set_result, 1)
        await future
        await mine.create_task(give())

    mine = Own()
    try:
        mine.run_until_complete(main())
    finally:
        mine.close()
    # Steps of two tasks, set_result, two wake-ups, and the end of the run.
    assert len(calls) == 6


def test_a_subclass_with_its_own_futures_and_tasks_uses_them(loop, own):
    made = []

    class MyFuture(own.future):
        pass

    class MyTask(own.task):
        pass

    class Own(type(loop)):
        def create_future(self):
            made.append("future")
            return MyFuture(loop=self)

        def create_task(self, coroutine, **keywords):
            made.append("task")
            return MyTask(coroutine, loop=self, **keywords)

    async def main():
        assert type(asyncio.current_task()) is MyTask
        future = asyncio.get_running_loop().create_future()
        mine.call_soon(future.set_result, 5)
        return await future

    mine = Own()
    try:
        assert mine.run_until_complete(main()) == 5
    finally:
        mine.close()
    assert made == ["task", "future"]
