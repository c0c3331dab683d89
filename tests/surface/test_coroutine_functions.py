"""What is declared with `async def` in asyncio is a coroutine function here, for whoever asks."""

import asyncio
import copy
import functools
import inspect
import pickle
import types
import warnings
from unittest import mock

import pytest

import greenloop

LOOPS = (asyncio.SelectorEventLoop, greenloop.EventLoop)


def asks_asyncio(function):
    with warnings.catch_warnings():
        # Deprecated from 3.14 on.
        warnings.simplefilter("ignore", DeprecationWarning)
        return asyncio.iscoroutinefunction(function)


def is_class(name):
    return isinstance(getattr(asyncio, name), type) and isinstance(getattr(greenloop, name), type)


NATIVE = sorted(greenloop.native_names())
# Loops are asked about apart; `SelectorEventLoop` has asyncio's own methods.
APART = ("EventLoop", "SelectorEventLoop", "Runner")
CLASSES = [name for name in NATIVE if is_class(name) and name not in APART]
# Private methods that only the running asyncio calls, on itself.
UNKNOWN = {"_aexit", "_block", "_release", "_wait"}
METHODS = [
    (name, method)
    for name in CLASSES
    for method in dir(getattr(asyncio, name))
    if callable(getattr(getattr(asyncio, name), method))
    and method not in UNKNOWN
    and not hasattr(object, method)
]
COROUTINE_METHODS = [
    (name, method)
    for name, method in METHODS
    if inspect.iscoroutinefunction(getattr(getattr(asyncio, name), method))
]
CLASSES_THAT_WAIT = sorted({name for name, _ in COROUTINE_METHODS})
LOOP_METHODS = [method for method in dir(LOOPS[0]) if not method.startswith("_")]


def methods_that_wait(name):
    return [method for owner, method in COROUTINE_METHODS if owner == name]


def instance(name):
    """An instance of our class, with as little as it can be made of."""
    ours = getattr(greenloop, name)
    if name == "StreamReader":
        return ours(loop=mock.Mock())
    if name == "StreamReaderProtocol":
        return ours(instance("StreamReader"), loop=mock.Mock())
    if name == "StreamWriter":
        return ours(mock.Mock(), mock.Mock(), None, mock.Mock())
    arguments = {"Barrier": (1,), "Timeout": (None,)}
    return ours(*arguments.get(name, ()))


@pytest.fixture(params=[asyncio, greenloop], ids=["asyncio", "greenloop"])
def module(request):
    """Where a program takes its classes and functions from."""
    return request.param


# The question


@pytest.mark.parametrize("name", [name for name in NATIVE if not is_class(name)])
def test_a_function_is_a_coroutine_function_if_asyncios_is(name):
    ours, asyncios = getattr(greenloop, name), getattr(asyncio, name)
    assert inspect.iscoroutinefunction(ours) == inspect.iscoroutinefunction(asyncios)
    assert asks_asyncio(ours) == asks_asyncio(asyncios)


@pytest.mark.parametrize(("name", "method"), METHODS)
def test_a_method_is_a_coroutine_function_if_asyncios_is(name, method):
    expected = inspect.iscoroutinefunction(getattr(getattr(asyncio, name), method))
    ours = getattr(greenloop, name)
    found = getattr(ours, method, None)
    assert inspect.iscoroutinefunction(found) == asks_asyncio(found) == expected
    in_class = inspect.getattr_static(ours, method, None)
    assert inspect.iscoroutinefunction(in_class) == expected


def test_there_are_methods_to_ask_about():
    assert len(COROUTINE_METHODS) > 35


@pytest.mark.parametrize(("name", "method"), COROUTINE_METHODS)
def test_so_is_a_bound_method_of_an_instance_and_of_a_subclass(name, method):
    one = instance(name)
    bound = getattr(one, method)
    assert inspect.iscoroutinefunction(bound)
    assert asks_asyncio(bound)
    assert inspect.iscoroutinefunction(functools.partial(bound, 1))
    assert inspect.ismethod(bound)
    assert bound.__self__ is one
    assert bound.__func__ is getattr(type(one), method)
    ours = getattr(greenloop, name)
    if name != "Timeout":
        derived = type("Derived", (ours,), {})
        assert inspect.iscoroutinefunction(getattr(derived, method))


