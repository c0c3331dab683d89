"""Queue, LifoQueue and PriorityQueue: what asyncio's do, ours do, on both loops."""

import asyncio
import collections
import gc
import heapq
import inspect
import re
import sys
import types
import warnings
import weakref
from unittest import mock

import pytest

from greenloop import _native

KINDS = ("Queue", "LifoQueue", "PriorityQueue")


@pytest.fixture(params=[asyncio.queues, _native], ids=["asyncio's class", "our class"])
def classes(request):
    """The module whose classes are under test."""
    return request.param


@pytest.fixture(params=KINDS)
def kind(request, classes):
    """One of the three classes."""
    return getattr(classes, request.param)


@pytest.fixture
def queue_class(classes):
    return classes.Queue


class Thing:
    """Something that can be referenced weakly."""


async def turns(count):
    for _ in range(count):
        await asyncio.sleep(0)


def collect():
    for _ in range(3):
        gc.collect()


# The order of items.


@pytest.mark.parametrize(
    ("name", "expected"),
    [("Queue", [3, 1, 2]), ("LifoQueue", [2, 1, 3]), ("PriorityQueue", [1, 2, 3])],
)
def test_items_come_out_in_the_order_of_the_class(classes, name, expected):
    queue = getattr(classes, name)()
    for item in (3, 1, 2):
        queue.put_nowait(item)
    assert [queue.get_nowait() for _ in range(3)] == expected


@pytest.mark.parametrize("name", ["LifoQueue", "PriorityQueue"])
def test_the_other_classes_are_queues(classes, name):
    assert issubclass(getattr(classes, name), classes.Queue)
    assert getattr(classes, name).__name__ == name


def test_a_priority_queue_compares_in_heapqs_order(classes):
    comparisons = []

    class Item:
        def __init__(self, number):
            self.number = number

        def __lt__(self, other):
            comparisons.append((self.number, other.number))
            return self.number < other.number

    queue = classes.PriorityQueue()
    numbers = [5, 3, 8, 1, 9, 2, 7]
    for number in numbers:
        queue.put_nowait(Item(number))
    assert [queue.get_nowait().number for _ in numbers] == sorted(numbers)
    by_queue, heap = comparisons.copy(), []
    comparisons.clear()
    for number in numbers:
        heapq.heappush(heap, Item(number))
    for _ in numbers:
        heapq.heappop(heap)
    assert by_queue == comparisons


def test_a_comparison_that_raises_leaves_the_item_in_the_heap_uncounted(classes):
    queue = classes.PriorityQueue()
    queue.put_nowait(1)
    with pytest.raises(TypeError, match="not supported between instances"):
        queue.put_nowait("one")
    assert queue.qsize() == 2
    assert queue._unfinished_tasks == 1


def test_a_comparison_may_use_the_queue(classes):
    queue = classes.PriorityQueue()

    class Meddling:
        def __lt__(self, other):
            if queue.qsize() < 4:
                queue.put_nowait(0)
            return True

    queue.put_nowait(5)
    queue.put_nowait(6)
    with pytest.raises(RuntimeError, match="list changed size"):
        queue.put_nowait(Meddling())
    assert queue.qsize() == 4


# Sizes.


@pytest.mark.parametrize(
    ("maxsize", "fits"),
    [(0, 9), (-1, 9), (1, 1), (3, 3), (1.5, 2), (0.5, 1), (True, 1), (2.0, 2), (-0.5, 9)],
)
def test_maxsize_may_be_any_number(kind, maxsize, fits):
    queue = kind(maxsize)
    assert queue.maxsize is maxsize
    for item in range(fits):
        assert not queue.full()
        queue.put_nowait(item)
    if fits < 9:
        assert queue.full()
        with pytest.raises(asyncio.QueueFull):
            queue.put_nowait(9)


@pytest.mark.parametrize("maxsize", [float("inf"), float("nan"), 10**100, -(10**100), 2**63])
def test_a_maxsize_out_of_reach_is_never_reached(kind, maxsize):
    queue = kind(maxsize)
    queue.put_nowait(1)
    assert not queue.full()


def test_a_maxsize_that_is_no_number_is_found_out_when_it_is_compared(queue_class):
    queue = queue_class(None)
    with pytest.raises(TypeError, match="'<=' not supported between instances of 'NoneType'"):
        queue.full()
    with pytest.raises(TypeError):
        queue.put_nowait(1)
    assert queue.empty()


