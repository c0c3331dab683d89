"""Scenarios whose items are compared by a priority queue, and use it or raise meanwhile."""

import asyncio
import functools
import gc
import types

from scenarios import Trouble, attempt


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


def drained(queue):
    """What is in a queue, in its order."""
    items = []
    while not queue.empty():
        items.append(attempt(queue.get_nowait))
        if len(items) > 50:
            return "too many"
    return items


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
