"""Chains of everything that holds, awaits, cancels or calls another of its kind.

A program of its own, which the tests start: `python chains.py LENGTH NAME ...`. It builds each
chain, does what would be a call inside of a call for each link, and prints what came of it. That
happens in threads with small stacks, which a recursion without a bound does not survive. Where the
interpreter itself needs more (up to 3.13 it calls itself ten thousand times to end a chain of
exceptions) the stack is that of an ordinary main thread, and the chain longer.
"""

import asyncio
import functools
import gc
import sys
import threading
import warnings
import weakref

import greenloop

SMALL = 256 * 1024
ORDINARY = 8 * 1024 * 1024
# A call takes more than 16 bytes, so that a recursion as deep as this does not fit into it.
LONG_ENOUGH = ORDINARY // 16

CHAINS = {}
EXPECTED = {}
ON_ORDINARY_STACK = set()


def chain(expected):
    """Register a function, which is given the loop and a length, and what it returns."""

    def register(function):
        CHAINS[function.__name__] = function
        EXPECTED[function.__name__] = expected
        return function

    return register


def on_ordinary_stack(function):
    """Give the function's thread the stack of a main thread."""
    ON_ORDINARY_STACK.add(function.__name__)
    return function


def is_gone(make, length):
    """Whether the first of a chain is gone when the last one is dropped."""
    chain = make(length)
    first = weakref.ref(next(chain))
    for last in chain:
        pass
    assert first() is not None
    del last, chain
    return f"gone: {first() is None}"


# What ends with the one that holds it.


@chain("gone: True")
def futures_as_results(loop, length):
    def make(length):
        yield (future := loop.create_future())
        for _ in range(length):
            outer = loop.create_future()
            outer.set_result(future)
            yield (future := outer)

    return is_gone(make, length)


@chain("gone: True")
def futures_in_callbacks(loop, length):
    def make(length):
        yield (future := loop.create_future())
        for _ in range(length):
            outer = loop.create_future()
            outer.add_done_callback(functools.partial(print, future))
            yield (future := outer)

    return is_gone(make, length)


@chain("gone: True")
def futures_in_iterators(loop, length):
    def make(length):
        yield (future := loop.create_future())
        for _ in range(length):
            outer = loop.create_future()
            outer.set_result(future.__await__())
            yield (future := outer)

    return is_gone(make, length)


@chain("gone: True")
def futures_in_exceptions(loop, length):
    def make(length):
        yield (future := loop.create_future())
        for _ in range(length):
            outer = loop.create_future()
            outer.set_exception(ValueError(future))
            outer.exception()
            yield (future := outer)

    return is_gone(make, length)


@chain("gone: True")
@on_ordinary_stack
def subclasses_of_futures(loop, length):
    class Named(asyncio.Future):
        def __init__(self, inner):
            super().__init__(loop=loop)
            self.inner = inner

    def make(length):
        yield (future := Named(None))
        for _ in range(length):
            yield (future := Named(future))

    return is_gone(make, length)


@chain("gone: True")
def shields(loop, length):
    async def main():
        future = loop.create_future()
        outer = future
        for _ in range(length):
            outer = asyncio.shield(outer)
        first = weakref.ref(future)
        outer.cancel()
        await asyncio.sleep(0)
        del future, outer
        gc.collect()
        return f"gone: {first() is None}"

    return loop.run_until_complete(main())


@chain("gone")
def handles(loop, length):
    def make(length):
        yield (handle := loop.call_later(1e6, print))
        for _ in range(length):
            yield (handle := asyncio.Handle(print, (handle,), loop))

    chain = make(length)
    for last in chain:
        pass
    del last, chain
    return "gone"


@chain("gone: True")
def queues_in_queues(loop, length):
    def make(length):
        yield (queue := asyncio.Queue())
        for number in range(length):
            outer = asyncio.LifoQueue() if number % 2 else asyncio.Queue()
            outer.put_nowait(queue)
            yield (queue := outer)

    return is_gone(make, length)


@chain("gone: True")
def primitives_in_attributes(loop, length):
    classes = [asyncio.Event, asyncio.Lock, asyncio.Queue, asyncio.Condition, asyncio.TaskGroup]

    def make(length):
        yield (inner := asyncio.Event())
        for number in range(length):
            outer = classes[number % len(classes)]()
            outer.inner = inner
            yield (inner := outer)

    return is_gone(make, length)


@chain("gone: True")
def deadlines_in_timeouts(loop, length):
    def make(length):
        yield (inner := asyncio.Timeout(None))
        for _ in range(length):
            yield (inner := asyncio.Timeout(inner))

    return is_gone(make, length)


