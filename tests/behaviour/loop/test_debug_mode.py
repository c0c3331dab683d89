"""Debug mode: what it checks, what it logs, and how it is turned on."""

import asyncio
import gc
import logging
import os
import re
import subprocess
import sys
import threading
import time
import warnings

import pytest

import greenloop


@pytest.fixture
def debug_loop(loop):
    """A loop in debug mode."""
    loop.set_debug(True)
    return loop


def in_thread(function, *arguments):
    """Call a function in another thread and return its exception or result."""
    results = []

    def call():
        try:
            results.append(function(*arguments))
        except Exception as error:
            results.append(error)

    thread = threading.Thread(target=call)
    thread.start()
    thread.join()
    return results[0]


async def nothing():
    pass


def test_debug_mode_is_off_and_can_be_turned_on(loop):
    assert loop.get_debug() is False
    assert loop.set_debug(True) is None
    assert loop.get_debug() is True
    loop.set_debug(False)
    assert loop.get_debug() is False


@pytest.mark.parametrize("method", ["call_soon", "call_later", "call_at"])
def test_a_call_from_a_wrong_thread_is_refused(debug_loop, method):
    def check():
        arguments = (print,) if method == "call_soon" else (0, print)
        found.append(in_thread(getattr(debug_loop, method), *arguments))
        debug_loop.stop()

    found = []
    debug_loop.call_soon(check)
    debug_loop.run_forever()
    assert isinstance(found[0], RuntimeError)
    assert str(found[0]) == (
        "Non-thread-safe operation invoked on an event loop other than the current one"
    )


def test_without_debug_mode_a_wrong_thread_is_not_noticed(loop):
    def check():
        found.append(in_thread(loop.call_soon, int))
        loop.stop()

    found = []
    loop.call_soon(check)
    loop.run_forever()
    assert isinstance(found[0], asyncio.Handle)


def test_a_threadsafe_call_is_never_from_a_wrong_thread(debug_loop):
    def check():
        found.append(in_thread(debug_loop.call_soon_threadsafe, debug_loop.stop))

    found = []
    debug_loop.call_soon(check)
    debug_loop.run_forever()
    assert isinstance(found[0], asyncio.Handle)


def test_a_loop_that_does_not_run_belongs_to_every_thread(debug_loop):
    assert isinstance(in_thread(debug_loop.call_soon, int), asyncio.Handle)


# asyncio's call_later is refused in the name of call_at.
NAMES = {"call_later": "call_at"}


@pytest.mark.parametrize("method", ["call_soon", "call_soon_threadsafe", "call_later", "call_at"])
def test_coroutines_are_no_callbacks(debug_loop, method):
    coroutine = nothing()
    schedule = getattr(debug_loop, method)
    before = () if method.startswith("call_soon") else (0,)
    for wrong in (coroutine, nothing):
        text = rf"^coroutines cannot be used with {NAMES.get(method, method)}\(\)$"
        with pytest.raises(TypeError, match=text):
            schedule(*before, wrong)
    coroutine.close()


@pytest.mark.parametrize("method", ["call_soon", "call_soon_threadsafe", "call_later", "call_at"])
@pytest.mark.parametrize("wrong", [None, 3, "text", object()])
def test_callbacks_are_callable(debug_loop, method, wrong):
    before = () if method.startswith("call_soon") else (0,)
    text = rf"a callable object was expected by {NAMES.get(method, method)}\(\), got"
    with pytest.raises(TypeError, match=text):
        getattr(debug_loop, method)(*before, wrong)


def test_run_in_executor_takes_no_coroutine(debug_loop):
    with pytest.raises(TypeError, match=r"coroutines cannot be used with run_in_executor\(\)"):
        debug_loop.run_in_executor(None, nothing)


@pytest.mark.slow
def test_a_slow_callback_is_logged(debug_loop, caplog):
    debug_loop.slow_callback_duration = 0.005
    debug_loop.call_soon(time.sleep, 0.02)
    debug_loop.call_soon(debug_loop.stop)
    with caplog.at_level(logging.WARNING, logger="asyncio"):
        debug_loop.run_forever()
    messages = [record.getMessage() for record in caplog.records]
    pattern = r"Executing <Handle .*sleep.*> took \d+\.\d{3} seconds"
    assert [bool(re.fullmatch(pattern, message)) for message in messages] == [True]


@pytest.mark.slow
def test_a_slow_step_of_a_task_is_logged(debug_loop, caplog):
    async def slow():
        time.sleep(0.02)

    debug_loop.slow_callback_duration = 0.005
    with caplog.at_level(logging.WARNING, logger="asyncio"):
        debug_loop.run_until_complete(debug_loop.create_task(slow(), name="slow one"))
    messages = [record.getMessage() for record in caplog.records]
    pattern = (
        r"Executing <Task finished name='slow one' coro=<.*slow\(\) done, defined at .*> "
        r"result=None created at .*:\d+> took \d+\.\d{3} seconds"
    )
    assert [bool(re.fullmatch(pattern, message)) for message in messages] == [True]


def test_the_limit_of_a_slow_callback_is_100_ms(loop):
    assert loop.slow_callback_duration == 0.1


