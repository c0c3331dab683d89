"""An exception that another thread sends into a loop's thread, as func_timeout and stopit do."""

import asyncio
import ctypes
import sys
import threading

import pytest


class Stop(BaseException):
    pass


def in_idle_loop(loop, kind):
    """Send an exception while the loop waits, and wake it by a callback that is no Python code."""
    ran, reports = [], []
    loop.set_exception_handler(lambda loop, context: reports.append(context["exception"]))
    waits = threading.Event()

    def other(thread):
        waits.wait()
        # Taken once the loop's thread has let go of the GIL, which it does to wait.
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(kind))
        loop.call_soon_threadsafe(ran.append, "first")
        loop.call_soon_threadsafe(lambda: ran.append("second"))

    helper = threading.Thread(target=other, args=(threading.get_ident(),))
    helper.start()
    loop.call_soon(waits.set)
    try:
        with pytest.raises(kind):
            loop.run_forever()
    finally:
        helper.join()
    return ran, reports


@pytest.mark.parametrize("kind", [Stop, SystemExit, ValueError])
def test_an_idle_loop_is_left_by_an_exception_that_is_sent(loop, kind):
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1000)
    try:
        ran, reports = in_idle_loop(loop, kind)
    finally:
        sys.setswitchinterval(interval)
    assert reports == []
    assert not loop.is_running()
    # What had become ready meanwhile is not lost.
    loop.call_soon(loop.stop)
    loop.run_forever()
    assert ran == ["first", "second"]


def test_waiting_runs_no_python_code_that_a_profiler_sees(loop):
    seen = []

    async def main():
        await asyncio.sleep(0.001)
        sys.setprofile(lambda frame, event, argument: seen.append(frame.f_code.co_filename))
        try:
            for _ in range(3):
                await asyncio.sleep(0.001)
        finally:
            sys.setprofile(None)

    loop.run_until_complete(main())
    assert "<string>" not in seen
    assert seen