@chain("gone")
def awaitables_never_awaited(loop, length):
    inner = asyncio.sleep(0)
    for _ in range(length):
        inner = asyncio.wait_for(inner, 1)
    del inner
    return "gone"


@chain("gone")
def awaitables_that_carry_others(loop, length):
    inner = asyncio.sleep(0)
    for _ in range(length):
        inner = asyncio.sleep(0, inner)
    del inner
    return "gone"


@chain("gone")
def awaitables_that_were_begun(loop, length):
    inner = asyncio.sleep(0)
    inner.send(None)
    for _ in range(length):
        outer = asyncio.sleep(0, inner)
        outer.send(None)
        inner = outer
    del inner, outer
    return "gone"


@chain("left: 0")
def coroutines_of_tasks(loop, length):
    async def hold(inner):
        await loop.create_future()

    async def main():
        task = None
        for _ in range(length):
            task = loop.create_task(hold(task))
            task._log_destroy_pending = False
        await asyncio.sleep(0)

    loop.run_until_complete(main())
    gc.collect()
    return f"left: {len(asyncio.all_tasks(loop))}"


@chain("left: 0")
def tasks_that_await_each_other_collected(loop, length):
    async def follow(inner):
        await inner

    async def main():
        inner = loop.create_future()
        for _ in range(length):
            inner = loop.create_task(follow(inner))
            inner._log_destroy_pending = False
        await asyncio.sleep(0)

    loop.run_until_complete(main())
    gc.collect()
    return f"left: {len(asyncio.all_tasks(loop))}"


@chain("gone: True")
def gathers_of_gathers_dropped(loop, length):
    async def main():
        inner = future = loop.create_future()
        for _ in range(length):
            inner = asyncio.gather(inner)
        first = weakref.ref(future)
        del inner, future
        gc.collect()
        return f"gone: {first() is None}"

    return loop.run_until_complete(main())


@chain("7 in as many lists as gathers: True")
def gathers_of_gathers_done(loop, length):
    async def main():
        inner = future = loop.create_future()
        for _ in range(length):
            inner = asyncio.gather(inner)
        future.set_result(7)
        del future
        result = await inner
        del inner
        depth = 0
        while isinstance(result, list):
            depth, (result,) = depth + 1, result
        return f"{result} in as many lists as gathers: {depth == length}"

    return loop.run_until_complete(main())


# Who is cancelled with the one that awaits it.


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


# Who is driven, thrown into and closed inside of the one that awaits it.


def outcome(loop, coroutine):
    try:
        return repr(loop.run_until_complete(coroutine))
    except RecursionError:
        return "RecursionError"


def nested_wait_for(length, delay):
    awaitable = asyncio.sleep(0, 7)
    for _ in range(length):
        awaitable = asyncio.wait_for(awaitable, delay)
    return awaitable


@chain("RecursionError" if sys.version_info >= (3, 12) else "7")
def driving_wait_for_in_wait_for(loop, length):
    return outcome(loop, nested_wait_for(length, 50))


@chain("RecursionError")
def driving_wait_for_without_delay(loop, length):
    return outcome(loop, nested_wait_for(length, None))


