"""The callbacks of a future: their order, their removal, the turn and the context they run in."""

import contextvars

import pytest

from loop_turns import run_turns


def test_callbacks_are_called_in_order_in_the_next_turn(loop, make):
    future, calls = make(), []
    for number in range(5):
        future.add_done_callback(lambda done, number=number: calls.append((number, done)))
    future.set_result(None)
    assert calls == []
    run_turns(loop)
    assert calls == [(number, future) for number in range(5)]


def test_a_callback_of_a_done_future_is_scheduled_at_once(loop, make):
    future, calls = make(), []
    future.set_result(None)
    assert future.add_done_callback(calls.append) is None
    assert calls == []
    run_turns(loop)
    assert calls == [future]


def test_the_same_callback_can_be_added_twice_and_is_removed_at_once(loop, make):
    future, calls = make(), []
    for callback in (calls.append, print, calls.append):
        future.add_done_callback(callback)
    assert future.remove_done_callback(calls.append) == 2
    assert future.remove_done_callback(calls.append) == 0
    assert future.remove_done_callback(print) == 1
    future.set_result(None)
    run_turns(loop)
    assert calls == []


@pytest.mark.parametrize("kept", [(), (0,), (1,), (2,), (0, 2), (0, 1, 2), (1, 2)])
def test_removing_keeps_the_order_of_the_others(loop, make, kept):
    future, calls = make(), []
    callbacks = [lambda done, number=number: calls.append(number) for number in range(3)]
    for callback in callbacks:
        future.add_done_callback(callback)
    for number in set(range(3)) - set(kept):
        assert future.remove_done_callback(callbacks[number]) == 1
    future.set_result(None)
    run_turns(loop)
    assert calls == list(kept)


def test_callbacks_are_compared_by_equality(loop, make):
    class Equal:
        def __init__(self, value):
            self.value = value

        def __eq__(self, other):
            return self.value == other.value

        __hash__ = None

        def __call__(self, future):
            calls.append(self.value)

    future, calls = make(), []
    for value in (1, 2, 1):
        future.add_done_callback(Equal(value))
    assert future.remove_done_callback(Equal(1)) == 2
    future.set_result(None)
    run_turns(loop)
    assert calls == [2]


def test_a_callback_added_by_a_callback_runs_a_turn_later(loop, make):
    future, calls = make(), []
    future.add_done_callback(lambda done: done.add_done_callback(lambda done: calls.append(2)))
    future.add_done_callback(lambda done: calls.append(1))
    future.set_result(None)
    run_turns(loop)
    assert calls == [1]
    run_turns(loop)
    assert calls == [1, 2]


def test_a_callback_runs_in_the_context_it_was_added_in(loop, make):
    variable = contextvars.ContextVar("variable", default="outside")
    future, seen = make(), []
    inside = contextvars.copy_context()
    inside.run(variable.set, "inside")
    given = contextvars.copy_context()
    given.run(variable.set, "given")
    inside.run(future.add_done_callback, lambda done: seen.append(variable.get()))
    future.add_done_callback(lambda done: seen.append(variable.get()), context=given)
    future.add_done_callback(lambda done: seen.append(variable.get()))
    future.set_result(None)
    run_turns(loop)
    assert seen == ["inside", "given", "outside"]


def test_the_context_of_a_callback_cannot_be_given_by_position(make):
    with pytest.raises(TypeError):
        make().add_done_callback(print, contextvars.Context())
