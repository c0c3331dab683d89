"""User code in the midst of a primitive: comparisons, destructors, overridden methods, callbacks.

Wherever a primitive runs user code, that code may raise or use the primitive again. The results are
asyncio's, and nothing is lost, stuck or crashes.
"""

import asyncio
import functools
import gc
import sys
import types

import pytest
from differential import assert_same_primitives


def run_turns(loop, turns=4):
    for _ in range(turns):
        loop.call_soon(loop.stop)
        loop.run_forever()


class Trouble(Exception):
    """What user code raises here."""


@functools.total_ordering
class Item:
    """An item of a priority queue that runs something whenever it is compared."""

    def __init__(self, number, compared=None):
        self.number, self.compared = number, compared

    def __eq__(self, other):
        return self.number == other.number

    def __lt__(self, other):
        if self.compared is not None:
            self.compared()
        return self.number < other.number

    def __repr__(self):
        return f"Item({self.number})"


def attempt(function, *arguments):
    """What a call comes to."""
    try:
        return repr(function(*arguments))
    except Exception as error:
        return type(error), str(error)


def drained(queue):
    """What is in a queue, in its order."""
    items = []
    while not queue.empty():
        items.append(attempt(queue.get_nowait))
        if len(items) > 50:
            return "too many"
    return items


# Comparisons


def raising_comparison_in_put(loop, one):
    def refuse():
        raise Trouble("compared")

    queue = one.api.PriorityQueue()
    results = [attempt(queue.put_nowait, Item(number)) for number in (5, 3, 4)]
    results.append(attempt(queue.put_nowait, Item(1, refuse)))
    results += [queue.qsize(), queue._unfinished_tasks]
    for item in list(queue._queue):
        item.compared = None
    return results, drained(queue)


def raising_comparison_in_get(loop, one):
    trouble = []

    def refuse():
        if trouble:
            raise Trouble("compared")

    queue = one.api.PriorityQueue()
    for number in (5, 3, 4, 1, 2):
        queue.put_nowait(Item(number, refuse))
    trouble.append(True)
    results = [attempt(queue.get_nowait), queue.qsize()]
    trouble.clear()
    return results, sorted(map(str, drained(queue)))


def raising_comparison_while_tasks_wait(loop, one):
    def refuse():
        raise Trouble("compared")

    async def put(item):
        try:
            await queue.put(item)
            results.append(("put", repr(item)))
        except Trouble:
            results.append(("refused", repr(item)))

    async def main():
        tasks = [loop.create_task(put(Item(number, call))) for number, call in plan]
        await asyncio.sleep(0)
        while not queue.empty():
            results.append(("got", repr(await queue.get()), queue.qsize()))
            await asyncio.sleep(0)
        await asyncio.wait(tasks, timeout=0)
        results.append([task.done() for task in tasks])
        for task in tasks:
            task.cancel()

    results, queue = [], one.api.PriorityQueue(2)
    plan = [(3, None), (2, None), (1, refuse), (4, None), (0, refuse), (5, None)]
    loop.run_until_complete(main())
    return results


def comparison_that_looks_at_the_queue(loop, one):
    seen = []
    queue = one.api.PriorityQueue()

    def look():
        seen.append((queue.qsize(), queue.empty(), queue.full(), len(queue._queue)))
        repr(queue)

    for number in (5, 3, 4, 1):
        queue.put_nowait(Item(number, look))
    return seen, drained(queue), seen


def comparison_that_puts(loop, one):
    queue = one.api.PriorityQueue()
    more = [7, 8]

    def put():
        if more:
            queue.put_nowait(Item(more.pop()))

    results = [attempt(queue.put_nowait, Item(number, put)) for number in (5, 3, 4, 1)]
    return results, queue.qsize(), sorted(map(str, drained(queue)))


def comparison_that_gets(loop, one):
    queue, got = one.api.PriorityQueue(), []

    def get():
        if len(got) < 2:
            got.append(attempt(queue.get_nowait))

    results = [attempt(queue.put_nowait, Item(number)) for number in range(6)]
    results.append(attempt(queue.put_nowait, Item(-1, get)))
    return results[:-1], queue.qsize() + len(got), len(got)


