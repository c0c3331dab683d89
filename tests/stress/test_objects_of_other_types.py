"""Objects in places where others are expected are asked, or refused, as by asyncio.

Native code that takes an object for what it is not reads memory that is something else.
"""

import asyncio
import sys

import pytest
from differential import ASYNCIO, GREENLOOP

import greenloop


def outcome(function, *arguments):
    """What a call returns, or what it raises, in words."""
    try:
        return "returned", function(*arguments)
    except BaseException as error:
        return type(error), str(error)


def same_on_both(attempt):
    """What an attempt comes to, which is the same with both modules."""
    expected = outcome(attempt, ASYNCIO.api, ASYNCIO.new_loop)
    actual = outcome(attempt, GREENLOOP.api, GREENLOOP.new_loop)
    assert actual == expected
    return actual


def run(make_loop, body):
    loop = make_loop()
    try:
        return loop.run_until_complete(body)
    finally:
        loop.close()


class Odd(Exception):
    """A class of exceptions that makes something else."""

    def __new__(cls, *arguments):
        return 5


class Refusing(Exception):
    def __new__(cls, *arguments):
        raise KeyError("refused")


class WithContext:
    """No exception, but it has what the chain of contexts is made of."""

    __context__ = None


def with_cancelled_context():
    made = WithContext()
    made.__context__ = asyncio.CancelledError()
    return made


LEFT_WITH = {
    "a number": lambda: (ValueError, 5),
    "nothing": lambda: (ValueError, None),
    "a class": lambda: (ValueError, ValueError),
    "the class of cancellations": lambda: (ValueError, asyncio.CancelledError),
    "something with a context": lambda: (ValueError, WithContext()),
    "something with a cancelled context": lambda: (ValueError, with_cancelled_context()),
    "a cancellation that is a number": lambda: (asyncio.CancelledError, 5),
    "a cancellation that is a class": lambda: (asyncio.CancelledError, asyncio.CancelledError),
    "a class that is a number": lambda: (5, ValueError()),
    "an exit that is a class": lambda: (SystemExit, SystemExit),
    "an exit of a generator that is a number": lambda: (GeneratorExit, 5),
    "an interrupt that is a class": lambda: (KeyboardInterrupt, KeyboardInterrupt),
}


@pytest.mark.parametrize("raised", LEFT_WITH.values(), ids=LEFT_WITH.keys())
def test_an_expired_timeout_is_left_with_what_is_no_exception(raised):
    def attempt(module, make_loop):
        async def main():
            timeout = module.timeout(0)
            await timeout.__aenter__()
            with pytest.raises(asyncio.CancelledError):
                await asyncio.sleep(1)
            return await timeout.__aexit__(*raised(), None)

        return run(make_loop, main())

    same_on_both(attempt)


@pytest.mark.parametrize("raised", LEFT_WITH.values(), ids=LEFT_WITH.keys())
def test_a_task_group_is_left_with_what_is_no_exception(raised):
    def attempt(module, make_loop):
        async def main():
            group = module.TaskGroup()
            await group.__aenter__()
            return await group.__aexit__(*raised(), None)

        return run(make_loop, main())

    same_on_both(attempt)


@pytest.mark.skipif(
    not hasattr(asyncio.Timeout, "_insert_timeout_error"), reason="the running asyncio has none"
)
@pytest.mark.parametrize("value", [5, None, ValueError, WithContext(), ValueError("text")])
def test_a_timeout_is_inserted_into_anything_with_a_context(value):
    same_on_both(lambda module, make_loop: module.Timeout._insert_timeout_error(value))