def test_maxsize_is_read_only_and_its_private_twin_is_not(queue_class):
    queue = queue_class(maxsize=1)
    with pytest.raises(AttributeError):
        queue.maxsize = 2
    queue.put_nowait(1)
    queue._maxsize = 2
    assert queue.maxsize == 2
    queue.put_nowait(2)
    assert queue.full()


def test_exceptions_are_asyncios_own(queue_class):
    queue = queue_class(1)
    with pytest.raises(asyncio.QueueEmpty) as caught:
        queue.get_nowait()
    assert caught.value.args == ()
    queue.put_nowait(1)
    with pytest.raises(asyncio.QueueFull) as caught:
        queue.put_nowait(2)
    assert caught.value.args == ()


def test_arguments_go_by_name_too(loop, queue_class):
    queue = queue_class(maxsize=3)
    queue.put_nowait(item=1)
    loop.run_until_complete(queue.put(item=2))
    assert [queue.get_nowait(), queue.get_nowait()] == [1, 2]
    for wrong in (queue.put_nowait, queue.put, lambda: queue.put_nowait(1, 2)):
        with pytest.raises(TypeError):
            wrong()
    with pytest.raises(TypeError):
        queue.put_nowait(thing=1)


# Waiting.


def test_an_unblocked_put_and_get_take_no_turn(loop, kind):
    async def main():
        queue = kind()
        order = []
        loop.call_soon(order.append, "turn")
        await queue.put(1)
        order.append(await queue.get())
        queue.task_done()
        await queue.join()
        assert order == [1]
        await asyncio.sleep(0)
        assert order == [1, "turn"]

    loop.run_until_complete(main())


def test_a_put_that_is_not_awaited_does_nothing_and_warns(queue_class):
    queue = queue_class()
    with pytest.warns(RuntimeWarning, match=r"coroutine 'Queue\.put' was never awaited"):
        queue.put(1)
        collect()
    assert queue.empty()


@pytest.mark.parametrize("method", ["put", "get", "join"])
def test_what_waits_is_a_coroutine(queue_class, method):
    queue = queue_class()
    coroutine = getattr(queue, method)(*["item"] * (method == "put"))
    assert asyncio.iscoroutine(coroutine)
    assert inspect.isawaitable(coroutine)
    assert coroutine.__qualname__ == f"Queue.{method}"
    coroutine.close()
    with pytest.raises(RuntimeError, match="cannot reuse already awaited coroutine"):
        coroutine.send(None)


def test_getters_are_served_in_the_order_they_came(loop, queue_class):
    async def main():
        queue = queue_class()
        getters = [asyncio.ensure_future(queue.get()) for _ in range(3)]
        await asyncio.sleep(0)
        for item in "abc":
            queue.put_nowait(item)
        return await asyncio.gather(*getters)

    assert loop.run_until_complete(main()) == ["a", "b", "c"]


def test_a_woken_getter_that_finds_nothing_waits_at_the_end(loop, queue_class):
    async def main():
        queue = queue_class()
        first = asyncio.ensure_future(queue.get())
        second = asyncio.ensure_future(queue.get())
        await asyncio.sleep(0)
        queue.put_nowait("stolen")
        assert queue.get_nowait() == "stolen"
        await asyncio.sleep(0)
        assert len(queue._getters) == 2
        queue.put_nowait("for the second")
        queue.put_nowait("for the first")
        return await asyncio.gather(first, second)

    assert loop.run_until_complete(main()) == ["for the first", "for the second"]


@pytest.mark.parametrize("woken_first", [False, True])
def test_a_cancelled_getter_hands_its_wake_up_on(loop, queue_class, woken_first):
    async def main():
        queue = queue_class()
        first = asyncio.ensure_future(queue.get())
        second = asyncio.ensure_future(queue.get())
        await turns(1)
        if woken_first:
            queue.put_nowait(1)
            first.cancel()
        else:
            first.cancel()
            queue.put_nowait(1)
        assert await second == 1
        assert first.cancelled()
        assert len(queue._getters) == 0

    loop.run_until_complete(asyncio.wait_for(main(), 5))


