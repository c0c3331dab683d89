"""What is done to the object that a step yields, before the task has received it.

Code between a task and what it awaits sees each object first: an `__await__` that passes on what
an inner one yields, as tracers, bridges between loops and injectors of faults have.
"""

import asyncio
import sys

import pytest

from primitives_under_test import turns
from waits_under_test import WAITS, wait_for_one


class Passing:
    """Passes on all that an awaitable yields, and looks at each object first."""

    def __init__(self, awaitable, look):
        self._awaitable = awaitable
        self._look = look

    def __await__(self):
        steps = self._awaitable.__await__()
        try:
            yielded = next(steps)
            while True:
                self._look(yielded)
                try:
                    sent = yield yielded
                except GeneratorExit:
                    steps.close()
                    raise
                except BaseException as error:
                    yielded = steps.throw(error)
                else:
                    yielded = steps.send(sent)
        except StopIteration as end:
            return end.value


async def begun(scopes, begin, look):
    """A task that waits, and what ends its wait. Only the first object is looked at."""
    awaitable, end = await begin(scopes)
    looked = []

    def look_once(yielded):
        if not looked:
            looked.append(yielded)
            look(yielded)

    async def main():
        return await Passing(awaitable, look_once)

    return asyncio.get_running_loop().create_task(main()), end


@pytest.mark.parametrize("begin", WAITS)
def test_a_callback_is_called_and_then_the_task_goes_on(scopes, begin):
    async def main():
        called = []

        def look(yielded):
            yielded.add_done_callback(lambda future: called.append((future.done(), task.done())))

        task, end = await begun(scopes, begin, look)
        await turns(2)
        assert not task.done()
        end()
        plain, end = await begin(scopes)
        end()
        assert type(await task) is type(await plain)
        assert called == [(True, False)]

    scopes.run(main())


# In 3.11, `wait_for` returns a result that is there, and forgets the cancellation.
CANCELLED_LATE = [
    begin for begin in WAITS if sys.version_info >= (3, 12) or begin is not wait_for_one
]


@pytest.mark.parametrize("begin", CANCELLED_LATE)
def test_cancelling_the_task_by_a_callback_comes_before_its_next_step(scopes, begin):
    async def main():
        def look(yielded):
            yielded.add_done_callback(lambda _: task.cancel())

        task, end = await begun(scopes, begin, look)
        await turns(2)
        end()
        with pytest.raises(asyncio.CancelledError):
            await task

    scopes.run(main())


@pytest.mark.parametrize(
    "question",
    [
        lambda yielded: yielded.get_loop(),
        lambda yielded: pytest.raises(asyncio.InvalidStateError, yielded.result),
        lambda yielded: pytest.raises(asyncio.InvalidStateError, yielded.exception),
        lambda yielded: yielded.remove_done_callback(print),
    ],
    ids=["get_loop", "result", "exception", "remove_done_callback"],
)
@pytest.mark.parametrize("begin", WAITS)
def test_a_question_changes_nothing(scopes, begin, question):
    async def main():
        task, end = await begun(scopes, begin, question)
        await turns(2)
        assert not task.done()
        end()
        plain, end = await begin(scopes)
        end()
        assert type(await task) is type(await plain)

    scopes.run(main())


@pytest.mark.parametrize("is_asked_before", [False, True])
@pytest.mark.parametrize("begin", WAITS)
def test_what_is_cancelled_cancels_the_task(scopes, begin, is_asked_before):
    async def main():
        def look(yielded):
            if is_asked_before:
                yielded.get_loop()
            assert yielded.cancel("why")

        task, _ = await begun(scopes, begin, look)
        with pytest.raises(asyncio.CancelledError):
            await task

    scopes.run(main())


@pytest.mark.parametrize("begin", WAITS)
def test_an_exception_that_is_set_is_raised_in_the_task(scopes, begin):
    async def main():
        task, _ = await begun(scopes, begin, lambda yielded: yielded.set_exception(KeyError(7)))
        with pytest.raises(KeyError):
            await task

    scopes.run(main())


@pytest.mark.parametrize("begin", WAITS)
def test_a_cancelled_task_stops_waiting(scopes, begin):
    async def main():
        task, _ = await begun(scopes, begin, lambda yielded: yielded.get_loop())
        await turns(2)
        assert task._fut_waiter is not None
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    scopes.run(main())


@pytest.mark.parametrize("begin", WAITS)
def test_a_task_that_was_cancelled_in_that_step_does_not_wait(scopes, begin):
    async def main():
        def look(yielded):
            yielded.get_loop()
            asyncio.current_task().cancel()

        task, _ = await begun(scopes, begin, look)
        with pytest.raises(asyncio.CancelledError):
            await task

    scopes.run(main())