THROWN = {
    "a class that makes a number": (Odd,),
    "the same with an argument": (Odd, "argument"),
    "a class that refuses": (Refusing,),
    "a class and a tuple": (ValueError, (1, 2)),
    "a class and an instance": (Exception, ValueError("text")),
    "a class and another's instance": (KeyError, ValueError("text")),
    "an instance and a value": (ValueError("text"), 5),
    "a number": (5,),
    "a class of no exceptions": (int,),
    "a traceback that is none": (ValueError, None, 5),
    "too much": (ValueError, None, None, None),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("arguments", THROWN.values(), ids=THROWN.keys())
@pytest.mark.parametrize("begun", [False, True], ids=["at once", "while it waits"])
def test_what_is_thrown_into_a_coroutine_becomes_what_the_interpreter_makes_of_it(arguments, begun):
    def attempt(module, make_loop):
        async def main():
            coroutine = module.Event().wait()
            if begun:
                coroutine.send(None)
            try:
                coroutine.throw(*arguments)
            except BaseException as error:
                return type(error), error.args
            finally:
                coroutine.close()

        return run(make_loop, main())

    expected = outcome(attempt, ASYNCIO.api, ASYNCIO.new_loop)
    actual = outcome(attempt, GREENLOOP.api, GREENLOOP.new_loop)
    if begun:
        # What refuses a number there is asyncio's future, in words of its own.
        expected, actual = expected[1][0], actual[1][0]
    assert actual == expected


@pytest.mark.filterwarnings("ignore")
@pytest.mark.skipif(sys.version_info >= (3, 13), reason="it is no generator any more")
@pytest.mark.parametrize("arguments", THROWN.values(), ids=THROWN.keys())
def test_what_is_thrown_into_as_completed_becomes_what_the_interpreter_makes_of_it(arguments):
    def attempt(module, make_loop):
        async def main():
            iterator = module.as_completed([asyncio.sleep(0)])
            try:
                iterator.throw(*arguments)
            except BaseException as error:
                return type(error), error.args
            finally:
                iterator.close()

        return run(make_loop, main())

    same_on_both(attempt)


def test_a_gathering_future_that_was_never_initialised_has_no_children_to_cancel():
    loop = greenloop.new_event_loop()
    future = loop.create_future()
    gathering = greenloop.gather(future)
    bare = type(gathering).__new__(type(gathering))
    assert bare.cancel() is False
    assert bare._children is None
    gathering.cancel()
    loop.close()


def test_a_reference_to_the_reader_that_is_not_callable_is_refused():
    def attempt(module, make_loop):
        async def main():
            protocol = module.StreamReaderProtocol(module.StreamReader())
            protocol._stream_reader_wr = NotImplemented
            return protocol.data_received(b"data")

        return run(make_loop, main())

    kind, words = same_on_both(attempt)
    assert kind is TypeError and "not callable" in words


@pytest.mark.parametrize("name", ["\ud800", "", "nul\0nul", "of_mine"], ids=ascii)
def test_a_loop_has_attributes_of_any_name(name):
    def attempt(module, make_loop):
        loop = make_loop()
        setattr(loop, name, 1)
        before = getattr(loop, name), name in vars(loop)
        delattr(loop, name)
        after = hasattr(loop, name)
        loop.close()
        return before, after

    assert same_on_both(attempt) == ("returned", ((1, True), False))


@pytest.mark.parametrize("name", [5, None, b"name"])
def test_a_loop_has_no_attributes_whose_names_are_no_strings(name):
    def attempt(module, make_loop):
        loop = make_loop()
        try:
            return type(loop).__setattr__(loop, name, 1)
        finally:
            loop.close()

    assert same_on_both(attempt)[0] is TypeError


def test_the_children_of_a_group_are_a_set_that_can_be_changed():
    group = greenloop.TaskGroup()
    for value in (frozenset(), [], 5, None):
        with pytest.raises(TypeError, match="must be a set"):
            group._tasks = value


def test_errors_of_a_group_that_have_no_length_are_raised_as_in_asyncio():
    class Errors(list):
        def __len__(self):
            raise KeyError("no length")

        def __bool__(self):
            return True

    def attempt(module, make_loop):
        async def main():
            async with module.TaskGroup() as group:
                group._errors = Errors([ValueError()])

        return run(make_loop, main())

    # How the words of the error come about differs between versions of asyncio.
    assert same_on_both(attempt)[0] is not SystemError