@pytest.mark.parametrize("woken_first", [False, True])
def test_a_cancelled_putter_hands_its_wake_up_on(loop, queue_class, woken_first):
    async def main():
        queue = queue_class(1)
        queue.put_nowait(0)
        first = asyncio.ensure_future(queue.put(1))
        second = asyncio.ensure_future(queue.put(2))
        await turns(1)
        if woken_first:
            queue.get_nowait()
            first.cancel()
        else:
            first.cancel()
            queue.get_nowait()
        await second
        assert first.cancelled()
        assert queue.get_nowait() == 2
        assert len(queue._putters) == 0

    loop.run_until_complete(asyncio.wait_for(main(), 5))


def test_a_getter_driven_by_hand_hands_on_when_anything_is_thrown(loop, queue_class):
    async def main():
        queue = queue_class()
        by_hand = queue.get()
        by_hand.send(None)
        task = asyncio.ensure_future(queue.get())
        await asyncio.sleep(0)
        queue.put_nowait(1)
        with pytest.raises(KeyError):
            by_hand.throw(KeyError())
        assert await task == 1

    loop.run_until_complete(asyncio.wait_for(main(), 5))


def test_a_getter_that_is_dropped_leaves_the_line(loop, queue_class):
    async def main():
        queue = queue_class()
        by_hand = queue.get()
        by_hand.send(None)
        assert len(queue._getters) == 1
        del by_hand
        collect()
        assert len(queue._getters) == 0

    loop.run_until_complete(main())


def test_closing_a_waiting_put_leaves_the_line(loop, queue_class):
    async def main():
        queue = queue_class(1)
        queue.put_nowait(0)
        by_hand = queue.put(1)
        by_hand.send(None)
        by_hand.close()
        assert len(queue._putters) == 0

    loop.run_until_complete(main())


def test_an_error_in_handing_on_has_the_interruption_as_its_context(loop, queue_class):
    class Broken(queue_class):
        broken = False

        def empty(self):
            if self.broken:
                raise LookupError("broken")
            return super().empty()

    async def main():
        queue = Broken()
        task = asyncio.ensure_future(queue.get())
        await asyncio.sleep(0)
        queue.broken = True
        task.cancel()
        with pytest.raises(LookupError, match="broken") as caught:
            await task
        assert isinstance(caught.value.__context__, asyncio.CancelledError)

    loop.run_until_complete(main())


def test_a_queue_belongs_to_the_loop_on_which_it_first_waited(loop, queue_class):
    queue = queue_class()
    assert queue._loop is None

    async def wait():
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(queue.get(), 0.001)

    loop.run_until_complete(wait())
    assert queue._loop is loop
    other = asyncio.SelectorEventLoop()
    try:
        text = f"{queue!r} is bound to a different event loop"
        with pytest.raises(RuntimeError, match=re.escape(text)):
            other.run_until_complete(queue.get())
        # What need not wait is nobody's.
        other.run_until_complete(queue.put(1))
        assert other.run_until_complete(queue.get()) == 1
    finally:
        other.close()


# task_done and join.


def test_join_waits_for_the_last_task_done(loop, kind):
    async def main():
        queue = kind()
        await queue.join()
        for item in range(2):
            queue.put_nowait(item)
        joiners = [asyncio.ensure_future(queue.join()) for _ in range(3)]
        await turns(2)
        queue.get_nowait()
        queue.task_done()
        await turns(2)
        assert not any(joiner.done() for joiner in joiners)
        assert len(queue._finished._waiters) == 3
        queue.get_nowait()
        queue.task_done()
        assert queue._finished.is_set()
        # Woken in this turn, though there is something to be done again.
        queue.put_nowait(1)
        await turns(2)
        assert all(joiner.done() for joiner in joiners)
        with pytest.raises(ValueError, match=r"task_done\(\) called too many times"):
            queue.task_done()
            queue.task_done()

    loop.run_until_complete(main())


def test_a_cancelled_join_leaves_the_event(loop, queue_class):
    async def main():
        queue = queue_class()
        queue.put_nowait(1)
        joiner = asyncio.ensure_future(queue.join())
        await asyncio.sleep(0)
        joiner.cancel()
        await asyncio.wait([joiner])
        assert joiner.cancelled()
        assert not queue._finished._waiters

    loop.run_until_complete(main())


