"""`async with` on the primitives, and its two methods called by hand."""

import contextlib
import gc
import inspect
import weakref

import pytest

KINDS = ["Lock", "Condition", "Semaphore", "BoundedSemaphore"]


@pytest.fixture(params=KINDS)
def primitive(sync, request):
    """One primitive of each kind that is acquired."""
    return getattr(sync, request.param)()


def test_what_is_entered_is_released_whatever_happens(sync, primitive):
    async def main():
        with pytest.raises(ZeroDivisionError):
            async with primitive as entered:
                assert entered is None
                assert primitive.locked()
                raise ZeroDivisionError
        return primitive.locked()

    assert sync.run(main()) is False


def test_leaving_twice_is_an_error(sync):
    async def main():
        lock = sync.Lock()
        async with lock:
            lock.release()
            with pytest.raises(RuntimeError, match="Lock is not acquired"):
                await lock.__aexit__(None, None, None)
            await lock.acquire()

    sync.run(main())


def test_a_stack_enters_by_the_class(sync, primitive):
    async def main():
        async with contextlib.AsyncExitStack() as stack:
            assert await stack.enter_async_context(primitive) is None
            assert primitive.locked()
        return primitive.locked()

    assert sync.run(main()) is False


def test_the_methods_may_be_called_by_hand(sync, primitive):
    async def main():
        enter, leave = primitive.__aenter__, primitive.__aexit__
        assert await enter() is None
        assert primitive.locked()
        assert await leave(None, None, None) is None
        await type(primitive).__aenter__(primitive)
        await type(primitive).__aexit__(primitive, None, None, None)
        return primitive.locked()

    assert sync.run(main()) is False


def test_the_bound_methods_look_like_methods(primitive):
    enter, leave = primitive.__aenter__, primitive.__aexit__
    assert (enter.__name__, leave.__name__) == ("__aenter__", "__aexit__")
    assert enter.__self__ is primitive
    assert enter == primitive.__aenter__
    assert hash(enter) == hash(primitive.__aenter__)
    assert enter != leave
    assert enter != 1
    assert str(inspect.signature(enter)) == "()"
    assert str(inspect.signature(leave)) == "(exc_type, exc, tb)"
    assert inspect.isroutine(enter)
    assert "method" in repr(enter)
    with pytest.raises(TypeError):
        enter(1)
    with pytest.raises(TypeError):
        enter(unknown=1)


def test_a_primitive_that_keeps_its_own_bound_method_is_collected(primitive):
    kept = type(primitive)()
    kept.leave = kept.__aexit__
    alive = weakref.ref(kept)
    del kept
    gc.collect()
    assert alive() is None


def test_a_subclass_may_go_on_with_what_it_inherits(sync):
    class Telling(sync.Lock):
        async def __aenter__(self):
            await super().__aenter__()
            return "entered"

        async def __aexit__(self, *error):
            await super().__aexit__(*error)
            return True

    async def main():
        lock = Telling()
        async with lock as entered:
            assert lock.locked()
            raise ZeroDivisionError
        return entered, lock.locked()

    assert sync.run(main()) == ("entered", False)


def test_a_class_that_takes_the_methods_over_is_entered_by_its_own_acquire(sync):
    class Other:
        __aenter__ = inspect.getattr_static(sync.Lock, "__aenter__")
        __aexit__ = inspect.getattr_static(sync.Lock, "__aexit__")
        held = False

        async def acquire(self):
            self.held = True

        def release(self):
            self.held = False

    async def main():
        other = Other()
        async with other as entered:
            inside = other.held
        return entered, inside, other.held

    assert sync.run(main()) == (None, True, False)
