"""`into_awaitable`: results, errors, panics, cancellation, contexts, and who may await what."""

import asyncio
import contextvars
import gc
import sys
import threading
import warnings
import weakref

import greenloop_bridge_example as example
import pytest


def test_a_ready_future_gives_its_result_without_a_turn(loop):
    order = []

    async def main():
        loop.call_soon(order.append, "turn")
        assert await example.ready("value") == "value"
        order.append("ready")

    loop.run_until_complete(main())
    assert order == ["ready", "turn"]


def test_the_object_is_returned_itself(loop):
    thing = object()

    async def main():
        assert await example.ready(thing) is thing
        assert await example.ready(None) is None
        stop = StopIteration(3)
        assert await example.ready(stop) is stop

    loop.run_until_complete(main())
    assert sys.getrefcount(thing) == 2


def test_another_thread_gives_a_result(loop):
    async def main():
        return await asyncio.gather(*(example.from_thread(number) for number in range(20)))

    assert loop.run_until_complete(main()) == [number**2 for number in range(20)]


def test_a_sleep_lasts_as_long_as_it_should(loop):
    async def main():
        before = loop.time()
        await example.sleep(0.02)
        assert loop.time() - before >= 0.02

    loop.run_until_complete(main())


def test_a_future_that_wakes_itself_lets_everybody_else_run(loop):
    order = []

    async def other():
        for turn in range(3):
            order.append(turn)
            await asyncio.sleep(0)

    async def main():
        task = loop.create_task(other())
        order.append(await example.yield_times(2))
        await task

    loop.run_until_complete(main())
    # Two turns of the other task, and one in which both go on.
    assert sorted(order) == [0, 1, 2, 2]
    assert order[:2] == [0, 1]


def test_a_large_future_is_kept_elsewhere(loop):
    async def main():
        return await example.large()

    assert loop.run_until_complete(main()) == 100


def test_an_exception_passes_unchanged(loop):
    error = KeyError("x")

    async def main():
        with pytest.raises(KeyError) as caught:
            await example.fail(error)
        assert caught.value is error

    loop.run_until_complete(main())


@pytest.mark.parametrize(("moment", "text"), [("poll", "polled"), ("woken", "woken")])
def test_a_panic_is_raised_and_the_loop_goes_on(loop, moment, text):
    async def main():
        with pytest.raises(BaseException, match=f"a panic when {text}") as caught:
            await example.panic_at(moment)
        assert type(caught.value).__name__ == "PanicException"
        return await example.ready("going on")

    assert loop.run_until_complete(main()) == "going on"


def test_a_panic_in_a_destructor_is_reported_and_the_cancellation_goes_on(loop, monkeypatch):
    reported = []
    monkeypatch.setattr(sys, "unraisablehook", lambda report: reported.append(report.exc_value))

    async def main():
        task = loop.create_task(example_coroutine())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    async def example_coroutine():
        await example.panic_at("drop")

    loop.run_until_complete(main())
    assert [str(error) for error in reported] == ["a panic when dropped"]


def test_cancelling_the_task_drops_the_future_before_the_task_goes_on(loop):
    flag = example.Flag()

    async def waits():
        try:
            await flag.wait()
        except asyncio.CancelledError as error:
            assert flag.dropped == 1
            assert error.args == ("why",)
            raise

    async def main():
        task = loop.create_task(waits())
        await asyncio.sleep(0)
        assert flag.dropped == 0
        task.cancel("why")
        with pytest.raises(asyncio.CancelledError):
            await task
        flag.set()

    loop.run_until_complete(main())


def test_a_timeout_ends_a_wait(loop):
    flag = example.Flag()

    async def main():
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(flag.wait(), 0.01)
        assert flag.dropped == 1

    loop.run_until_complete(main())


def test_a_wake_up_continues_in_the_next_turn(loop):
    flag, order = example.Flag(), []

    async def waits():
        await flag.wait()
        order.append("woken")

    async def main():
        task = loop.create_task(waits())
        await asyncio.sleep(0)
        flag.set()
        order.append("set")
        await task

    loop.run_until_complete(main())
    assert order == ["set", "woken"]


def test_a_future_is_polled_in_the_context_of_its_task(loop):
    variable = contextvars.ContextVar("variable", default="outer")
    seen = []

    class Look:
        def __await__(self):
            seen.append(variable.get())
            yield from asyncio.sleep(0).__await__()
            seen.append(variable.get())

    async def task(name):
        variable.set(name)
        await example.pass_through(Look())
        assert variable.get() == name

    async def main():
        await asyncio.gather(task("a"), task("b"))

    loop.run_until_complete(main())
    assert sorted(seen) == ["a", "a", "b", "b"]
    assert variable.get() == "outer"


