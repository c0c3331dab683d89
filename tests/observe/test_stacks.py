"""What tools that look at stacks show of a waiting task: asyncio is the oracle, name by name."""

import asyncio
import gc
import inspect
import io
import re
import sys
import weakref

import places_to_wait
import pytest

import greenloop
from greenloop import stand_ins

# Methods of the loop that are Python functions of ours, and therefore have a frame of their own.
OURS = [places_to_wait.start_tls]

# A call graph is that of asyncio in Python 3.14.
graphs = pytest.mark.skipif(sys.version_info < (3, 14), reason="call graphs are of Python 3.14")


def frames(coroutine):
    """Return the frames from a coroutine inwards, as `asyncio.capture_call_graph` finds them."""
    found = []
    while hasattr(coroutine, "cr_await"):
        if coroutine.cr_frame is not None:
            found.append(coroutine.cr_frame)
        coroutine = coroutine.cr_await
    return found


def names_of(frames):
    return [frame.f_code.co_qualname for frame in frames]


def places_of(frames):
    return [(frame.f_code.co_filename, frame.f_lineno) for frame in frames]


def seen(kit, wait, look):
    """Return what `look` sees of a task that waits, of asyncio's kind or of ours."""

    async def main():
        task = kit.create_task(wait(kit), name="waiting")
        for _ in range(12):
            await kit.sleep(0)
        assert not task.done()
        try:
            return look(task)
        finally:
            task.cancel()
            await kit.sleep(0)

    return kit.run(main())


def compare(wait, look):
    expected = seen(asyncio, wait, look)
    assert seen(greenloop, wait, look) == expected
    return expected


@pytest.mark.parametrize("wait", places_to_wait.WAITS, ids=lambda wait: wait.__name__)
class TestEveryWait:
    """In each place where a task can wait."""

    def test_the_frames_bear_the_names_of_asyncios_functions(self, wait):
        names = compare(
            wait, lambda task: names_of(frames(task.get_coro()))[: -1 if wait in OURS else None]
        )
        assert names[0] == wait.__name__

    def test_the_frames_are_in_asyncios_files_at_the_lines_of_its_awaits(self, wait):
        if wait not in OURS:
            compare(wait, lambda task: places_of(frames(task.get_coro())))

    def test_a_frame_has_the_globals_of_its_module(self, wait):
        def look(task):
            return [frame.f_globals["__name__"] for frame in frames(task.get_coro())]

        if wait not in OURS:
            compare(wait, look)

    @graphs
    def test_a_call_graph_prints_the_same(self, wait):
        def look(task):
            return re.sub(r"id=\w+|Task-\d+", "…", asyncio.format_call_graph(task))

        if wait not in OURS:
            assert "async" in compare(wait, look)


class OnAsyncio:
    """The names of Greenloop, in programs that run on asyncio's loop and in its tasks."""

    run = staticmethod(asyncio.run)

    def __getattr__(self, name):
        return getattr(greenloop, name)


@pytest.mark.parametrize("wait", places_to_wait.WAITS_OF_ANY_LOOP, ids=lambda wait: wait.__name__)
def test_the_frames_are_the_same_where_a_future_is_waited_for(wait):
    expected = seen(asyncio, wait, lambda task: places_of(frames(task.get_coro())))
    assert seen(OnAsyncio(), wait, lambda task: places_of(frames(task.get_coro()))) == expected


async def get(kit):
    return await kit.create_task(kit.Queue().get(), name="get")


def task_named(name):
    (task,) = (task for task in asyncio.all_tasks() if task.get_name() == name)
    return task


def printed_stack(task):
    text = io.StringIO()
    task_named("get").print_stack(file=text)
    return re.sub(r"wait_for=<[^>]*>|Task|0x\w+", "…", text.getvalue())


