"""Two tasks of one coroutine: the first gets its result, and the second finds it used up."""

import asyncio
import sys

import pytest

from primitives_under_test import turns
from waits_under_test import WAITS, wait_for_one

# In 3.11, `wait_for` waits for what it has cancelled, and the second task resumes that wait.
ENDED_BY_CANCELLING = [
    begin for begin in WAITS if sys.version_info >= (3, 12) or begin is not wait_for_one
]

USED_UP = "cannot reuse already awaited coroutine"


async def two_tasks(scopes, begin):
    """Both tasks, which wait, and what ends the wait."""
    awaitable, end = await begin(scopes)
    tasks = [asyncio.ensure_future(awaitable), asyncio.ensure_future(awaitable)]
    await turns(1)
    assert not any(task.done() for task in tasks)
    return *tasks, end


@pytest.mark.parametrize("begin", WAITS)
def test_the_first_goes_on_and_the_second_is_refused(scopes, begin):
    async def main():
        first, second, end = await two_tasks(scopes, begin)
        end()
        assert isinstance(await first, bool | int | tuple | None)
        with pytest.raises(RuntimeError, match=USED_UP):
            await second

    scopes.run(main())


@pytest.mark.parametrize("which", [0, 1], ids=["the first", "the second"])
@pytest.mark.parametrize("begin", ENDED_BY_CANCELLING)
def test_cancelling_either_ends_the_one_wait_of_both(scopes, begin, which):
    async def main():
        first, second, _ = await two_tasks(scopes, begin)
        (first, second)[which].cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        with pytest.raises(RuntimeError, match=USED_UP):
            await second

    scopes.run(main())


def test_a_sleep_with_a_callback_on_its_future_returns_its_result(loop):
    async def main():
        called = []
        task = loop.create_task(asyncio.sleep(1e-4, 7))
        await turns(1)
        task._fut_waiter.add_done_callback(lambda future: called.append(future.done()))
        assert await task == 7
        assert called == [True]

    loop.run_until_complete(main())
