"""Subclasses of queues, and patches: a method that was replaced is the one that is called."""

import asyncio
from unittest import mock

import pytest


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