@pytest.mark.parametrize("method", LOOP_METHODS)
def test_a_method_of_the_loop_is_a_coroutine_function_if_asyncios_is(method):
    asyncios, ours = (getattr(loop, method) for loop in LOOPS)
    assert inspect.iscoroutinefunction(ours) == inspect.iscoroutinefunction(asyncios)
    assert asks_asyncio(ours) == asks_asyncio(asyncios)
    loop = greenloop.EventLoop()
    try:
        bound = getattr(loop, method)
        assert inspect.iscoroutinefunction(bound) == inspect.iscoroutinefunction(asyncios)
    finally:
        loop.close()


# What else is asked of a method


@pytest.mark.parametrize(("name", "method"), COROUTINE_METHODS)
def test_a_coroutine_method_is_a_function_like_asyncios(name, method):
    ours, asyncios = (getattr(getattr(module, name), method) for module in (greenloop, asyncio))
    assert inspect.isfunction(ours)
    assert ours.__name__ == asyncios.__name__
    # Where asyncio documents nothing, ours do.
    assert asyncios.__doc__ in (ours.__doc__, None)
    assert inspect.signature(ours) == inspect.signature(asyncios)
    assert ours.__module__ == "greenloop"
    # Inherited ones are named after the class that has them, as everywhere.
    assert ours.__qualname__.endswith(f".{method}")
    assert repr(ours).startswith(f"<function {ours.__qualname__} at ")
    assert copy.copy(ours) is copy.deepcopy(ours) is ours
    if not method.startswith("_"):
        assert pickle.loads(pickle.dumps(ours)) is ours


def test_a_bound_method_is_like_asyncios(module):
    queue, other = module.Queue(), module.Queue()
    put = queue.put
    assert put == queue.put
    assert hash(put) == hash(queue.put)
    assert put != other.put
    assert put != queue.get
    assert repr(put) == f"<bound method Queue.put of {queue!r}>"
    assert put.__name__ == "put"
    assert put.__qualname__ == "Queue.put"
    assert str(inspect.signature(put)) == "(item)"
    lock = module.Lock()
    assert lock.__aenter__ == lock.__aenter__
    assert lock.__aenter__ != module.Lock().__aenter__
    assert hash(lock.__aenter__) == hash(lock.__aenter__)


def test_a_bound_method_is_pickled_with_its_instance(module):
    class_of_copy = type(pickle.loads(pickle.dumps(module.Lock().acquire)).__self__)
    assert class_of_copy is module.Lock


def test_calls_of_every_form_reach_the_native_code(module):
    async def main():
        queue = module.Queue()
        await queue.put(1)
        await queue.put(item=2)
        await module.Queue.put(queue, 3)
        await functools.partial(queue.put, 4)()
        await functools.partial(queue.put, item=5)()

        @functools.wraps(queue.put)
        async def wrapped(*arguments):
            await queue.put(*arguments)

        await wrapped(6)
        assert str(inspect.signature(wrapped)) == "(item)"
        assert wrapped.__wrapped__ == queue.put

        class Doubling(module.Queue):
            async def put(self, item):
                await super().put(item)
                await super().put(item)

        doubling = Doubling()
        await doubling.put(7)
        return [queue.get_nowait() for _ in range(queue.qsize())], doubling.qsize()

    assert asyncio.run(main()) == ([1, 2, 3, 4, 5, 6], 2)


@pytest.mark.parametrize(
    "call",
    [
        lambda queue: queue.get(1),
        lambda queue: queue.get(item=1),
        lambda queue: queue.join(1, 2),
        lambda queue: type(queue).get(),
    ],
)
def test_wrong_arguments_are_refused_at_the_call_in_asyncios_words(call):
    with pytest.raises(TypeError) as ours:
        call(greenloop.Queue())
    with pytest.raises(TypeError) as asyncios:
        call(asyncio.Queue())
    assert str(ours.value) == str(asyncios.value)


