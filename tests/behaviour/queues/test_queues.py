"""Queue, LifoQueue, PriorityQueue: what comes out first, how much fits, and what each one says."""

import asyncio
import heapq
import inspect
import math
import operator
import random
import sys
import types

import pytest

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


class Priority:
    """An item that compares by code of the program."""

    def __init__(self, number):
        self.number = number

    def __lt__(self, other):
        return self.number < getattr(other, "number", other)

    def __gt__(self, other):
        return self.number > getattr(other, "number", other)


NUMBERS = [0, 1, -1, 2, 2**70, -(2**70), 0.5, 1.0, math.inf, math.nan, True, False, 1, 2]
PRIORITIES = {
    "numbers": NUMBERS,
    "floats": [0.5, -0.0, 0.0, math.inf, -math.inf, math.nan, math.nan, 2.0],
    "strings": ["", "a", "b", "ab", "\u00e4", "\U0001f600", "a\0"],
    "bytes": [b"", b"a", b"ab", bytes(3)],
    "pairs": [(number, object_) for number in (1, 2, 2.5) for object_ in ("a", "b", None)],
    "tuples": [(), (1,), (1, 2), (1, (2, 3)), (1, (2, "a")), (1, (2, 2.5)), ((),), ((1,),)],
    "classes of the program": [Priority(1), Priority(2), 1, 2, (1, Priority(1)), 3.5],
    "anything": [1, "a", b"a", (1,), None, 2.5, Priority(1), (1, "a"), (1, b"a"), [1], [2]],
}


@pytest.mark.parametrize("kind", PRIORITIES)
def test_a_priority_queue_is_the_heap_of_heapq(classes, kind):
    def attempt(action, *arguments):
        try:
            return action(*arguments)
        except (TypeError, IndexError) as error:
            return type(error), str(error)

    for seed in range(30):
        chance = random.Random(seed)
        queue, heap = classes.PriorityQueue(), []
        is_shown = chance.random() < 0.3
        for _ in range(chance.randrange(1, 60)):
            if chance.random() < 0.6 or not heap:
                item = chance.choice(PRIORITIES[kind])
                ours = attempt(queue.put_nowait, item)
                assert ours == attempt(heapq.heappush, heap, item)
            else:
                ours = attempt(queue.get_nowait)
                theirs = attempt(heapq.heappop, heap)
                assert ours is theirs or ours == theirs
            assert queue.qsize() == len(heap)
            if is_shown:
                assert all(map(operator.is_, queue._queue, heap))
        assert repr(queue._queue) == repr(heap)


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