def begin_deep(loop):
    """The deepest `wait_for` in `wait_for` that can be begun, to a tenth; it waits."""

    def begin(length):
        async def main():
            future = awaitable = loop.create_future()
            for _ in range(length):
                awaitable = asyncio.wait_for(awaitable, None)
            task = loop.create_task(awaitable)
            task._log_destroy_pending = False
            await asyncio.sleep(0)
            if not task.done():
                return task, future
            assert isinstance(task.exception(), RecursionError)

        return loop.run_until_complete(main())

    length = 1
    while begin(length * 2):
        length *= 2
    while begin(length * 11 // 10 + 1):
        length = length * 11 // 10 + 1
    return begin(length)


@chain("ended: True")
def throwing_into_the_deepest(loop, length):
    task, future = begin_deep(loop)
    task.cancel()
    try:
        loop.run_until_complete(task)
    except (asyncio.CancelledError, RecursionError):
        return f"ended: {task.done()}"


@chain("left: 0")
def closing_the_deepest(loop, length):
    task, future = begin_deep(loop)
    try:
        task.get_coro().close()
    except RecursionError:
        pass
    del task, future
    gc.collect()
    return f"left: {len(asyncio.all_tasks(loop))}"


@chain("left: 0")
def dropping_the_deepest(loop, length):
    task, future = begin_deep(loop)
    del task, future
    gc.collect()
    return f"left: {len(asyncio.all_tasks(loop))}"


# Who calls Python code that calls it.


def until_it_ends(function):
    try:
        function()
    except RecursionError:
        return "RecursionError"
    return "no end"


@chain("RecursionError")
def coroutines_between(loop, length):

    async def nest():
        await asyncio.wait_for(nest(), None)

    return outcome(loop, nest())


if sys.version_info >= (3, 12):

    @chain("RecursionError")
    def eager_tasks_in_eager_tasks(loop, length):
        loop.set_task_factory(asyncio.eager_task_factory)

        async def nest():
            await loop.create_task(nest())

        return outcome(loop, nest())


@chain("ended")
def handles_that_run_themselves(loop, length):
    handle = loop.call_later(1e6, lambda: handle._run())
    handle._run()
    handle.cancel()
    return "ended"


@chain("RecursionError")
def comparisons_that_put(loop, length):
    class Item:
        def __lt__(self, other):
            queue.put_nowait(Item())
            return False

    queue = asyncio.PriorityQueue()
    queue.put_nowait(Item())
    return until_it_ends(lambda: queue.put_nowait(Item()))


@chain("RecursionError")
def callbacks_that_compare_themselves(loop, length):
    class Callback:
        def __call__(self, future):
            pass

        def __eq__(self, other):
            future.remove_done_callback(Callback())

    future = loop.create_future()
    future.add_done_callback(Callback())
    return until_it_ends(lambda: future.remove_done_callback(None))


@chain("RecursionError")
def handlers_that_call_themselves(loop, length):
    def handle(loop, context):
        loop.call_exception_handler(context)

    ends = []
    loop.default_exception_handler = lambda context: ends.append(context["exception"])
    loop.set_exception_handler(handle)
    loop.call_exception_handler({"message": "nested"})
    return type(ends[0]).__name__


@chain("ended")
def texts_of_futures(loop, length):
    class Result:
        def __repr__(self):
            return repr(future())

    def future():
        future = loop.create_future()
        future.set_result(Result())
        return future

    # `reprlib` makes a text of its own of one that cannot be had.
    repr(future())
    return "ended"


@chain("ended")
def loops_in_loops(loop, length):
    def nest(depth):
        asyncio._set_running_loop(None)
        inner = type(loop)()
        try:
            if depth:
                inner.call_soon(nest, depth - 1)
            inner.call_soon(inner.stop)
            inner.run_forever()
        finally:
            inner.close()

    loop.call_soon(nest, 150)
    loop.call_soon(loop.stop)
    loop.run_forever()
    return "ended"


# What follows pointers that others have set.


@chain("ValueError")
def a_circle_of_contexts(loop, length):
    one, other = ValueError(1), ValueError(2)
    one.__context__, other.__context__ = other, one

    async def main():
        async with asyncio.timeout(0):
            try:
                await asyncio.sleep(10)
            except asyncio.CancelledError:
                raise one from None

    try:
        loop.run_until_complete(main())
    except ValueError:
        return "ValueError"


@chain("ValueError")
@on_ordinary_stack
def a_long_chain_of_contexts(loop, length):
    last = exception = ValueError()
    for _ in range(length):
        exception.__context__ = ValueError()
        exception = exception.__context__

    async def main():
        async with asyncio.timeout(0):
            try:
                await asyncio.sleep(10)
            except asyncio.CancelledError:
                raise last from None

    try:
        loop.run_until_complete(main())
    except ValueError:
        return "ValueError"


def run(name, length):
    """Run a chain in a thread of its own, on a loop of its own."""
    said = []

    def run_chain():
        loop = greenloop.new_event_loop()
        asyncio.set_event_loop(loop)
        loop.set_exception_handler(lambda loop, context: None)
        try:
            said.append(CHAINS[name](loop, length))
        finally:
            loop.close()

    threading.stack_size(ORDINARY if name in ON_ORDINARY_STACK else SMALL)
    thread = threading.Thread(target=run_chain)
    thread.start()
    thread.join()
    return said[0] if said else "raised"


def main(length, names):
    greenloop.install()
    warnings.simplefilter("ignore")
    sys.unraisablehook = lambda report: None
    # The stack is to end first, and not the interpreter's count of Python's frames.
    sys.setrecursionlimit(20_000)
    long = max(length, min(4 * length, LONG_ENOUGH))
    for name in names:
        print(name, flush=True)
        print(run(name, long if name in ON_ORDINARY_STACK else length), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