def test_it_can_be_awaited_once(loop):
    async def main():
        awaitable = example.ready(1)
        assert await awaitable == 1
        with pytest.raises(RuntimeError, match="already awaited"):
            await awaitable

    loop.run_until_complete(main())


def test_two_cannot_await_the_same_one(loop):
    flag = example.Flag()

    async def main():
        awaitable = flag.wait()

        async def waits():
            await awaitable

        first = loop.create_task(waits())
        await asyncio.sleep(0)
        with pytest.raises(RuntimeError, match="being awaited already"):
            await awaitable
        flag.set()
        await first

    loop.run_until_complete(main())


def test_it_can_be_a_task_itself(loop):
    async def main():
        return await asyncio.gather(example.ready(1), asyncio.ensure_future(example.from_thread(2)))

    assert loop.run_until_complete(main()) == [1, 4]


def test_one_that_is_never_awaited_does_nothing_and_is_warned_of():
    flag = example.Flag()
    with pytest.warns(RuntimeWarning, match="never awaited"):
        flag.wait()
        gc.collect()
    assert flag.dropped == 1


def test_without_a_loop_a_ready_one_is_done_and_another_one_raises():
    with pytest.raises(StopIteration) as stop:
        example.ready(5).send(None)
    assert stop.value.value == 5
    with pytest.raises(RuntimeError, match="no running event loop"):
        example.never().send(None)


def test_closing_it_drops_the_future(loop):
    flag = example.Flag()

    async def main():
        awaitable = flag.wait()
        awaitable.send(None)
        awaitable.close()
        assert flag.dropped == 1

    loop.run_until_complete(main())


def test_another_thread_may_not_poll_what_is_not_send(loop_factory):
    awaitable = example.ready(1)
    outcome = []

    def other():
        loop = loop_factory()
        try:
            loop.run_until_complete(awaitable)
        except RuntimeError as error:
            outcome.append(str(error))
        finally:
            loop.close()

    thread = threading.Thread(target=other)
    unraisable = []
    hook, sys.unraisablehook = sys.unraisablehook, unraisable.append
    try:
        thread.start()
        thread.join()
    finally:
        sys.unraisablehook = hook
    assert outcome == ["a Rust future is awaited by another thread than the one that made it"]


def test_a_wait_without_wakers_is_garbage_with_its_task(loop):
    async def main():
        async def waits():
            await example.never()

        task = loop.create_task(waits())
        await asyncio.sleep(0)
        reference = weakref.ref(task)
        del task
        gc.collect()
        return reference

    loop.set_exception_handler(lambda loop, context: None)
    reference = loop.run_until_complete(main())
    assert reference() is None


def test_a_waker_keeps_the_task_alive(loop):
    flag, done = example.Flag(), []

    async def waits():
        await flag.wait()
        done.append(True)

    async def main():
        loop.create_task(waits())
        await asyncio.sleep(0)
        gc.collect()
        flag.set()
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    loop.run_until_complete(main())
    assert done == [True]


def test_the_last_waker_lets_go_of_the_task(loop):
    flag = example.Flag()

    async def waits():
        await flag.wait()

    async def main():
        task = loop.create_task(waits())
        await asyncio.sleep(0)
        reference = weakref.ref(task)
        del task
        gc.collect()
        assert reference() is not None
        flag.forget()
        gc.collect()
        return reference

    loop.set_exception_handler(lambda loop, context: None)
    reference = loop.run_until_complete(main())
    assert reference() is None
    assert flag.dropped == 1


def test_a_waker_is_without_effect_when_the_loop_is_closed(loop_factory):
    flag = example.Flag()
    loop = loop_factory()

    async def waits():
        await flag.wait()

    task = loop.create_task(waits())
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()
    flag.disturb()
    flag.set()
    assert not task.done()
    task._log_destroy_pending = False
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        del task
        gc.collect()


def test_a_waker_of_a_task_that_is_over_is_without_effect(loop):
    flag = example.Flag()

    async def main():
        task = loop.create_task(asyncio.wait_for(flag.wait(), 0.001))
        with pytest.raises(TimeoutError):
            await task
        flag.disturb()
        flag.set()
        await asyncio.sleep(0)

    loop.run_until_complete(main())
