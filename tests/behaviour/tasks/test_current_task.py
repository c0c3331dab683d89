"""current_task and all_tasks: what foreign code sees, from inside, outside and other threads."""

import asyncio
import sys
import threading

import pytest

seen_by_native_code = pytest.mark.skipif(
    sys.version_info >= (3, 14), reason="since 3.14 native code does not know asyncio's Python Task"
)


async def forever():
    await asyncio.get_running_loop().create_future()


def test_there_is_no_current_task_outside_a_loop():
    with pytest.raises(RuntimeError):
        asyncio.current_task()


def test_there_is_no_current_task_in_a_callback(loop):
    seen = []

    def look():
        seen.append((asyncio.current_task(), asyncio.current_task(loop)))
        loop.stop()

    loop.call_soon(look)
    loop.run_forever()
    assert seen == [(None, None)]


@pytest.mark.parametrize("where", ["timer", "done callback", "threadsafe", "reader"])
def test_there_is_no_current_task_after_a_step(loop, where):
    """Whatever runs between two steps of tasks sees none."""
    import socket

    seen = []
    near, far = socket.socketpair()

    def look(*_):
        seen.append(asyncio.current_task(loop))

    async def main():
        if where == "timer":
            loop.call_later(0, look)
        elif where == "done callback":
            future = loop.create_future()
            future.add_done_callback(look)
            future.set_result(None)
        elif where == "threadsafe":
            loop.call_soon_threadsafe(look)
        else:
            loop.add_reader(near, lambda: (look(), loop.remove_reader(near)))
            far.send(b"x")
        while not seen:
            await asyncio.sleep(0)

    with near, far:
        loop.run_until_complete(main())
    assert seen == [None]


def test_each_task_sees_itself_after_every_await(loop):
    async def body():
        me = asyncio.current_task()
        for _ in range(5):
            await asyncio.sleep(0)
            assert asyncio.current_task() is me
        return me

    tasks = [loop.create_task(body()) for _ in range(10)]
    loop.run_until_complete(asyncio.wait(tasks))
    assert [task.result() for task in tasks] == tasks


@seen_by_native_code
def test_native_and_python_tasks_take_turns_as_current_task(loop):
    """asyncio's Python Task enters and leaves by asyncio's functions."""
    seen = []

    async def body():
        for _ in range(3):
            seen.append(asyncio.current_task())
            await asyncio.sleep(0)

    tasks = [
        loop.create_task(body()),
        asyncio.tasks._PyTask(body(), loop=loop),
        asyncio.Task(body(), loop=loop),
        loop.create_task(body()),
    ]
    loop.run_until_complete(asyncio.wait(tasks))
    assert seen == tasks * 3
    assert [task.exception() for task in tasks] == [None] * 4


def test_the_current_task_of_a_loop_can_be_asked_for_in_another_thread(loop):
    """The thread waits for the answer, so the loop cannot go on meanwhile."""
    seen = []

    async def main():
        thread = threading.Thread(target=lambda: seen.append(asyncio.current_task(loop)))
        thread.start()
        thread.join()
        return asyncio.current_task()

    assert loop.run_until_complete(main()) is seen[0]


def test_there_is_no_current_task_after_an_exception_left_the_run(loop):
    async def leave():
        raise SystemExit(3)

    loop.create_task(leave())
    with pytest.raises(SystemExit):
        loop.run_forever()
    assert asyncio.current_task(loop) is None
    loop.run_until_complete(asyncio.sleep(0))


def test_all_tasks_can_be_asked_for_in_another_thread(loop):
    seen = []

    async def main():
        others = [loop.create_task(forever()) for _ in range(3)]
        thread = threading.Thread(target=lambda: seen.append(asyncio.all_tasks(loop)))
        thread.start()
        thread.join()
        for task in others:
            task.cancel()
        return {asyncio.current_task(), *others}

    assert loop.run_until_complete(main()) == seen[0]


def test_all_tasks_are_those_of_one_loop(loop, loop_factory):
    other = loop_factory()
    here, there = loop.create_task(forever()), other.create_task(forever())
    try:
        assert asyncio.all_tasks(loop) == {here}
        assert asyncio.all_tasks(other) == {there}
    finally:
        there.cancel()
        other.run_until_complete(asyncio.wait([there]))
        other.close()


def test_all_tasks_outside_a_loop_needs_one():
    with pytest.raises(RuntimeError):
        asyncio.all_tasks()


@seen_by_native_code
def test_all_tasks_has_tasks_of_every_kind(loop):
    tasks = {
        loop.create_task(forever()),
        asyncio.Task(forever(), loop=loop),
        asyncio.tasks._PyTask(forever(), loop=loop),
    }
    assert asyncio.all_tasks(loop) == tasks


@pytest.mark.skipif(sys.version_info < (3, 14), reason="the call graph is new in Python 3.14")
class TestCallGraph:
    """asyncio.capture_call_graph: who awaits whom."""

    def test_a_graph_names_the_frames_and_the_awaiting_tasks(self, loop):
        graphs = []

        async def inner():
            graphs.append(asyncio.capture_call_graph())

        async def outer():
            await loop.create_task(inner(), name="inner")

        loop.run_until_complete(loop.create_task(outer(), name="outer"))
        (graph,) = graphs
        assert graph.future.get_name() == "inner"
        assert "inner" in [entry.frame.f_code.co_name for entry in graph.call_stack]
        (awaited_by,) = graph.awaited_by
        assert awaited_by.future.get_name() == "outer"

    def test_a_graph_goes_through_gather_and_groups(self, loop):
        graphs = []

        async def inner():
            await asyncio.sleep(0)
            graphs.append(asyncio.capture_call_graph())

        async def grouped():
            async with asyncio.TaskGroup() as group:
                group.create_task(inner())

        async def outer():
            await asyncio.gather(grouped())

        loop.run_until_complete(loop.create_task(outer(), name="outer"))
        names, graph = [], graphs[0]
        while graph.awaited_by:
            (graph,) = graph.awaited_by
            names.append(graph.future)
        assert names[-1].get_name() == "outer"

    def test_an_edge_is_gone_when_the_wait_is_over(self, loop):
        async def main():
            future = loop.create_future()

            async def wait():
                await future

            task = loop.create_task(wait())
            await asyncio.sleep(0)
            before = asyncio.capture_call_graph(future).awaited_by
            future.set_result(None)
            await task
            after = asyncio.capture_call_graph(future).awaited_by
            return [one.future for one in before] == [task], after

        assert loop.run_until_complete(main()) == (True, ())

    def test_a_future_awaited_by_many_has_many_edges(self, loop):
        async def main():
            future = loop.create_future()

            async def wait():
                await future

            tasks = {loop.create_task(wait()) for _ in range(5)}
            await asyncio.sleep(0)
            seen = {one.future for one in asyncio.capture_call_graph(future).awaited_by}
            future.set_result(None)
            await asyncio.wait(tasks)
            return seen == tasks

        assert loop.run_until_complete(main())

    def test_a_graph_can_be_formatted(self, loop):
        async def main():
            return asyncio.format_call_graph()

        text = loop.run_until_complete(loop.create_task(main(), name="main"))
        assert "main" in text
        assert text.startswith("* Task(name='main'")