def comparison_that_drops_the_queue(loop, one):
    holder = types.SimpleNamespace(queue=one.api.PriorityQueue())

    def drop():
        holder.__dict__.pop("queue", None)
        gc.collect()

    holder.queue.put_nowait(Item(2))
    return attempt(holder.queue.put_nowait, Item(1, drop)), holder.__dict__


def comparison_that_wakes(loop, one):
    queue, event, order = one.api.PriorityQueue(), one.api.Event(), []

    async def wait():
        await event.wait()
        order.append("event")

    async def get():
        order.append(repr(await queue.get()))

    async def main():
        tasks = [loop.create_task(wait()), loop.create_task(get()), loop.create_task(get())]
        await asyncio.sleep(0)
        queue.put_nowait(Item(2))
        queue.put_nowait(Item(1, event.set))
        order.append("put")
        await asyncio.wait(tasks)

    loop.run_until_complete(main())
    return order


# Destructors


class Dying:
    """Runs something when it dies."""

    def __init__(self, last):
        self.last = last

    def __del__(self):
        self.last()

    def __lt__(self, other):
        return id(self) < id(other)


def item_that_puts_when_it_dies(loop, one):
    results = []
    for queue in (one.api.Queue(), one.api.LifoQueue()):
        queue.put_nowait(Dying(functools.partial(queue.put_nowait, "last will")))
        queue.put_nowait("other")
        for _ in range(3):
            item = attempt_type(queue.get_nowait)
            results.append((item, queue.qsize()))
    return results


def attempt_type(function):
    """As `attempt`, for items without a repr, which die with it."""
    try:
        return type(function()).__name__
    except Exception as error:
        return type(error)


def queue_of_the_dying(loop, one):
    """A queue that dies takes items with it that want to use it."""
    wills = []

    def make(kind):
        queue = kind()
        for number in range(3):
            queue.put_nowait(Dying(lambda number=number: wills.append(number)))
        queue.put_nowait(queue)
        return queue

    make(one.api.Queue), make(one.api.LifoQueue)
    gc.collect()
    return sorted(wills)


def cancelled_put_of_the_dying(loop, one):
    order = []
    queue = one.api.Queue(1)

    def last():
        order.append(attempt(queue.get_nowait))

    async def put():
        await queue.put(Dying(last))

    async def main():
        queue.put_nowait("first")
        task = loop.create_task(put())
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        del task
        gc.collect()
        order.append((queue.qsize(), len(queue._putters)))

    loop.run_until_complete(main())
    return order


def result_of_a_sleep_that_dies(loop, one):
    order = []

    async def main():
        event = one.api.Event()
        task = loop.create_task(one.api.sleep(3600, Dying(event.set)))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        del task
        gc.collect()
        order.append(event.is_set())

    loop.run_until_complete(main())
    return order


def local_of_a_waiter_that_dies(loop, one):
    """A task that is cancelled drops what it has, and that releases the lock again."""
    order = []

    async def body(lock):
        mine = Dying(lambda: order.append(attempt(lock.release)))  # noqa: F841
        await lock.acquire()

    async def main():
        lock = one.api.Lock()
        await lock.acquire()
        tasks = [loop.create_task(body(lock)) for _ in range(3)]
        await asyncio.sleep(0)
        tasks[0].cancel()
        await asyncio.wait(tasks, timeout=0.001)
        order.append([task.done() for task in tasks])
        order.append(lock.locked())
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)

    loop.run_until_complete(main())
    gc.collect()
    return order


# Overridden methods


