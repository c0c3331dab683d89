"""The reports of a task: its repr, its stack, and its message when it fails unseen or is lost."""

import gc
import io
import re

import pytest
from task_bodies import finish, forever, nothing


@pytest.mark.parametrize(
    ("body", "pattern"),
    [
        (
            nothing,
            r"<\w+ finished name='n' coro=<nothing\(\) done, defined at .*:\d+> result=None>",
        ),
        (forever, r"<\w+ cancelled name='n' coro=<forever\(\) done, defined at .*:\d+>>"),
    ],
)
def test_the_repr_tells_state_name_and_coroutine(loop, make, body, pattern):
    task = make(body(), name="n")
    running = r"<\w+ pending name='n' coro=<\w+\(\) running at .*:\d+>>"
    assert re.fullmatch(running, repr(task))
    if body is forever:
        loop.call_soon(loop.call_soon, task.cancel)
    finish(loop, task)
    assert re.fullmatch(pattern, repr(task))


def test_the_repr_tells_the_future_waited_for_and_that_a_cancellation_is_due(loop, make):
    task = make(forever(), name="n")
    loop.call_soon(loop.stop)
    loop.run_forever()
    waiting = r"wait_for=<Future pending cb=\[.*wakeup.*\]>"
    assert re.fullmatch(rf"<\w+ pending name='n' coro=<forever\(\) .*> {waiting}>", repr(task))
    other = make(nothing(), name="o")
    other.cancel()
    assert re.match(r"<\w+ cancelling name='o'", repr(other))


def test_the_stack_of_a_task_is_where_it_waits(loop, make):
    task = make(forever())
    assert [frame.f_code.co_name for frame in task.get_stack()] == ["forever"]
    loop.call_soon(loop.stop)
    loop.run_forever()
    assert [frame.f_code.co_name for frame in task.get_stack(limit=1)] == ["forever"]
    text = io.StringIO()
    task.print_stack(file=text)
    assert re.match(r"Stack for <\w+ pending.*\(most recent call last\):\n  File", text.getvalue())
    assert "in forever" in text.getvalue()


def test_the_stack_of_a_failed_task_is_its_traceback(loop, make):
    async def fail():
        def inner():
            raise ValueError("no")

        inner()

    task = finish(loop, make(fail()))
    assert [frame.f_code.co_name for frame in task.get_stack()] == ["fail", "inner"]
    assert [frame.f_code.co_name for frame in task.get_stack(limit=1)] == ["fail"]
    text = io.StringIO()
    task.print_stack(file=text)
    assert text.getvalue().startswith("Traceback for <")
    assert text.getvalue().endswith("ValueError: no\n")


def test_a_finished_task_has_no_stack(loop, make):
    task = finish(loop, make(nothing()))
    assert task.get_stack() == []
    text = io.StringIO()
    task.print_stack(file=text)
    assert re.match("No stack for <", text.getvalue())


def test_a_pending_task_that_is_destroyed_is_reported(loop, make, reports):
    task = make(forever())
    loop.call_soon(loop.stop)
    loop.run_forever()
    task._fut_waiter.remove_done_callback(task._fut_waiter._callbacks[0][0])
    del task
    gc.collect()
    (report,) = reports
    assert report["message"] == "Task was destroyed but it is pending!"
    assert sorted(report) == ["message", "task"]


def test_the_report_of_a_destroyed_task_can_be_turned_off(loop, make, reports):
    task = make(forever())
    assert task._log_destroy_pending is True
    task._log_destroy_pending = False
    loop.call_soon(loop.stop)
    loop.run_forever()
    task._fut_waiter.remove_done_callback(task._fut_waiter._callbacks[0][0])
    del task
    gc.collect()
    assert reports == []


def test_an_exception_of_a_task_that_nobody_retrieves_is_reported(loop, make, reports):
    async def fail():
        raise ValueError("lost")

    task = make(fail())
    loop.call_soon(loop.call_soon, loop.stop)
    loop.run_forever()
    kind = type(task).__name__
    del task
    gc.collect()
    (report,) = reports
    assert report["message"] == f"{kind} exception was never retrieved"
    assert str(report["exception"]) == "lost"
