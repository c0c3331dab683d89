"""Classes of programs that derive from asyncio's, and from something else as well."""

import abc
import asyncio
import typing

import pytest

import greenloop
from greenloop import _native

T = typing.TypeVar("T")
CLASSES = {"asyncio": asyncio, "greenloop": _native}
PRIMITIVES = ["Queue", "PriorityQueue", "Lock", "Event", "Semaphore", "Condition", "TaskGroup"]


@pytest.fixture(params=CLASSES.values(), ids=CLASSES.keys())
def classes(request):
    return request.param


@pytest.mark.parametrize("name", PRIMITIVES)
@pytest.mark.parametrize("is_first", [True, False])
def test_abstract_methods_have_to_be_there(classes, name, is_first):
    base = getattr(classes, name)
    bases = (base, abc.ABC) if is_first else (abc.ABC, base)

    class Abstract(*bases):
        @abc.abstractmethod
        def missing(self):
            """Do what a subclass says."""

    class Concrete(Abstract):
        def missing(self):
            return 5

    with pytest.raises(TypeError, match="abstract class '?Abstract'?.*missing"):
        Abstract()
    one = Concrete()
    assert one.missing() == 5
    assert isinstance(one, (Abstract, base))


def test_what_abstract_methods_are_there_may_change(classes):
    class Abstract(classes.Event, abc.ABC):
        @abc.abstractmethod
        def missing(self):
            """Do what a subclass says."""

    Abstract.missing = lambda self: 5
    abc.update_abstractmethods(Abstract)
    assert Abstract().missing() == 5


def test_a_future_can_be_an_abstract_class(loop, classes):
    class Abstract(classes.Future, abc.ABC):
        @abc.abstractmethod
        def missing(self):
            """Do what a subclass says."""

    class Concrete(Abstract):
        def missing(self):
            return 5

    @Abstract.register
    class Other:
        pass

    assert Abstract.__abstractmethods__ == {"missing"}
    assert not Concrete.__abstractmethods__
    one = Concrete(loop=loop)
    one.set_result(1)

    async def main():
        return await one

    assert loop.run_until_complete(main()) == 1
    assert isinstance(one, (Abstract, classes.Future))
    assert isinstance(Other(), Abstract)
    assert issubclass(Other, Abstract)
    assert not isinstance(loop.create_future(), Abstract)
    assert not isinstance(5, Abstract)
    assert not issubclass(int, classes.Future)


def test_the_class_of_futures_answers_as_before(loop):
    theirs = asyncio.futures._CFuture(loop=loop)
    ours = greenloop.Future(loop=loop)
    assert isinstance(theirs, greenloop.Future)
    assert isinstance(ours, greenloop.Future)
    assert issubclass(greenloop.Task, greenloop.Future)
    assert not isinstance(5, greenloop.Future)

    class Mine(greenloop.Future):
        pass

    assert isinstance(Mine(loop=loop), Mine)
    assert not isinstance(theirs, Mine)
    assert not isinstance(ours, Mine)
    assert issubclass(Mine, asyncio.Future)


@pytest.mark.parametrize("name", ["Queue", "LifoQueue"])
def test_a_generic_queue(classes, name):
    base = getattr(classes, name)

    class Typed(base, typing.Generic[T]):
        def __init__(self, extra):
            super().__init__(3)
            self.extra = extra

    queue = Typed[int](extra=1)
    assert (queue.maxsize, queue.extra) == (3, 1)
    assert Typed[int].__args__ == (int,)


def test_a_metaclass_of_ones_own(classes):
    class Singleton(type):
        made: typing.ClassVar = {}

        def __call__(cls, *arguments):
            if cls not in cls.made:
                cls.made[cls] = super().__call__(*arguments)
            return cls.made[cls]

    class Only(classes.Queue, metaclass=Singleton):
        pass

    assert Only(3) is Only(4)
    assert Only().maxsize == 3


def test_a_mixin_with_slots(classes):
    class Mixin:
        __slots__ = ()

        def twice(self):
            return self.maxsize * 2

    class Both(Mixin, classes.Queue):
        __slots__ = ("owner",)

    queue = Both(3)
    queue.owner = "me"
    assert (queue.twice(), queue.owner) == (6, "me")
    queue.other = "also"


# What docs/differences.md says: Python puts no two native structs into one object.


@pytest.mark.parametrize("other", [dict, Exception, _native.Lock, list, int])
def test_two_native_classes_cannot_be_combined(other):
    with pytest.raises(TypeError, match=r"lay-?out conflict"):
        type("Both", (other, greenloop.Event), {})