def test_the_number_of_unfinished_tasks_can_be_set(queue_class):
    queue = queue_class()
    queue._unfinished_tasks = 2
    queue.task_done()
    assert queue._unfinished_tasks == 1


# Shutting down.


@pytest.mark.skipif(sys.version_info >= (3, 13), reason="3.13 has it")
def test_there_is_no_shutdown_before_3_13(kind):
    assert not hasattr(kind(), "shutdown")
    assert not hasattr(kind(), "_is_shutdown")


@pytest.mark.skipif(sys.version_info < (3, 13), reason="new in 3.13")
class TestShutdown:
    def test_items_can_still_be_taken(self, loop, kind):
        async def main():
            queue = kind()
            queue.put_nowait(1)
            queue.shutdown()
            with pytest.raises(asyncio.QueueShutDown):
                queue.put_nowait(2)
            with pytest.raises(asyncio.QueueShutDown):
                await queue.put(2)
            assert await queue.get() == 1
            with pytest.raises(asyncio.QueueShutDown):
                queue.get_nowait()
            with pytest.raises(asyncio.QueueShutDown):
                await queue.get()

        loop.run_until_complete(main())

    def test_at_once_drops_the_items_and_ends_joins(self, loop, kind):
        async def main():
            queue = kind(2)
            queue.put_nowait(1)
            queue.put_nowait(2)
            joiner = asyncio.ensure_future(queue.join())
            putter = asyncio.ensure_future(queue.put(3))
            await asyncio.sleep(0)
            queue.shutdown(immediate=True)
            assert queue.empty()
            await joiner
            with pytest.raises(asyncio.QueueShutDown):
                await putter
            assert queue._unfinished_tasks == 0

        loop.run_until_complete(main())

    def test_those_who_wait_for_an_item_are_told(self, loop, queue_class):
        async def main():
            queue = queue_class()
            getters = [asyncio.ensure_future(queue.get()) for _ in range(2)]
            await asyncio.sleep(0)
            queue.shutdown()
            results = await asyncio.gather(*getters, return_exceptions=True)
            assert [type(result) for result in results] == [asyncio.QueueShutDown] * 2

        loop.run_until_complete(main())

    def test_an_item_may_use_the_queue_when_it_is_dropped(self, queue_class):
        class Last:
            def __del__(self):
                seen.append(queue.qsize())

        seen = []
        queue = queue_class()
        queue.put_nowait(Last())
        queue.put_nowait(1)
        queue.shutdown(immediate=True)
        collect()
        assert len(seen) == 1
        assert queue.empty()


# Words.


def test_words_say_everything(loop, kind):
    async def main():
        queue = kind(maxsize=2)
        name = kind.__name__
        assert str(queue) == f"<{name} maxsize=2>"
        assert repr(queue) == f"<{name} at {id(queue):#x} maxsize=2>"
        getter = asyncio.ensure_future(queue.get())
        await asyncio.sleep(0)
        assert str(queue) == f"<{name} maxsize=2 _getters[1]>"
        queue.put_nowait(1)
        await getter
        for item in (1, 2):
            queue.put_nowait(item)
        putter = asyncio.ensure_future(queue.put(3))
        await asyncio.sleep(0)
        assert str(queue) == f"<{name} maxsize=2 _queue=[1, 2] _putters[1] tasks=3>"
        assert queue._format() == "maxsize=2 _queue=[1, 2] _putters[1] tasks=3"
        putter.cancel()
        await asyncio.wait([putter])
        if sys.version_info >= (3, 13):
            queue.shutdown()
            assert str(queue) == f"<{name} maxsize=2 _queue=[1, 2] tasks=3 shutdown>"

    loop.run_until_complete(main())


def test_a_queue_in_itself_can_be_printed(queue_class):
    queue = queue_class()
    queue.put_nowait(queue)
    with pytest.raises(RecursionError):
        repr(queue)
    queue.get_nowait()


def test_a_subscripted_class_is_a_generic_alias(kind):
    alias = kind[int]
    assert isinstance(alias, types.GenericAlias)
    assert alias.__origin__ is kind
    assert alias.__args__ == (int,)
    assert isinstance(alias(), kind)


@pytest.mark.parametrize("method", ["put", "put_nowait", "get", "qsize", "join", "task_done"])
def test_signatures_are_readable(classes, method):
    def names(owner):
        return [*inspect.signature(getattr(owner, method)).parameters]

    assert names(classes.Queue) == names(asyncio.Queue)


