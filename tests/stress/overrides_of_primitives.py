"""Scenarios in which subclasses and instances replace the methods of a primitive."""

import asyncio

from scenarios import Trouble, attempt


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