class TestATaskThatIsAWait:
    """`create_task(queue.get())`: the awaitable is the task's coroutine."""

    def test_its_stack_is_the_frame_of_asyncios_function(self):
        names = compare(get, lambda _: names_of(task_named("get").get_stack()))
        assert names == ["Queue.get"]

    def test_its_stack_is_printed_with_the_line_that_waits(self):
        assert "await getter" in compare(get, printed_stack)

    def test_its_repr_says_where_it_waits(self):
        def look(_):
            return re.search("coro=<.*?>", repr(task_named("get")))[0]

        assert "running at" in compare(get, look)

    @pytest.mark.parametrize("kit", [asyncio, greenloop], ids=["asyncio", "greenloop"])
    def test_it_goes_through_the_states_of_a_coroutine(self, kit):
        async def main():
            coroutine = kit.Queue().get()
            code = coroutine.cr_code
            states = [inspect.getcoroutinestate(coroutine)]
            assert coroutine.cr_frame.f_lineno == code.co_firstlineno
            assert coroutine.cr_await is None
            task = kit.create_task(coroutine)
            await kit.sleep(0)
            states.append(inspect.getcoroutinestate(coroutine))
            task.cancel()
            await kit.wait([task])
            states.append(inspect.getcoroutinestate(coroutine))
            assert coroutine.cr_frame is None
            assert coroutine.cr_await is None
            assert coroutine.cr_code is code is asyncio.Queue.get.__code__
            return states

        assert kit.run(main()) == ["CORO_CREATED", "CORO_SUSPENDED", "CORO_CLOSED"]


class TestAStandIn:
    """The coroutine behind such a frame."""

    def test_is_made_when_somebody_asks_and_not_before(self):
        async def main():
            task = greenloop.create_task(places_to_wait.get(greenloop))
            await greenloop.sleep(0)
            awaitable = task.get_coro().cr_await
            before = stand_ins._suspending.cache_info()
            await greenloop.sleep(0)
            repr(task), gc.get_referents(awaitable)
            assert stand_ins._suspending.cache_info() == before
            assert awaitable.cr_frame is awaitable.cr_frame
            assert stand_ins._suspending.cache_info() != before

        greenloop.run(main())

    def test_ends_with_the_awaitable(self):
        async def main():
            queue = greenloop.Queue()
            task = greenloop.create_task(places_to_wait.put(greenloop))
            waiting = greenloop.create_task(queue.join())
            queue.put_nowait(1)
            await greenloop.sleep(0)
            inner = waiting.get_coro().cr_await
            assert inner.cr_frame.f_code.co_name == "wait"
            stand_in = weakref.ref(inner)
            del inner
            assert stand_in() is not None
            queue.task_done()
            await waiting
            del waiting
            gc.collect()
            assert stand_in() is None
            task.cancel()

        greenloop.run(main())

    def test_is_another_when_the_awaitable_goes_on(self):
        """A condition's waiter that was notified waits for the lock."""

        async def main():
            condition = greenloop.Condition()

            async def wait():
                async with condition:
                    await condition.wait()

            task = greenloop.create_task(wait())
            await greenloop.sleep(0)
            before = frames(task.get_coro())
            async with condition:
                condition.notify()
                await greenloop.sleep(0)
                await greenloop.sleep(0)
                after = frames(task.get_coro())
            await task
            return names_of(before), names_of(after)

        name = "TestAStandIn.test_is_another_when_the_awaitable_goes_on.<locals>.main.<locals>.wait"
        before = [name, "Condition.wait"]
        assert greenloop.run(main()) == (before, [*before, "Lock.acquire"])

    def test_shows_asyncios_functions_after_install(self):
        greenloop.install()
        try:
            assert stand_ins.code_of("Queue.get") is asyncio.queues.Queue.get.__code__
            names = seen(
                greenloop, places_to_wait.join, lambda task: names_of(frames(task.get_coro()))
            )
        finally:
            greenloop.uninstall()
        assert names == ["join", "Queue.join", "Event.wait"]

    def test_is_not_had_for_what_asyncio_does_not_have(self):
        assert stand_ins.code_of("rust_future") is None
        assert stand_ins.stand_in(["rust_future"], "") is None

    def test_leaves_out_a_function_that_this_asyncio_does_not_have(self):
        stand_in = stand_ins.stand_in(["Queue.join", "Queue._wait_somehow", "Event.wait"], "")
        assert names_of(frames(stand_in)) == ["Queue.join", "Event.wait"]

    def test_stands_in_the_first_line_where_no_await_is_found(self):
        stand_in = stand_ins.stand_in(["Barrier.__aexit__"], "")
        (frame,) = frames(stand_in)
        assert frame.f_lineno == asyncio.Barrier.__aexit__.__code__.co_firstlineno
