"""run_in_executor: work in other threads, its results, its cancellation, its end."""

import asyncio
import concurrent.futures
import threading

import pytest


@pytest.fixture
def loop(loop):
    yield loop
    if not loop.is_closed():
        loop.run_until_complete(loop.shutdown_default_executor())


def test_a_function_runs_in_another_thread(loop):
    async def main():
        return await loop.run_in_executor(None, threading.get_ident)

    assert loop.run_until_complete(main()) != threading.get_ident()


def test_a_function_gets_its_arguments_and_gives_its_result(loop):
    assert loop.run_until_complete(loop.run_in_executor(None, max, 3, 7, 5)) == 7


def test_an_exception_comes_back_as_it_is(loop):
    error = KeyError("from the thread")

    def fail():
        raise error

    with pytest.raises(KeyError) as caught:
        loop.run_until_complete(loop.run_in_executor(None, fail))
    assert caught.value is error


def test_what_comes_back_is_a_future_of_the_loop(loop):
    future = loop.run_in_executor(None, int)
    assert asyncio.isfuture(future)
    assert future.get_loop() is loop
    loop.run_until_complete(future)


def test_an_executor_can_be_given(loop):
    with concurrent.futures.ThreadPoolExecutor(thread_name_prefix="mine") as executor:
        name = loop.run_until_complete(
            loop.run_in_executor(executor, lambda: threading.current_thread().name)
        )
    assert name.startswith("mine")


def test_the_default_executor_can_be_set(loop):
    executor = concurrent.futures.ThreadPoolExecutor(thread_name_prefix="default of mine")
    loop.set_default_executor(executor)
    assert loop._default_executor is executor
    name = loop.run_until_complete(
        loop.run_in_executor(None, lambda: threading.current_thread().name)
    )
    assert name.startswith("default of mine")


def test_the_default_executors_threads_are_named_after_asyncio(loop):
    name = loop.run_until_complete(
        loop.run_in_executor(None, lambda: threading.current_thread().name)
    )
    assert name.startswith("asyncio_")
    assert isinstance(loop._default_executor, concurrent.futures.ThreadPoolExecutor)


@pytest.mark.parametrize("wrong", [None, 3, object(), concurrent.futures.Executor()])
def test_the_default_executor_is_one_of_threads(loop, wrong):
    with pytest.raises(TypeError, match="^executor must be ThreadPoolExecutor instance$"):
        loop.set_default_executor(wrong)


@pytest.mark.parametrize("wrong", [3, "text", object()])
def test_an_executor_can_submit(loop, wrong):
    with pytest.raises(AttributeError):
        loop.run_in_executor(wrong, int)


def test_cancelling_work_that_has_not_begun_keeps_it_from_beginning(loop):
    gate, ran = threading.Event(), []
    executor = concurrent.futures.ThreadPoolExecutor(1)
    blocking = loop.run_in_executor(executor, gate.wait)
    future = loop.run_in_executor(executor, ran.append, 1)
    future.cancel()
    loop.call_soon(loop.call_soon, gate.set)
    loop.run_until_complete(blocking)
    executor.shutdown()
    assert ran == []
    assert future.cancelled()


def test_cancelling_work_that_has_begun_does_not_stop_it(loop):
    begun, gate, ran = threading.Event(), threading.Event(), []

    def work():
        begun.set()
        gate.wait()
        ran.append(1)

    executor = concurrent.futures.ThreadPoolExecutor(1)
    future = loop.run_in_executor(executor, work)
    begun.wait()
    future.cancel()
    with pytest.raises(asyncio.CancelledError):
        loop.run_until_complete(future)
    gate.set()
    executor.shutdown()
    assert ran == [1]


def test_after_its_shutdown_the_default_executor_is_gone(loop):
    loop.run_until_complete(loop.run_in_executor(None, int))
    loop.run_until_complete(loop.shutdown_default_executor())
    with pytest.raises(RuntimeError, match="^Executor shutdown has been called$"):
        loop.run_in_executor(None, int)


def test_shutting_down_an_executor_that_nobody_used(loop):
    assert loop.run_until_complete(loop.shutdown_default_executor()) is None
    assert loop.run_until_complete(loop.shutdown_default_executor()) is None


def test_the_shutdown_waits_for_the_work(loop):
    gate, order = threading.Event(), []

    def work():
        gate.wait()
        order.append("work")

    loop.run_in_executor(None, work)
    loop.call_later(0.001, gate.set)
    loop.run_until_complete(loop.shutdown_default_executor())
    assert order == ["work"]


def test_close_does_not_wait_for_the_work(loop):
    gate = threading.Event()
    loop.run_in_executor(None, gate.wait)
    executor = loop._default_executor
    loop.close()
    gate.set()
    executor.shutdown()


def test_a_closed_loop_runs_nothing(loop):
    loop.close()
    with pytest.raises(RuntimeError, match="^Event loop is closed$"):
        loop.run_in_executor(None, int)


def test_many_results_arrive(loop):
    async def main():
        return await asyncio.gather(
            *[loop.run_in_executor(None, abs, -number) for number in range(300)]
        )

    assert loop.run_until_complete(main()) == list(range(300))


def test_a_coroutine_can_be_sent_to_a_loop_from_a_thread(loop):
    async def inside(number):
        await asyncio.sleep(0)
        return number, asyncio.get_running_loop() is loop

    def outside():
        return asyncio.run_coroutine_threadsafe(inside(4), loop).result(10)

    assert loop.run_until_complete(loop.run_in_executor(None, outside)) == (4, True)


def test_a_coroutine_sent_from_a_thread_can_be_cancelled_there(loop):
    async def inside():
        begun.set()
        try:
            await loop.create_future()
        except asyncio.CancelledError:
            ended.set()
            raise

    begun, ended = threading.Event(), threading.Event()

    def outside():
        future = asyncio.run_coroutine_threadsafe(inside(), loop)
        begun.wait(10)
        future.cancel()
        return ended.wait(10)

    assert loop.run_until_complete(loop.run_in_executor(None, outside))