# What is private to asyncio, and read all the same.


@pytest.mark.parametrize(
    ("name", "store"), [("Queue", collections.deque), ("LifoQueue", list), ("PriorityQueue", list)]
)
def test_the_store_can_be_reached(classes, name, store):
    queue = getattr(classes, name)()
    queue.put_nowait(1)
    assert type(queue._queue) is store
    assert queue._queue is queue._queue
    queue._queue.append(2)
    assert queue.qsize() == 2
    queue._queue.clear()
    assert queue.empty()
    with pytest.raises(asyncio.QueueEmpty):
        queue.get_nowait()
    queue.put_nowait(3)
    assert queue._queue == store([3])


def test_the_store_can_be_replaced(queue_class):
    queue = queue_class()
    queue.put_nowait(1)
    queue._queue = collections.deque([5, 6])
    assert queue.qsize() == 2
    assert queue.get_nowait() == 5
    del queue._queue
    assert str(queue) == "<Queue maxsize=0 tasks=1>"
    with pytest.raises(AttributeError, match="'Queue' object has no attribute '_queue'"):
        queue.qsize()
    queue._queue = []
    with pytest.raises(AttributeError, match="'list' object has no attribute 'popleft'"):
        queue.put_nowait(1)
        queue.get_nowait()


def test_a_future_of_ones_own_can_wait_in_the_line(loop, queue_class):
    async def main():
        queue = queue_class(1)
        await queue.put(1)
        futures = [loop.create_future() for _ in range(3)]
        futures[0].cancel()
        for future in futures:
            queue._putters.append(future)
        assert [*queue._putters] == futures
        assert queue._putters[1] is futures[1]
        queue._putters.remove(futures[1])
        with pytest.raises(ValueError):
            queue._putters.remove(futures[1])
        assert await queue.get() == 1
        assert futures[2].result() is None
        assert not futures[1].done()
        assert not queue._putters
        with pytest.raises(IndexError):
            queue._putters.popleft()

    loop.run_until_complete(main())


def test_the_waiters_are_futures_or_answer_as_such(loop, queue_class):
    async def main():
        queue = queue_class()
        task = asyncio.ensure_future(queue.get())
        await asyncio.sleep(0)
        (getter,) = queue._getters
        assert getter in queue._getters
        assert not getter.done()
        queue._queue.append("put from outside")
        waiter = queue._getters.popleft()
        assert waiter is getter
        waiter.set_result(None)
        assert await task == "put from outside"

    loop.run_until_complete(main())


def test_the_next_waiter_can_be_woken_by_hand(loop, queue_class):
    async def main():
        queue = queue_class()
        tasks = [asyncio.ensure_future(queue.get()) for _ in range(2)]
        await asyncio.sleep(0)
        # As a queue does to which something is put in front.
        queue._queue.appendleft("front")
        queue._unfinished_tasks += 1
        queue._finished.clear()
        queue._wakeup_next(queue._getters)
        assert await tasks[0] == "front"
        own = collections.deque([loop.create_future() for _ in range(2)])
        first = own[0]
        queue._wakeup_next(own)
        assert first.done()
        assert len(own) == 1
        queue._getters.clear()
        tasks[1].cancel()

    loop.run_until_complete(main())


# Subclasses and patches.


def test_a_subclass_may_have_its_own_store(loop, queue_class):
    class Unique(queue_class):
        def _init(self, maxsize):
            self.initialised_with = maxsize
            self._queue = {}

        def _put(self, item):
            self._queue[item] = True

        def _get(self):
            return self._queue.popitem()[0]

    async def main():
        queue = Unique(5)
        assert queue.initialised_with == 5
        getter = asyncio.ensure_future(queue.get())
        await asyncio.sleep(0)
        for item in "aab":
            queue.put_nowait(item)
        assert await getter == "b"
        assert queue.qsize() == 1
        assert str(queue) == "<Unique maxsize=5 _queue=['a'] tasks=3>"

    loop.run_until_complete(main())


def test_a_subclass_without_a_place_for_items_says_so(queue_class):
    class Forgetful(queue_class):
        def _init(self, maxsize):
            pass

    queue = Forgetful()
    with pytest.raises(AttributeError, match="'Forgetful' object has no attribute '_queue'"):
        queue.empty()


