"""TaskGroup: children that end together, what their parent sees, and who is cancelled."""

import asyncio
import contextvars
import gc
import sys
import weakref

import pytest

from primitives_under_test import turns


async def give(value, number=0):
    await turns(number)
    return value


async def fail(error, number=0):
    await turns(number)
    raise error


async def forever():
    await asyncio.get_running_loop().create_future()


def test_the_block_ends_when_all_children_have(scopes):
    async def main():
        async with scopes.TaskGroup() as group:
            tasks = [group.create_task(give(number, number)) for number in range(5)]
            assert repr(group) == "<TaskGroup tasks=5 entered>"
            assert group._tasks == set(tasks)
        return [task.result() for task in tasks]

    assert scopes.run(main()) == [0, 1, 2, 3, 4]


def test_an_empty_group_takes_no_turn(scopes):
    async def main():
        turned = []
        asyncio.get_running_loop().call_soon(turned.append, 1)
        async with scopes.TaskGroup():
            pass
        return list(turned)

    assert scopes.run(main()) == []


def test_a_child_takes_as_many_turns_as_in_asyncio(scopes):
    async def main():
        turn, running = 0, True

        async def count():
            nonlocal turn
            while running:
                await turns(1)
                turn += 1

        counter = asyncio.create_task(count())
        await turns(1)
        before = turn
        async with scopes.TaskGroup() as group:
            group.create_task(give(None, 2))
        running = False
        await counter
        return turn - before

    assert scopes.run(main()) == 6


def test_a_failure_cancels_the_others_and_the_body(scopes):
    async def main():
        cancelled = []

        async def notes():
            try:
                await forever()
            except asyncio.CancelledError:
                cancelled.append("child")
                raise

        with pytest.raises(ExceptionGroup) as raised:
            async with scopes.TaskGroup() as group:
                group.create_task(fail(KeyError(1), 1))
                group.create_task(notes())
                try:
                    await forever()
                except asyncio.CancelledError:
                    cancelled.append("body")
                    raise
        assert raised.value.message == "unhandled errors in a TaskGroup"
        assert [repr(error) for error in raised.value.exceptions] == ["KeyError(1)"]
        assert raised.value.__cause__ is None
        return cancelled, asyncio.current_task().cancelling()

    assert scopes.run(main()) == (["child", "body"], 0)


def test_errors_of_children_and_body_come_together(scopes):
    async def main():
        async def fails_when_cancelled():
            try:
                await forever()
            except asyncio.CancelledError:
                raise ValueError("child") from None

        with pytest.raises(ExceptionGroup) as raised:
            async with scopes.TaskGroup() as group:
                group.create_task(fails_when_cancelled())
                await turns(1)
                raise KeyError("body")
        return [type(error) for error in raised.value.exceptions]

    assert scopes.run(main()) == [ValueError, KeyError]


def test_a_child_that_is_cancelled_is_no_error(scopes):
    async def main():
        async with scopes.TaskGroup() as group:
            task = group.create_task(forever())
            await turns(1)
            task.cancel()
        return task.cancelled()

    assert scopes.run(main())


def test_the_cancellation_of_the_parent_passes_when_the_children_have_ended(scopes):
    async def main():
        ended = []

        async def slow():
            try:
                await forever()
            finally:
                await turns(3)
                ended.append(True)

        async def parent():
            async with scopes.TaskGroup() as group:
                group.create_task(slow())

        task = asyncio.create_task(parent())
        await turns(2)
        task.cancel("from outside")
        with pytest.raises(asyncio.CancelledError):
            await task
        return ended, task.cancelled()

    assert scopes.run(main()) == ([True], True)


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_what_ends_the_program_is_raised_as_it_is(scopes, error):
    async def main():
        with pytest.raises(error):
            async with scopes.TaskGroup() as group:
                task = group.create_task(forever())
                await turns(1)
                raise error
        return task.cancelled()

    assert scopes.run(main())


def test_children_can_make_children_while_the_block_ends(scopes):
    async def main():
        made = []

        async def grows(group, depth):
            await turns(1)
            made.append(depth)
            if depth:
                group.create_task(grows(group, depth - 1))

        async with scopes.TaskGroup() as group:
            group.create_task(grows(group, 3))
        return made

    assert scopes.run(main()) == [3, 2, 1, 0]


def test_nested_groups_fail_from_the_inside_out(scopes):
    async def main():
        with pytest.raises(ExceptionGroup) as raised:
            async with scopes.TaskGroup() as outer:
                other = outer.create_task(forever())
                async with scopes.TaskGroup() as inner:
                    inner.create_task(fail(KeyError()))
        assert other.cancelled()
        return repr(raised.value.exceptions[0].exceptions[0]), asyncio.current_task().cancelling()

    # Up to 3.12, asyncio forgets to take back the request that the outer group made.
    assert scopes.run(main()) == ("KeyError()", 0 if sys.version_info >= (3, 13) else 1)


def test_a_timeout_ends_a_group_and_its_children(scopes):
    async def main():
        with pytest.raises(TimeoutError):
            async with scopes.timeout(0.001):
                async with scopes.TaskGroup() as group:
                    tasks = [group.create_task(forever()) for _ in range(3)]
        return [task.cancelled() for task in tasks], asyncio.current_task().cancelling()

    assert scopes.run(main()) == ([True] * 3, 0)


def test_a_timeout_inside_of_a_child_is_that_childs_error(scopes):
    async def main():
        async def late():
            async with scopes.timeout(0):
                await forever()

        with pytest.raises(ExceptionGroup) as raised:
            async with scopes.TaskGroup() as group:
                group.create_task(late())
                group.create_task(scopes.wait_for(forever(), 1000))
        return [type(error) for error in raised.value.exceptions]

    assert scopes.run(main()) == [TimeoutError]


