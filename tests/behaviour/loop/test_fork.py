"""Forking: the child can use a loop of its own, and the parent's goes on untouched."""

import asyncio
import os
import subprocess
import sys
import threading
import warnings

import pytest

import greenloop

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]


async def give(value):
    await asyncio.sleep(0)
    return value


def in_child(function):
    """Call a function in a forked child and return what it returned, a small number."""
    process = os.fork()
    if process == 0:
        # Whatever happens, the child must not go on with the parent's tests.
        status = 255
        try:
            status = function()
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def test_a_child_can_run_a_new_loop_inside_a_running_one(loop, loop_factory):
    def child():
        other = loop_factory()
        try:
            return other.run_until_complete(give(7))
        finally:
            other.close()

    async def main():
        return in_child(child), await give(8)

    assert loop.run_until_complete(main()) == (7, 8)


def test_a_child_has_no_running_loop(loop):
    def child():
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return 3
        return 4

    async def main():
        return in_child(child)

    assert loop.run_until_complete(main()) == 3


def test_a_child_can_close_its_copy_of_the_loop(loop):
    loop.call_later(1000, print)

    def child():
        loop.close()
        return 5

    assert in_child(child) == 5
    assert loop.run_until_complete(give(6)) == 6


def test_the_parent_is_still_woken_by_threads_and_timers_after_a_fork(loop):
    order = []
    assert in_child(lambda: 0) == 0
    thread = threading.Thread(target=loop.call_soon_threadsafe, args=(order.append, "thread"))
    loop.call_soon(thread.start)
    loop.call_later(0.001, order.append, "timer")

    async def main():
        while len(order) < 2:
            await asyncio.sleep(0.0005)

    loop.run_until_complete(main())
    thread.join()
    assert sorted(order) == ["thread", "timer"]


def test_tasks_of_the_parent_are_not_run_by_the_child(loop, loop_factory):
    ran = []

    async def body():
        await asyncio.sleep(0)
        ran.append(os.getpid())

    def child():
        other = loop_factory()
        other.run_until_complete(give(1))
        other.close()
        return len(ran)

    task = loop.create_task(body())
    loop.call_soon(loop.stop)
    loop.run_forever()
    assert in_child(child) == 0
    loop.run_until_complete(task)
    assert ran == [os.getpid()]


def test_subprocesses_can_be_spawned_while_a_loop_runs(loop):
    async def main():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return subprocess.run([sys.executable, "-c", "print(5)"], capture_output=True).stdout

    assert loop.run_until_complete(main()) == b"5\n"


MULTIPROCESSING = """
import asyncio, multiprocessing
{imports}

async def give(value):
    await asyncio.sleep(0)
    return value

def child(value):
    loop = {factory}()
    try:
        return loop.run_until_complete(give(value))
    finally:
        loop.close()

async def main():
    with multiprocessing.get_context("fork").Pool(2) as pool:
        return pool.map(child, range(4))

loop = {factory}()
print(loop.run_until_complete(main()))
loop.close()
"""


@pytest.mark.slow
def test_a_pool_of_forked_workers_runs_loops(loop_factory):
    ours = loop_factory is greenloop.new_event_loop
    program = MULTIPROCESSING.format(
        imports="import greenloop" if ours else "",
        factory="greenloop.new_event_loop" if ours else "asyncio.SelectorEventLoop",
    )
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program], capture_output=True, text=True, timeout=60
    )
    assert (result.stdout, result.stderr) == ("[0, 1, 2, 3]\n", "")
