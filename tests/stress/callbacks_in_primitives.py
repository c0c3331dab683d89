"""Scenarios whose predicates, callbacks and eager tasks run in the midst of a primitive's work."""

import asyncio
import sys

from scenarios import Trouble, attempt


def predicate_that_raises(loop, one):
    def refuse():
        raise Trouble("asked")

    async def main():
        condition = one.api.Condition()
        try:
            async with condition:
                await condition.wait_for(refuse)
        except Trouble as error:
            return str(error), condition.locked()

    return loop.run_until_complete(main())


def predicate_that_notifies(loop, one):
    order, asked = [], []

    async def wait(condition, number):
        def enough():
            asked.append(number)
            condition.notify_all()
            return len(asked) > 6

        async with condition:
            await condition.wait_for(enough)
            order.append(number)

    async def main():
        condition = one.api.Condition()
        tasks = [loop.create_task(wait(condition, number)) for number in range(3)]
        await asyncio.sleep(0)
        async with condition:
            condition.notify_all()
        await asyncio.wait(tasks, timeout=0.01)
        order.append([task.done() for task in tasks])
        for task in tasks:
            task.cancel()

    loop.run_until_complete(main())
    return order, asked


def callback_of_a_child_that_cancels_the_gathering(loop, one):
    order = []

    async def child(number):
        try:
            await asyncio.sleep(0)
            return number
        finally:
            order.append(number)

    async def main():
        children = [loop.create_task(child(number)) for number in range(3)]
        children[0].add_done_callback(lambda _: order.append(gathering.cancel("stop")))
        gathering = one.api.gather(*children)
        children[0].add_done_callback(lambda _: order.append(gathering.cancel()))
        try:
            order.append(await gathering)
        except asyncio.CancelledError as error:
            order.append(error.args)

    loop.run_until_complete(main())
    return order


def callback_of_a_future_that_sets_others(loop, one):
    order = []

    async def main():
        futures = [loop.create_future() for _ in range(3)]
        futures[0].add_done_callback(lambda _: [one.set_result(1) for one in futures[1:]])
        loop.call_soon(futures[0].set_result, 0)
        done, pending = await one.api.wait(futures, return_when=asyncio.FIRST_COMPLETED)
        order.append((len(done), len(pending)))
        order.append([await each for each in one.api.as_completed(futures[:1])])

    loop.run_until_complete(main())
    return order


def callback_that_reschedules_the_limit(loop, one):
    order = []

    async def main():
        try:
            async with one.api.timeout(3600) as limit:
                loop.call_soon(limit.reschedule, loop.time() - 1)
                loop.call_soon(lambda: order.append(attempt(limit.reschedule, None)))
                await asyncio.sleep(0)
                await asyncio.sleep(0)
                await asyncio.sleep(0.001)
                order.append("in time")
        except TimeoutError:
            order.append("too late")
        order.append(limit.expired())

    loop.run_until_complete(main())
    return order


def child_that_adds_children_while_the_group_ends(loop, one):
    order = []

    async def child(group, number):
        if number:
            order.append(number)
            await asyncio.sleep(0)
            group.create_task(child(group, number - 1))

    async def failing(group):
        try:
            await asyncio.sleep(3600)
        finally:
            coroutine = child(group, 1)
            order.append(attempt(group.create_task, coroutine)[0] is RuntimeError)
            coroutine.close()
            raise Trouble("in the end")

    async def main():
        async with one.api.TaskGroup() as group:
            group.create_task(child(group, 3))
        try:
            async with one.api.TaskGroup() as group:
                group.create_task(failing(group))
                await asyncio.sleep(0)
                raise Trouble("in the body")
        except* Trouble as errors:
            order.append(sorted(map(str, errors.exceptions)))

    loop.run_until_complete(main())
    return order


def wake_up_within_a_wake_up(loop, one):
    """Eager tasks run inside of `create_task`, in the midst of somebody's step."""
    order = []
    if sys.version_info < (3, 12):
        return order

    async def waiter(event, number):
        await event.wait()
        order.append(number)

    async def main():
        loop.set_task_factory(asyncio.create_eager_task_factory(one.task))
        event, queue = one.api.Event(), one.api.Queue()
        tasks = [loop.create_task(waiter(event, number)) for number in range(3)]
        event.set()
        tasks.append(loop.create_task(waiter(event, "late")))
        event.clear()
        tasks.append(loop.create_task(queue.put("item")))
        order.append(queue.qsize())
        order.append(await queue.get())
        await asyncio.wait(tasks)

    loop.run_until_complete(main())
    loop.set_task_factory(None)
    return order


def primitive_of_another_loop(loop, one):
    other, results = one.new_loop(), []

    async def block(wait):
        try:
            await asyncio.wait_for(wait(), 0.001)
        except TimeoutError:
            results.append("bound")
        except RuntimeError as error:
            results.append(str(error).partition("> ")[2])

    lock, event, queue = one.api.Lock(), one.api.Event(), one.api.Queue()

    async def bind():
        await lock.acquire()
        for wait in (lock.acquire, event.wait, queue.get):
            await block(wait)

    loop.run_until_complete(bind())
    for wait in (lock.acquire, event.wait, queue.get):
        other.run_until_complete(block(wait))
    other.close()
    return results
