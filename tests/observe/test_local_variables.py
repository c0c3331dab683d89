"""The variables of a frame are read, and the program cannot tell that they were."""

import ast
import inspect
import sys
import weakref

import pytest

from greenloop import _native


class Thing:
    """Something whose end shows."""


class Pause:
    """An awaitable that suspends once."""

    def __await__(self):
        yield


def suspended(coroutine):
    """Let a coroutine run until it waits, and return its frame."""
    coroutine.send(None)
    return coroutine.cr_frame


def test_each_variable_that_has_a_value_is_seen():
    free = Thing()

    async def waiting(argument, *rest, key=3, **others):
        held = lambda: (argument, later, free)  # noqa: E731
        if not held:
            absent = 1
        await Pause()
        later = absent

    coroutine = waiting(1, 2, other=4)
    frame = suspended(coroutine)
    found = _native._locals_of(frame)
    assert found.pop("held") is inspect.getcoroutinelocals(coroutine)["held"]
    variables = {"argument": 1, "rest": (2,), "key": 3, "others": {"other": 4}}
    assert found == {**variables, "free": free}
    coroutine.close()


def test_what_a_variable_lets_go_of_is_not_kept():
    async def waiting():
        thing = Thing()
        self = Thing()
        things = weakref.WeakSet([thing, self])
        await Pause()
        del thing, self
        await Pause()
        assert not things

    coroutine = waiting()
    frame = suspended(coroutine)
    assert len(_native._locals_of(frame)) == 3
    coroutine.send(None)
    assert list(_native._locals_of(frame)) == ["things"]
    assert len(_native._locals_of(frame)["things"]) == 0
    coroutine.close()


def test_what_the_program_has_got_from_locals_stays():
    async def waiting():
        first = 1
        mine = locals()
        second = first + 1
        await Pause()
        return mine, second

    coroutine = waiting()
    frame = suspended(coroutine)
    assert set(_native._locals_of(frame)) == {"first", "mine", "second"}
    with pytest.raises(StopIteration) as end:
        coroutine.send(None)
    mine, _ = end.value.value
    if sys.version_info < (3, 12):
        # There it is brought up to date, as by a debugger.
        assert mine["first"] == 1
    else:
        assert mine == {"first": 1}


def test_a_namespace_stays():
    """Code that awaits on the top level, as it does in a notebook, has its variables there."""
    code = compile(
        "kept = 1\nawait Pause()\nkept = 2", "cell", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    )
    namespace = {"Pause": Pause}
    coroutine = eval(code, namespace)
    found = _native._locals_of(suspended(coroutine))
    assert found is not namespace
    assert found["kept"] == namespace["kept"] == 1
    with pytest.raises(StopIteration):
        coroutine.send(None)
    assert namespace["kept"] == 2


def test_variables_are_those_of_a_frame():
    with pytest.raises(TypeError, match="a frame"):
        _native._locals_of(Thing())