def test_a_method_of_ours_works_on_whatever_asyncios_works_on(module):
    """Tests call methods of a class with an object that only looks like an instance."""

    class Queue:
        def full(self):
            return False

        def put_nowait(self, item):
            return ("put", item)

    assert asyncio.run(module.Queue.put(Queue(), 5)) == ("put", 5)
    assert asyncio.run(module.Queue.put(asyncio.Queue(), 5)) is None
    with pytest.raises(AttributeError, match="'int' object has no attribute 'empty'"):
        asyncio.run(module.Queue.get(5))


def test_a_reader_is_iterated_natively_and_in_a_subclass(module):
    async def main():
        class Reader(module.StreamReader):
            pass

        lines = []
        for reader in (module.StreamReader(), Reader()):
            reader.feed_data(b"one\ntwo\nthree")
            reader.feed_eof()
            lines.append(await module.StreamReader.__anext__(reader))
            lines += [line async for line in reader]
        return lines

    assert asyncio.run(main()) == [b"one\n", b"two\n", b"three"] * 2


# Mocks


@pytest.mark.parametrize("name", CLASSES_THAT_WAIT)
@pytest.mark.parametrize("make", [mock.Mock, mock.MagicMock, mock.AsyncMock])
def test_a_mock_of_a_class_has_asynchronous_mocks_where_that_of_asyncios_has(name, make):
    for module in (asyncio, greenloop):
        mocked = make(spec=getattr(module, name))
        for method in methods_that_wait(name):
            # Those of `async with` are configured by mock itself.
            if not method.startswith("__"):
                assert isinstance(getattr(mocked, method), mock.AsyncMock)


@pytest.mark.parametrize("name", CLASSES_THAT_WAIT)
def test_an_autospec_of_a_class_has_asynchronous_mocks_where_that_of_asyncios_has(name):
    def asynchronous(module):
        spec = mock.create_autospec(getattr(module, name), instance=True)
        methods = [method for method in dir(getattr(asyncio, name)) if not method.startswith("_")]
        return {one for one in methods if isinstance(getattr(spec, one), mock.AsyncMock)}

    assert asynchronous(greenloop) == asynchronous(asyncio)


def test_an_autospec_checks_the_arguments(module):
    queue = mock.create_autospec(module.Queue, instance=True)
    queue.get.return_value = 5
    assert asyncio.run(queue.get()) == 5
    with pytest.raises(TypeError):
        asyncio.run(queue.get(1))
    with pytest.raises(TypeError):
        mock.create_autospec(module.Queue)(1, 2, 3)


@pytest.mark.parametrize("name", CLASSES_THAT_WAIT)
def test_a_patch_puts_an_asynchronous_mock_in_the_place_of_a_method(name):
    for owner in (getattr(asyncio, name), getattr(greenloop, name)):
        for method in methods_that_wait(name):
            before = inspect.getattr_static(owner, method)
            with mock.patch.object(owner, method) as patched:
                assert isinstance(patched, mock.AsyncMock)
            assert inspect.getattr_static(owner, method) is before


def test_a_method_that_is_replaced_and_put_back_works(module):
    async def main():
        lock, event = module.Lock(), module.Event()
        with mock.patch.object(module.Event, "wait", return_value="mocked"):
            assert await event.wait() == "mocked"
        with mock.patch.object(module.Lock, "__aenter__") as entered:
            async with lock:
                assert not lock.locked()
                entered.assert_awaited_once_with()
                await lock.acquire()
        event.set()
        assert await event.wait() is True
        async with lock:
            assert lock.locked()
        async with asyncio.timeout(1), module.timeout(1), module.TaskGroup():
            pass

    asyncio.run(main())


def test_no_entry_is_shared_by_two_functions():
    """Each is given a place of its own, and one that is wrong would call another method."""
    functions = {
        id(function): function
        for name in CLASSES
        for owner in getattr(greenloop, name).__mro__
        for function in vars(owner).values()
        if isinstance(function, types.FunctionType) and owner.__module__ == "greenloop"
    }
    assert len(functions) > 45
    names = [(one.__module__, one.__qualname__) for one in functions.values()]
    assert len(names) == len(set(names))
