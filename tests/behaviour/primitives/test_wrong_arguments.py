"""Wrong arguments and missing attributes are refused in asyncio's words."""

import asyncio
import queue as threads_queue
import sys
import traceback

import pytest

import greenloop
from greenloop import _native

# Each name says what is called on an object of that class, or the class itself.
METHODS = {
    "Queue": ["put", "put_nowait"],
    "Condition": ["wait_for", "notify", "__aexit__"],
    "Lock": ["__aexit__"],
    "Semaphore": ["__aexit__"],
    "TaskGroup": ["__aexit__", "create_task"],
    "Timeout": ["__aexit__", "reschedule"],
    "StreamReader": [
        "feed_data",
        "read",
        "readexactly",
        "readuntil",
        "set_exception",
        "set_transport",
    ],
}
if sys.version_info >= (3, 13):
    METHODS["Queue"].append("shutdown")
CLASSES = ["Queue", "Event", "Lock", "Semaphore", "Condition", "Barrier", "TaskGroup", "Timeout"]
FUNCTIONS = ["sleep", "shield", "wait", "timeout", "timeout_at", "ensure_future", "wait_for"]
THING = object()
WRONG = {
    "none": ((), {}),
    "nine": ((THING,) * 9, {}),
    "one": ((THING,), {}),
    "two": ((THING, THING), {}),
    "an unknown keyword": ((), {"bogus": 1}),
    "a keyword as well": ((THING,), {"bogus": 1}),
    "the other's keyword": ((), {"delay": 1, "when": 2, "callback": 3}),
    "a name nearly right": ((), {"maxsiz": 1, "ite": 2}),
    "by place and by name": (
        (THING,),
        dict.fromkeys(
            "item predicate n when exc_type et data exc transport maxsize value".split(), 1
        ),
    ),
}


def refusal(function, how):
    """What a call is refused with, or None if it is not."""
    arguments, keywords = WRONG[how]
    try:
        result = function(*arguments, **keywords)
    except TypeError as error:
        return str(error)
    except Exception:
        return None
    if hasattr(result, "close"):
        result.close()
    return None


def made(classes, name, loop):
    if name == "StreamReader":
        return classes.StreamReader(loop=loop)
    if name == "Barrier":
        return classes.Barrier(2)
    if name == "Timeout":
        return classes.Timeout(None)
    return getattr(classes, name)()


def check(theirs, ours, how):
    expected = refusal(theirs, how)
    if expected is not None and "missing 1 required keyword" not in expected:
        assert refusal(ours, how) == expected


@pytest.fixture
def any_loop():
    with asyncio.Runner() as runner:
        yield runner.get_loop()


@pytest.mark.parametrize("how", WRONG)
@pytest.mark.parametrize(
    ("name", "method"), [(name, method) for name in METHODS for method in METHODS[name]]
)
def test_methods(any_loop, name, method, how):
    theirs, ours = made(asyncio, name, any_loop), made(_native, name, any_loop)
    check(getattr(theirs, method), getattr(ours, method), how)


@pytest.mark.parametrize("how", WRONG)
@pytest.mark.parametrize("name", CLASSES)
def test_classes(name, how):
    check(getattr(asyncio, name), getattr(_native, name), how)


@pytest.mark.parametrize("how", ["none", "nine"])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions(name, how):
    check(getattr(asyncio, name), getattr(_native, name), how)


@pytest.mark.parametrize(
    "how", ["none", "one", "an unknown keyword", "a keyword as well", "the other's keyword"]
)
@pytest.mark.parametrize(
    "method",
    ["call_soon", "call_soon_threadsafe", "call_later", "call_at", "_add_reader", "_add_writer"],
)
def test_the_loops_calls(any_loop, method, how):
    ours = greenloop.new_event_loop()
    try:
        check(getattr(any_loop, method), getattr(ours, method), how)
    finally:
        ours.close()


@pytest.mark.skipif(sys.version_info < (3, 13), reason="keywords are suggested from 3.13 on")
def test_a_keyword_is_suggested():
    with pytest.raises(TypeError, match=r"'maxsiz'. Did you mean 'maxsize'\?"):
        greenloop.Queue(maxsiz=3)


def test_what_is_missing_is_named_and_a_similar_name_suggested():
    for classes in (asyncio, _native):
        queue = classes.Queue()
        del queue._queue
        queue._quee = threads_queue.SimpleQueue()
        with pytest.raises(AttributeError) as caught:
            queue.qsize()
        assert (caught.value.name, caught.value.obj) == ("_queue", queue)
        text = "".join(traceback.format_exception_only(caught.value))
        assert "'Queue' object has no attribute '_queue'" in text
        if sys.version_info >= (3, 12):
            assert "Did you mean" in text
            assert "_quee'" in text
    for name, attribute in (("Queue", "_maxsize"), ("Condition", "_lock"), ("Barrier", "_cond")):
        kind = getattr(_native, name)
        one = kind.__new__(kind)
        with pytest.raises(AttributeError) as caught:
            getattr(one, attribute)
        assert (caught.value.name, caught.value.obj) == (attribute, one)


@pytest.mark.parametrize("name", ["Lock", "Event", "Condition", "Semaphore"])
def test_a_primitive_of_another_loop_is_named_as_asyncios(loop_factory, name):
    def words(classes):
        one = getattr(classes, name)()

        async def block():
            one._get_loop()

        with asyncio.Runner(loop_factory=loop_factory) as runner:
            runner.run(block())
        with (
            asyncio.Runner(loop_factory=loop_factory) as runner,
            pytest.raises(RuntimeError) as caught,
        ):
            runner.run(block())
        return str(caught.value).replace(hex(id(one)), "HERE")

    expected = words(asyncio)
    assert expected.startswith(f"<asyncio.locks.{name} object at HERE [")
    assert words(_native) == expected
