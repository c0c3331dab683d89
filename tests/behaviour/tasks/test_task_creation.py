"""Making a task: of which objects, under which names, with which keywords, and by which factory."""

import asyncio
import re

import pytest
from task_bodies import finish, nothing


@pytest.mark.parametrize("wrong", [None, 3, nothing, object(), [], lambda: None])
def test_a_task_takes_coroutines_only(loop, make, wrong):
    with pytest.raises(TypeError, match="a coroutine was expected, got"):
        make(wrong)


def test_a_task_takes_a_future_for_no_coroutine(loop, make):
    with pytest.raises(TypeError, match="a coroutine was expected, got"):
        make(loop.create_future())


def test_a_task_can_run_any_object_with_the_methods_of_a_coroutine(loop, make):
    import collections.abc

    class Own(collections.abc.Coroutine):
        def __init__(self):
            self.calls = 0

        def send(self, value):
            assert value is None
            self.calls += 1
            if self.calls == 3:
                raise StopIteration(self.calls)

        def throw(self, *arguments):
            raise arguments[0]

        def close(self):
            pass

        def __await__(self):
            return self

    assert loop.run_until_complete(make(Own())) == 3
    task = make(Own())
    task.cancel()
    assert finish(loop, task).cancelled()


def test_default_names_count(make, loop):
    first, second = make(nothing()), make(nothing())
    numbers = [int(re.fullmatch(r"Task-(\d+)", task.get_name())[1]) for task in (first, second)]
    assert numbers[0] < numbers[1]
    loop.run_until_complete(asyncio.gather(first, second))


@pytest.mark.parametrize("name", ["mine", "", 7, ("a", 1), 1.5])
def test_a_name_is_text(make, loop, name):
    task = make(nothing(), name=name)
    assert task.get_name() == str(name)
    assert task.set_name(("other", name)) is None
    assert task.get_name() == str(("other", name))
    loop.run_until_complete(task)


def test_a_task_factory_makes_the_tasks(loop):
    calls = []

    def factory(loop, coroutine, **keywords):
        calls.append((loop, coroutine, keywords))
        return asyncio.Task(coroutine, loop=loop, **keywords)

    assert loop.get_task_factory() is None
    loop.set_task_factory(factory)
    assert loop.get_task_factory() is factory
    coroutine = nothing()
    task = loop.create_task(coroutine)
    assert calls[0][:2] == (loop, coroutine)
    loop.run_until_complete(task)
    loop.set_task_factory(None)
    loop.run_until_complete(loop.create_task(nothing()))
    assert len(calls) == 1


@pytest.mark.parametrize("keywords", [{}, {"name": "n"}], ids=["bare", "name"])
def test_a_task_factory_gets_the_keywords_that_asyncio_gives_it(loop, keywords):
    """Which those are depends on the version; asyncio's own loop tells."""

    def given(loop):
        def factory(loop, coroutine, **keywords):
            calls.append(keywords)
            return asyncio.Task(coroutine, loop=loop)

        calls = []
        loop.set_task_factory(factory)
        task = loop.create_task(nothing(), **keywords)
        loop.run_until_complete(task)
        loop.set_task_factory(None)
        return calls, task.get_name() == "n"

    oracle = asyncio.SelectorEventLoop()
    try:
        assert given(loop) == given(oracle)
    finally:
        oracle.close()


@pytest.mark.parametrize("wrong", [3, "text", object()])
def test_a_task_factory_is_callable_or_none(loop, wrong):
    with pytest.raises(TypeError, match="^task factory must be a callable or None$"):
        loop.set_task_factory(wrong)


def test_a_task_factory_may_return_anything(loop):
    class Thing:
        def set_name(self, name):
            pass

    thing = Thing()
    coroutines = []
    loop.set_task_factory(lambda loop, coroutine, **_: (coroutines.append(coroutine), thing)[1])
    assert loop.create_task(nothing()) is thing
    coroutines[0].close()
    loop.set_task_factory(None)


def test_a_task_cannot_be_created_on_a_closed_loop(loop):
    loop.close()
    coroutine = nothing()
    with pytest.raises(RuntimeError, match="^Event loop is closed$"):
        loop.create_task(coroutine)
    coroutine.close()


def test_a_task_refuses_unknown_keywords(loop, make):
    coroutine = nothing()
    with pytest.raises(TypeError):
        make(coroutine, unknown=1)
    coroutine.close()