def test_names_and_contexts_reach_the_tasks(scopes):
    async def main():
        variable = contextvars.ContextVar("variable", default="outside")
        context = contextvars.copy_context()
        context.run(variable.set, "inside")

        async def look():
            return variable.get()

        async with scopes.TaskGroup() as group:
            named = group.create_task(look(), name="a name")
            elsewhere = group.create_task(look(), context=context, name=None)
        return named.get_name(), named.result(), elsewhere.result()

    assert scopes.run(main()) == ("a name", "outside", "inside")


def test_a_loop_is_asked_for_its_tasks_by_name(scopes):
    async def main():
        loop, asked = asyncio.get_running_loop(), []
        original = loop.create_task

        def create_task(coroutine, **keywords):
            asked.append(sorted(keywords))
            return original(coroutine, **keywords)

        loop.create_task = create_task
        try:
            async with scopes.TaskGroup() as group:
                group.create_task(give(1))
        finally:
            del loop.create_task
        return len(asked)

    assert scopes.run(main()) == 1


def test_a_group_takes_children_only_between_its_beginning_and_its_end(scopes):
    closes = sys.version_info >= (3, 13)

    async def main():
        def refused(group, text):
            coroutine = give(1)
            with pytest.raises(RuntimeError, match=f"^TaskGroup <TaskGroup.*> {text}$"):
                group.create_task(coroutine)
            if not closes:
                coroutine.close()
            with pytest.raises(RuntimeError, match="cannot reuse"):
                coroutine.send(None)

        group = scopes.TaskGroup()
        refused(group, "has not been entered")
        with pytest.raises(ExceptionGroup):
            async with group:
                group.create_task(fail(KeyError()))
                group.create_task(give(1, 9))
                with pytest.raises(asyncio.CancelledError):
                    await forever()
                refused(group, "is shutting down")
        refused(group, "is finished")
        with pytest.raises(RuntimeError, match="has already been entered"):
            async with group:
                pass

    scopes.run(main())


def test_a_group_needs_a_task(scopes):
    refused = []

    async def main():
        def callback():
            try:
                scopes.TaskGroup().__aenter__().send(None)
            except RuntimeError as error:
                refused.append(str(error))

        asyncio.get_running_loop().call_soon(callback)
        await turns(2)

    scopes.run(main())
    assert refused == ["TaskGroup <TaskGroup> cannot determine the parent task"]


def test_an_inherited_group_calls_its_own_methods(scopes):
    called = []

    class Watched(scopes.TaskGroup):
        def _on_task_done(self, task):
            called.append(("done", task.get_name()))
            super()._on_task_done(task)

        def _abort(self):
            called.append("abort")
            super()._abort()

    async def main():
        with pytest.raises(ExceptionGroup):
            async with Watched() as group:
                group.create_task(fail(KeyError(), 1), name="first")
                group.create_task(give(1, 5), name="second")

    scopes.run(main())
    assert called == [("done", "first"), "abort", ("done", "second")]


def test_the_set_of_children_may_be_changed_from_outside(scopes):
    async def main():
        async with scopes.TaskGroup() as group:
            left_alone = group.create_task(forever())
            group.create_task(give(1, 2))
            group._tasks.discard(left_alone)
        left_alone.cancel()
        return repr(group)

    assert scopes.run(main()) == "<TaskGroup entered>"


@pytest.mark.skipif(sys.version_info < (3, 12), reason="there are eager tasks from 3.12 on")
def test_eager_children_may_be_done_before_they_are_children(scopes):
    async def main():
        loop = asyncio.get_running_loop()
        before = loop.get_task_factory()
        loop.set_task_factory(asyncio.eager_task_factory)
        try:
            async with scopes.TaskGroup() as group:
                done = group.create_task(give(1))
                waits = group.create_task(give(2, 2))
                assert done.done() and not waits.done()
        finally:
            loop.set_task_factory(before)
        return done.result(), waits.result()

    assert scopes.run(main()) == (1, 2)


@pytest.mark.skipif(not hasattr(asyncio.TaskGroup, "cancel"), reason="new in 3.15")
@pytest.mark.parametrize("when", ["before", "inside", "later", "by a child"])
def test_a_group_that_is_cancelled_ends_without_an_exception(scopes, when):
    async def main():
        group = scopes.TaskGroup()
        if when == "before":
            group.cancel()
        async with group:
            if when == "later":
                asyncio.get_running_loop().call_soon(group.cancel)
            if when == "by a child":

                async def child():
                    group.cancel()

                group.create_task(child())
            if when == "inside":
                task = group.create_task(forever())
                group.cancel()
                assert not task.done()
            await forever()
        return repr(group), asyncio.current_task().cancelling()

    assert scopes.run(main()) == ("<TaskGroup cancelling>", 0)


@pytest.mark.skipif(sys.version_info < (3, 14), reason="new in 3.14")
def test_the_parent_is_seen_to_await_its_children(scopes):
    async def main():
        async with scopes.TaskGroup() as group:
            task = group.create_task(give(1, 2))
            waits = [entry.future for entry in asyncio.capture_call_graph(task).awaited_by]
        assert not asyncio.capture_call_graph(task).awaited_by
        return waits == [asyncio.current_task()]

    assert scopes.run(main())


def test_nothing_of_a_group_outlives_it(scopes):
    class Thing(Exception):
        pass

    async def main():
        error = Thing()
        kept = weakref.ref(error)
        try:
            async with scopes.TaskGroup() as group:
                group.create_task(fail(error))
        except* Thing:
            pass
        del error
        await turns(2)
        gc.collect()
        return kept() is None, len(group._tasks)

    assert scopes.run(main()) == (True, 0)
