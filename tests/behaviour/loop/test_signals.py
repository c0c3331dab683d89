"""Signal handlers: added, removed, refused, and called in the loop's thread."""

import asyncio
import os
import signal
import threading

import pytest


def raise_signal(number):
    os.kill(os.getpid(), number)


def run_until_stopped(loop):
    """Run, with an end in case nobody stops the loop."""
    guard = loop.call_later(10, loop.stop)
    loop.run_forever()
    assert not guard.when() <= loop.time(), "nobody stopped the loop"
    guard.cancel()


@pytest.fixture(autouse=True)
def handlers_as_before():
    """Check that a test leaves the handlers of the process alone."""
    numbers = (signal.SIGINT, signal.SIGUSR1, signal.SIGUSR2, signal.SIGTERM)
    before = {number: signal.getsignal(number) for number in numbers}
    yield
    assert {number: signal.getsignal(number) for number in numbers} == before
    assert signal.set_wakeup_fd(-1) == -1


@pytest.fixture
def loop(loop):
    yield loop
    loop.close()


def test_a_handler_is_called_in_the_loop_with_its_arguments(loop):
    calls = []

    def handle(*arguments):
        calls.append((arguments, asyncio.get_running_loop(), threading.get_ident()))
        loop.stop()

    assert loop.add_signal_handler(signal.SIGUSR1, handle, 1, "two") is None
    loop.call_soon(raise_signal, signal.SIGUSR1)
    run_until_stopped(loop)
    assert calls == [((1, "two"), loop, threading.get_ident())]


def test_a_signal_wakes_an_idle_loop(loop):
    loop.add_signal_handler(signal.SIGUSR1, loop.stop)
    thread = threading.Thread(target=raise_signal, args=(signal.SIGUSR1,))
    loop.call_soon(thread.start)
    run_until_stopped(loop)
    thread.join()


def test_signals_before_the_run_are_handled_in_it(loop):
    calls = []
    loop.add_signal_handler(signal.SIGUSR1, lambda: (calls.append(1), loop.stop()))
    raise_signal(signal.SIGUSR1)
    assert calls == []
    run_until_stopped(loop)
    assert calls == [1]


def test_several_signals_have_several_handlers(loop):
    calls = []

    def handle(name):
        calls.append(name)
        if len(calls) == 2:
            loop.stop()

    loop.add_signal_handler(signal.SIGUSR1, handle, "one")
    loop.add_signal_handler(signal.SIGUSR2, handle, "two")
    loop.call_soon(raise_signal, signal.SIGUSR2)
    loop.call_soon(raise_signal, signal.SIGUSR1)
    run_until_stopped(loop)
    assert sorted(calls) == ["one", "two"]


def test_a_later_handler_replaces_the_earlier(loop):
    calls = []
    loop.add_signal_handler(signal.SIGUSR1, calls.append, "first")
    loop.add_signal_handler(signal.SIGUSR1, lambda: (calls.append("second"), loop.stop()))
    loop.call_soon(raise_signal, signal.SIGUSR1)
    run_until_stopped(loop)
    assert calls == ["second"]


def test_a_removed_handler_gives_the_default_back(loop):
    assert loop.remove_signal_handler(signal.SIGUSR1) is False
    loop.add_signal_handler(signal.SIGUSR1, print)
    assert signal.getsignal(signal.SIGUSR1) is not signal.SIG_DFL
    assert loop.remove_signal_handler(signal.SIGUSR1) is True
    assert signal.getsignal(signal.SIGUSR1) is signal.SIG_DFL
    assert loop.remove_signal_handler(signal.SIGUSR1) is False


def test_a_removed_handler_of_ctrl_c_gives_keyboard_interrupt_back(loop):
    loop.add_signal_handler(signal.SIGINT, print)
    assert signal.getsignal(signal.SIGINT) is not signal.default_int_handler
    loop.remove_signal_handler(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_close_removes_the_handlers(loop):
    loop.add_signal_handler(signal.SIGUSR1, print)
    loop.close()
    assert signal.getsignal(signal.SIGUSR1) is signal.SIG_DFL


def test_an_exception_of_a_handler_is_reported(loop, reports):
    def fail():
        loop.call_soon(loop.stop)
        raise ValueError("from the handler")

    loop.add_signal_handler(signal.SIGUSR1, fail)
    loop.call_soon(raise_signal, signal.SIGUSR1)
    run_until_stopped(loop)
    assert [str(report["exception"]) for report in reports] == ["from the handler"]


def test_ctrl_c_leaves_the_run_and_the_loop_usable(loop):
    async def main():
        raise_signal(signal.SIGINT)
        await asyncio.sleep(10)

    with pytest.raises(KeyboardInterrupt):
        loop.run_until_complete(main())
    for task in asyncio.all_tasks(loop):
        task.cancel()
    loop.run_until_complete(asyncio.sleep(0))


def test_ctrl_c_interrupts_an_idle_loop(loop):
    thread = threading.Thread(target=raise_signal, args=(signal.SIGINT,))
    loop.call_soon(thread.start)
    guard = loop.call_later(10, loop.stop)
    with pytest.raises(KeyboardInterrupt):
        loop.run_forever()
    guard.cancel()
    thread.join()


@pytest.mark.parametrize("number", [0, -1, 65, 10_000])
def test_a_signal_has_a_valid_number(loop, number):
    with pytest.raises(ValueError):
        loop.add_signal_handler(number, print)
    with pytest.raises(ValueError):
        loop.remove_signal_handler(number)


@pytest.mark.parametrize("number", [None, "SIGUSR1", 1.0])
def test_a_signal_is_a_number(loop, number):
    with pytest.raises(TypeError, match="^sig must be an int, not "):
        loop.add_signal_handler(number, print)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_some_signals_cannot_be_caught(loop, number):
    with pytest.raises(RuntimeError, match=f"^sig {int(number)} cannot be caught$"):
        loop.add_signal_handler(number, print)


def test_a_handler_is_no_coroutine(loop):
    async def nothing():
        pass

    with pytest.raises(TypeError, match="coroutines cannot be used with add_signal_handler"):
        loop.add_signal_handler(signal.SIGUSR1, nothing)


def test_only_the_main_thread_can_add_a_handler(loop):
    errors = []

    def add():
        try:
            loop.add_signal_handler(signal.SIGUSR1, print)
        except Exception as error:
            errors.append(error)

    thread = threading.Thread(target=add)
    thread.start()
    thread.join()
    assert [type(error) for error in errors] == [RuntimeError]


def test_a_handler_cannot_be_added_to_a_closed_loop(loop):
    loop.close()
    with pytest.raises(RuntimeError, match="^Event loop is closed$"):
        loop.add_signal_handler(signal.SIGUSR1, print)