def overridden_put_that_raises(loop, one):
    class Picky(one.api.Queue):
        def _put(self, item):
            if item == "refused":
                raise Trouble(item)
            super()._put(item)

    queue = Picky(1)

    async def main():
        results = [attempt(queue.put_nowait, "refused"), queue.qsize(), queue._unfinished_tasks]
        queue.put_nowait("first")
        tasks = [loop.create_task(queue.put(item)) for item in ("refused", "second")]
        await asyncio.sleep(0)
        results.append(await queue.get())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        results.append([task.done() for task in tasks])
        results.append(attempt(queue.get_nowait))
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        return results, [task.cancelled() or repr(task.exception()) for task in tasks]

    return loop.run_until_complete(main())


def overridden_get_that_raises(loop, one):
    class Stubborn(one.api.Queue):
        def _get(self):
            item = super()._get()
            if item == "kept":
                raise Trouble(item)
            return item

    queue = Stubborn()

    async def main():
        tasks = [loop.create_task(queue.get()) for _ in range(3)]
        await asyncio.sleep(0)
        for item in ("kept", "given"):
            queue.put_nowait(item)
        await asyncio.wait(tasks, timeout=0.001)
        results = [task.done() and repr(task.exception() or task.result()) for task in tasks]
        tasks[-1].cancel()
        tasks[0].cancel()
        return results, queue.qsize()

    return loop.run_until_complete(main())


def overridden_put_that_puts_again(loop, one):
    class Twice(one.api.Queue):
        def _put(self, item):
            super()._put(item)
            if item > 0:
                self.put_nowait(item - 1)

    queue, got = Twice(), []

    async def get():
        got.append(await queue.get())

    async def main():
        tasks = [loop.create_task(get()) for _ in range(4)]
        await asyncio.sleep(0)
        await queue.put(3)
        got.append("put")
        await asyncio.wait(tasks)

    loop.run_until_complete(main())
    return got, queue.qsize(), queue._unfinished_tasks


def overridden_acquire(loop, one):
    """`async with` calls the methods of the class it is given."""
    calls = []

    class Watched(one.api.Lock):
        async def acquire(self):
            calls.append("acquire")
            return await super().acquire()

        def release(self):
            calls.append("release")
            return super().release()

    async def main():
        lock = Watched()
        async with lock:
            calls.append(lock.locked())
        condition = one.api.Condition(lock)
        async with condition:
            calls.append(lock.locked())
            task = loop.create_task(notify(condition))
            await condition.wait()
        await task

    async def notify(condition):
        async with condition:
            condition.notify_all()

    loop.run_until_complete(main())
    return calls


def overridden_methods_of_a_semaphore(loop, one):
    calls = []

    class Watched(one.api.Semaphore):
        async def acquire(self):
            calls.append("acquire")
            return await super().acquire()

        def release(self):
            calls.append("release")
            return super().release()

        def locked(self):
            calls.append("locked")
            return super().locked()

    async def hold(semaphore):
        async with semaphore:
            await asyncio.sleep(0)

    async def main():
        semaphore = Watched(1)
        await asyncio.gather(*[hold(semaphore) for _ in range(3)])

    loop.run_until_complete(main())
    return calls


def method_given_to_an_instance(loop, one):
    calls = []

    async def main():
        lock, event, queue = one.api.Lock(), one.api.Event(), one.api.Queue()
        release, put_nowait = lock.release, queue.put_nowait
        lock.release = lambda: (calls.append("release"), release())[1]
        queue.put_nowait = lambda item: (calls.append("put_nowait"), put_nowait(item))[1]
        async with lock:
            pass
        await queue.put(1)
        calls.append(queue.get_nowait())
        event.is_set = lambda: True
        calls.append(event.is_set())
        task = loop.create_task(event.wait())
        await asyncio.sleep(0)
        calls.append(task.done())
        task.cancel()

    loop.run_until_complete(main())
    return calls


# Callbacks and predicates


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


SCENARIOS = [
    value
    for value in list(globals().values())
    if isinstance(value, types.FunctionType)
    and value.__module__ == __name__
    and value.__code__.co_varnames[:2] == ("loop", "one")
]


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)
def test_user_code_within_a_primitive(scenario):
    assert_same_primitives(scenario)


def test_there_are_scenarios():
    assert len(SCENARIOS) > 25