def test_a_subclass_that_skips_init_raises(queue_class):
    class Skipping(queue_class):
        def __init__(self):
            pass

    queue = Skipping()
    for use in (lambda: queue.put_nowait(1), queue.get_nowait, queue.task_done, queue.empty):
        with pytest.raises(AttributeError):
            use()
    with pytest.raises(AttributeError):
        repr(queue)


@pytest.mark.parametrize("method", ["put_nowait", "get_nowait", "full", "empty", "qsize"])
def test_a_method_of_an_instance_is_called(loop, queue_class, method):
    async def main():
        queue = queue_class(3)
        with mock.patch.object(queue, method, wraps=getattr(queue, method)) as patched:
            await queue.put(1)
            assert await queue.get() == 1
        assert patched.called
        patched.reset_mock()
        await queue.put(1)
        assert not patched.called

    loop.run_until_complete(main())


def test_a_method_patched_into_a_class_is_called(loop, queue_class):
    class Subclass(queue_class):
        pass

    async def main():
        queue = Subclass()
        await queue.put(1)
        for owner in (Subclass, queue_class):
            original = owner.get_nowait

            def patched(self, original=original):
                return original(self), "patched"

            with mock.patch.object(owner, "get_nowait", patched):
                assert await queue.get() == (1, "patched")
            await queue.put(1)
        assert await queue.get() == 1

    loop.run_until_complete(main())


def test_the_class_of_a_queue_can_be_changed(queue_class):
    class First(queue_class):
        def _get(self):
            return "first", super()._get()

    class Second(queue_class):
        def _get(self):
            return "second", super()._get()

    queue = First()
    queue.put_nowait(1)
    queue.put_nowait(2)
    assert queue.get_nowait() == ("first", 1)
    queue.__class__ = Second
    assert queue.get_nowait() == ("second", 2)


def test_methods_can_be_mixed(classes):
    class Mixed(classes.PriorityQueue):
        _get = classes.LifoQueue._get

    queue = Mixed()
    for item in (2, 1, 3):
        queue.put_nowait(item)
    assert queue.get_nowait() == 3
    assert sorted(queue._queue) == [1, 2]


def test_a_second_init_begins_anew(queue_class):
    queue = queue_class(1)
    queue.put_nowait(1)
    queue.__init__(2)
    assert queue.empty()
    assert queue.maxsize == 2
    assert queue._unfinished_tasks == 0
    assert queue._finished.is_set()


# Memory.


@pytest.mark.parametrize("reached", [False, True], ids=["store untouched", "store reached"])
def test_a_queue_in_a_cycle_is_collected(kind, reached):
    thing = Thing()
    thing.queue = kind()
    thing.queue.put_nowait(thing)
    if reached:
        assert thing.queue._queue
    reference = weakref.ref(thing)
    del thing
    collect()
    assert reference() is None


def test_a_cycle_through_those_who_wait_is_collected(loop, queue_class):
    async def wait(queue, thing):
        await queue.get()

    async def main():
        queue, thing = queue_class(), Thing()
        thing.task = loop.create_task(wait(queue, thing))
        thing.task._log_destroy_pending = False
        queue.thing = thing
        future = loop.create_future()
        future.queue = queue
        queue._getters.append(future)
        await asyncio.sleep(0)
        return weakref.ref(thing)

    reference = loop.run_until_complete(main())
    collect()
    assert reference() is None


def test_the_item_of_a_put_is_let_go(loop, queue_class):
    async def main():
        queue = queue_class()
        thing = Thing()
        reference = weakref.ref(thing)
        put = queue.put(thing)
        await put
        del thing
        assert queue.get_nowait() is reference()
        assert reference() is None
        del put

    loop.run_until_complete(main())


@pytest.mark.slow
def test_a_long_chain_of_queues_can_be_dropped(kind):
    queue = kind()
    for _ in range(100_000):
        outer = kind()
        outer.put_nowait(queue)
        queue = outer
    del queue, outer


def test_there_is_no_warning_when_all_is_awaited(loop, queue_class):
    async def main():
        queue = queue_class(1)
        await asyncio.gather(*[queue.put(item) for item in range(3)], *[queue.get() for _ in "abc"])
        for _ in "abc":
            queue.task_done()
        await queue.join()

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        loop.run_until_complete(main())
        collect()
