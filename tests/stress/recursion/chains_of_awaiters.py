"""Chains and circles of tasks and futures that are cancelled with the one that awaits them."""

import asyncio
import sys

from registry import chain, on_ordinary_stack, until_it_ends


def end_of(task):
    return "cancelled" if task.cancelled() else repr(task.exception() or task.result())


@chain("True, True, {'cancelled'}, {1}")
@on_ordinary_stack
def cancelling_tasks_that_await_each_other(loop, length):
    async def follow(inner):
        await inner

    async def main():
        tasks = [loop.create_task(follow(loop.create_future()))]
        for _ in range(length):
            tasks.append(loop.create_task(follow(tasks[-1])))
        await asyncio.sleep(0)
        first, last = tasks[0], tasks.pop()
        try:
            cancelled = last.cancel()
        except RecursionError:
            return "RecursionError"
        try:
            await last
        except asyncio.CancelledError:
            pass
        ends = {end_of(task) for task in tasks}
        requests = {task.cancelling() for task in tasks}
        return f"{cancelled}, {first.cancelled()}, {ends}, {requests}"

    return loop.run_until_complete(main())


@chain("True, cancelled")
@on_ordinary_stack
def cancelling_a_chain_whose_end_is_done(loop, length):
    """A task that awaits one that is done, and does not know yet, is cancelled at its step."""

    async def follow(inner):
        await inner

    async def main():
        inner = future = loop.create_future()
        for _ in range(length):
            inner = loop.create_task(follow(inner))
        await asyncio.sleep(0)
        future.set_result(None)
        try:
            cancelled = inner.cancel()
        except RecursionError:
            return "RecursionError"
        try:
            await inner
        except asyncio.CancelledError:
            return f"{cancelled}, cancelled"

    return loop.run_until_complete(main())


@chain("True, True")
def cancelling_gathers_of_gathers(loop, length):
    async def main():
        inner = future = loop.create_future()
        for _ in range(length):
            inner = asyncio.gather(inner, loop.create_future())
        try:
            cancelled = inner.cancel()
        except RecursionError:
            return "RecursionError"
        return f"{cancelled}, {future.cancelled()}"

    return loop.run_until_complete(main())


@chain("True, True")
@on_ordinary_stack
def cancelling_gathers_in_tasks(loop, length):
    async def gather(inner):
        await asyncio.gather(inner)

    async def main():
        inner = future = loop.create_future()
        for _ in range(length):
            inner = loop.create_task(gather(inner))
        await asyncio.sleep(0)
        try:
            cancelled = inner.cancel()
        except RecursionError:
            return "RecursionError"
        try:
            await inner
        except asyncio.CancelledError:
            pass
        return f"{cancelled}, {future.cancelled()}"

    return loop.run_until_complete(main())


def cancel_circle(loop, length, awaits):
    """Cancel one of two tasks that await each other."""

    async def main():
        box = []

        async def await_other(place):
            await awaits(box[place])

        box += [loop.create_task(await_other(1)), loop.create_task(await_other(0))]
        for _ in range(3):
            await asyncio.sleep(0)
        try:
            cancelled = box[0].cancel()
        except RecursionError:
            return "RecursionError"
        finally:
            for task in box:
                task._log_destroy_pending = False
        return repr(cancelled)

    return loop.run_until_complete(main())


@chain("RecursionError")
def a_circle_of_tasks(loop, length):
    return cancel_circle(loop, length, lambda task: task)


@chain("RecursionError")
def a_circle_of_gathers(loop, length):
    return cancel_circle(loop, length, asyncio.gather)


@chain("RecursionError")
def a_circle_of_many_in_gathers(loop, length):
    def awaits(task):
        return asyncio.gather(*(loop.create_future() for _ in range(10)), asyncio.gather(task))

    return cancel_circle(loop, length, awaits)


@chain("RecursionError")
def a_circle_of_wait_for(loop, length):
    return cancel_circle(loop, length, lambda task: asyncio.wait_for(task, None))


@chain("True")
def a_circle_of_wait(loop, length):
    return cancel_circle(loop, length, lambda task: asyncio.wait([task]))


@chain("True")
def a_circle_of_shields(loop, length):
    return cancel_circle(loop, length, asyncio.shield)


@chain("RecursionError")
def a_circle_through_a_subclass(loop, length):
    class Other(asyncio.Task):
        def cancel(self, msg=None):
            return super().cancel(msg)

    loop.set_task_factory(
        lambda loop, coroutine, **keywords: Other(coroutine, loop=loop, **keywords)
    )
    return cancel_circle(loop, length, lambda task: task)


@chain("RecursionError")
def a_task_that_gathers_itself(loop, length):
    async def gather_all():
        await asyncio.gather(*asyncio.all_tasks())

    task = loop.create_task(gather_all())
    loop.run_until_complete(asyncio.sleep(0))
    task._log_destroy_pending = False
    return until_it_ends(task.cancel)


if sys.version_info >= (3, 14):

    @chain("RecursionError")
    def a_circle_and_its_call_graph(loop, length):
        async def main():
            box = []

            async def await_other(place):
                await box[place]

            box += [loop.create_task(await_other(1)), loop.create_task(await_other(0))]
            await asyncio.sleep(0)
            try:
                asyncio.capture_call_graph(box[0])
            except RecursionError:
                return "RecursionError"
            finally:
                for task in box:
                    task._log_destroy_pending = False

        return loop.run_until_complete(main())