def test_handles_and_tasks_know_where_they_were_made(debug_loop):
    handle = debug_loop.call_soon(int)
    timer = debug_loop.call_later(1, int)
    task = debug_loop.create_task(nothing())
    future = debug_loop.create_future()
    for thing in (handle, timer, task, future):
        frames = [
            frame for frame in thing._source_traceback if frame.filename.endswith("_debug_mode.py")
        ]
        assert frames[-1].name == "test_handles_and_tasks_know_where_they_were_made"
    debug_loop.run_until_complete(task)


def test_reports_tell_where_the_failing_one_was_made(debug_loop, reports):
    def fail():
        raise ValueError

    debug_loop.call_soon(fail)
    debug_loop.call_soon(debug_loop.stop)
    debug_loop.run_forever()
    assert reports[0]["source_traceback"][-1].filename.endswith("test_debug_mode.py")


def test_an_origin_is_tracked_while_a_debugging_loop_runs(debug_loop):
    async def main():
        depth = sys.get_coroutine_origin_tracking_depth()
        debug_loop.set_debug(False)
        await asyncio.sleep(0)
        off = sys.get_coroutine_origin_tracking_depth()
        debug_loop.set_debug(True)
        return depth, off

    before = sys.get_coroutine_origin_tracking_depth()
    depth, off = debug_loop.run_until_complete(main())
    assert depth > 0
    assert off == 0
    assert sys.get_coroutine_origin_tracking_depth() == before


def test_a_coroutine_nobody_awaited_tells_its_origin(debug_loop):
    async def left_alone():
        pass

    async def main():
        left_alone()
        gc.collect()

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        debug_loop.run_until_complete(main())
    (warning,) = [one for one in caught if "left_alone' was never awaited" in str(one.message)]
    assert "Coroutine created at (most recent call last)" in str(warning.message)


def test_a_loop_that_is_not_closed_is_warned_about(loop_factory):
    loop = loop_factory()
    text = repr(loop)
    with pytest.warns(ResourceWarning, match="unclosed event loop") as caught:
        del loop
        gc.collect()
    assert text in [str(one.message).removeprefix("unclosed event loop ") for one in caught]


PROGRAM = """
import asyncio, sys
{imports}
loop = {factory}()
print(loop.get_debug())
loop.run_until_complete(asyncio.sleep(0))
loop.close()
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "environment", "debug"),
    [
        ([], {}, False),
        ([], {"PYTHONASYNCIODEBUG": "1"}, True),
        ([], {"PYTHONASYNCIODEBUG": ""}, False),
        (["-X", "dev"], {}, True),
        (["-E"], {"PYTHONASYNCIODEBUG": "1"}, False),
    ],
)
def test_the_interpreter_can_be_told_to_debug(loop_factory, options, environment, debug):
    ours = loop_factory is greenloop.new_event_loop
    program = PROGRAM.format(
        imports="import greenloop" if ours else "",
        factory="greenloop.new_event_loop" if ours else "asyncio.SelectorEventLoop",
    )
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONASYNCIODEBUG"}
    result = subprocess.run(
        [sys.executable, *options, "-c", program],
        env=inherited | environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (result.stderr, result.stdout, result.returncode) == ("", f"{debug}\n", 0)


@pytest.mark.parametrize("factory", ["asyncio.SelectorEventLoop", "greenloop.new_event_loop"])
def test_a_loop_that_is_left_to_the_end_of_the_interpreter_says_nothing_more(factory):
    program = f"import asyncio, greenloop; asyncio.set_event_loop(loop := {factory}())"
    command = [sys.executable, "-c", f"{program}; loop.set_debug(True)"]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "Exception ignored" not in result.stderr


@pytest.mark.parametrize("kind", ["asyncio.Queue", "greenloop.Queue"])
def test_what_is_never_awaited_is_warned_of_with_its_origin(kind):
    program = """
import asyncio, greenloop
async def inner():
    queue = KIND()
    queue.get()
async def main():
    await inner()
    again = KIND().get()
    print(again.cr_origin[0][1:])
    await asyncio.wait([asyncio.ensure_future(again)], timeout=0)
greenloop.run(main(), debug=True)
print(asyncio.Queue().get().cr_origin)
"""
    program = program.replace("KIND", kind)
    command = [sys.executable, "-c", program]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert result.stdout.splitlines() == ["(8, 'main')", "None"]
    words = result.stderr
    assert "RuntimeWarning: coroutine 'Queue.get' was never awaited" in words
    assert "Coroutine created at (most recent call last)" in words
    assert "line 7, in main" in words
    assert "line 5, in inner" in words
    # Outside of debug mode nobody keeps it.
    assert words.count("Coroutine created at") == 1


def test_an_origin_goes_with_its_coroutine():
    async def main():
        coroutine = greenloop.Queue().get()
        number, name = coroutine.cr_origin[0][1:]
        assert (number, name) == (main.__code__.co_firstlineno + 1, "main")
        coroutine.close()
        del coroutine
        return [greenloop.Lock().acquire() for _ in range(3)]

    for coroutine in greenloop.run(main(), debug=True):
        assert coroutine.cr_origin
        coroutine.close()
    made = [greenloop.Lock().acquire() for _ in range(300)]
    del coroutine
    assert {one.cr_origin for one in made} == {None}
    for one in made:
        one.close()
