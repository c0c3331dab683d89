"""`install` makes asyncio itself use Greenloop, and `uninstall` leaves no trace of it."""

import asyncio
import asyncio.events
import asyncio.unix_events
import subprocess
import sys
import unittest
import warnings

import pytest
from native_primitives import CLASSES

import greenloop
from greenloop import _native


@pytest.fixture
def installed():
    """Greenloop installed for the test, and gone afterwards."""
    greenloop.install()
    yield
    greenloop.uninstall()


@pytest.fixture(autouse=True)
def asyncio_as_it_was():
    """Fails a test that leaves asyncio changed, whatever it did."""
    before = state_of_asyncio()
    yield
    changed = differences(before, state_of_asyncio())
    greenloop.uninstall()
    # asyncio makes its stock policy when it is first asked for one, on either loop.
    assert changed - {"asyncio.events._event_loop_policy"} == set()


def test_installing_replaces_exactly_what_is_listed():
    before = state_of_asyncio()
    greenloop.install()
    changed = differences(before, state_of_asyncio())
    assert changed == {*greenloop.installed_names()}
    greenloop.uninstall()
    assert state_of_asyncio() == before
    assert greenloop.installed_names() == ()


def installed_as(name):
    # asyncio has one class under two names, and what stands for it makes asyncio's loop as well.
    return getattr(greenloop, "SelectorEventLoop" if name == "EventLoop" else name)


def test_the_names_that_are_replaced_are_the_native_ones():
    greenloop.install()
    for name in greenloop.native_names() - {"run", "Runner", "new_event_loop"}:
        assert getattr(asyncio, name) is installed_as(name)
        assert f"asyncio.{name}" in greenloop.installed_names()
    greenloop.uninstall()


def test_no_module_of_asyncio_is_left_with_its_own_under_a_native_name():
    replaced = {
        name: getattr(asyncio, name)
        for name in greenloop.native_names() - {"run", "Runner", "new_event_loop"}
    }
    homes = {name: {owner for owner, _ in places(name, one)} for name, one in replaced.items()}
    assert all("asyncio" in owners and len(owners) > 1 for owners in homes.values())
    # Streams take `sleep` from the module of tasks, and would keep it.
    assert "asyncio.streams" in homes["sleep"]
    greenloop.install()
    for name, original in replaced.items():
        assert places(name, original) == set()
        assert {owner for owner, _ in places(name, installed_as(name))} == homes[name]
    greenloop.uninstall()


def test_a_module_of_asyncio_that_is_loaded_meanwhile_is_put_right_as_well():
    program = """\
import asyncio, sys
import greenloop
del sys.modules["asyncio.streams"], asyncio.streams
original = asyncio.sleep
greenloop.install()
import asyncio.streams
assert asyncio.streams.sleep is greenloop.sleep
greenloop.uninstall()
assert asyncio.streams.sleep is asyncio.sleep is original
"""
    subprocess.run([sys.executable, "-c", program], timeout=60, check=True)


def test_what_was_taken_from_asyncio_before_stays_asyncios():
    from asyncio import Event, sleep

    class Mine(asyncio.Event):
        pass

    original = asyncio.Event
    greenloop.install()
    assert Event is original
    assert sleep is not asyncio.sleep
    assert Mine.__mro__[1] is original
    assert not issubclass(Mine, asyncio.Event)
    greenloop.uninstall()
    assert issubclass(Mine, asyncio.Event)


def test_an_unmodified_program_makes_native_primitives(installed):
    async def main():
        async with asyncio.Lock() as nothing:
            await asyncio.sleep(0)
        event = asyncio.Event()
        asyncio.get_running_loop().call_soon(event.set)
        return nothing, await event.wait(), isinstance(event, greenloop.Event)

    assert asyncio.run(main()) == (None, True, True)


@pytest.mark.parametrize("class_name", [name for name in CLASSES if hasattr(_native, name)])
def test_a_native_class_can_be_derived_from_under_asyncios_name(installed, class_name):
    class Mine(getattr(asyncio, class_name)):
        """A subclass with a dictionary, as libraries have them."""

    arguments = {"Barrier": (2,), "Timeout": (None,)}.get(class_name, ())
    mine = Mine(*arguments)
    mine.attribute = "set"
    assert isinstance(mine, getattr(greenloop, class_name))
    assert mine.attribute == "set"


def test_installing_twice_is_undone_by_uninstalling_once():
    before = state_of_asyncio()
    greenloop.install()
    once = greenloop.installed_names()
    greenloop.install()
    assert greenloop.installed_names() == once
    greenloop.uninstall()
    assert state_of_asyncio() == before
    greenloop.uninstall()
    assert state_of_asyncio() == before


def test_what_somebody_else_replaced_since_stays_theirs():
    class TheirTask(asyncio.Task):
        pass

    original = asyncio.Task
    greenloop.install()
    asyncio.Task = TheirTask
    greenloop.uninstall()
    assert asyncio.Task is TheirTask
    assert asyncio.tasks.Task is original
    asyncio.Task = original


def test_asyncio_run_uses_our_loop_and_tasks(installed):
    async def main():
        task = asyncio.create_task(asyncio.sleep(0))
        await task
        return type(asyncio.get_running_loop()), type(asyncio.current_task()), type(task)

    assert asyncio.run(main()) == (greenloop.EventLoop, greenloop.Task, greenloop.Task)
    greenloop.uninstall()
    assert asyncio.run(main())[0] is asyncio.SelectorEventLoop


def test_instances_are_recognised_by_asyncios_names(installed):
    async def main():
        loop = asyncio.get_running_loop()
        task = asyncio.create_task(asyncio.sleep(0))
        gathered = asyncio.gather(task)
        timer = loop.call_later(60, print)
        assert isinstance(task, asyncio.Task)
        assert isinstance(task, asyncio.Future)
        assert isinstance(loop.create_future(), asyncio.Future)
        assert isinstance(gathered, asyncio.Future)
        assert isinstance(loop.call_soon(int), asyncio.Handle)
        assert isinstance(timer, asyncio.TimerHandle)
        assert isinstance(timer, asyncio.Handle)
        assert isinstance(loop, asyncio.AbstractEventLoop)
        assert issubclass(asyncio.Task, asyncio.Future)
        assert not isinstance(loop, asyncio.Future)
        timer.cancel()
        await gathered

    asyncio.run(main())


def test_a_stdlib_loop_still_works_with_our_classes_installed(installed):
    async def main():
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        loop.call_later(0.001, future.set_result, "later")
        async with asyncio.timeout(10):
            results = await asyncio.gather(future, asyncio.sleep(0, "soon"))
        return type(loop), type(asyncio.current_task()), results

    with asyncio.Runner(loop_factory=asyncio.unix_events._UnixSelectorEventLoop) as runner:
        loop, task, results = runner.run(main())
    assert (loop, task) == (asyncio.unix_events._UnixSelectorEventLoop, greenloop.Task)
    assert results == ["later", "soon"]


@pytest.mark.skipif(sys.version_info < (3, 12), reason="eager tasks came with 3.12")
def test_the_eager_task_factory_makes_our_tasks(installed):
    async def main():
        asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
        task = asyncio.create_task(asyncio.sleep(0, "started"))
        return type(task), await task

    assert asyncio.run(main()) == (greenloop.Task, "started")


@pytest.mark.skipif(sys.version_info < (3, 13), reason="asyncio.EventLoop came with 3.13")
def test_asyncios_event_loop_is_ours(installed):
    async def main():
        return type(asyncio.get_running_loop())

    assert asyncio.run(main(), loop_factory=asyncio.EventLoop) is greenloop.EventLoop


def test_the_default_policy_makes_our_loops_however_it_is_set(installed):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        asyncio.set_event_loop_policy(None)
        loops = [asyncio.new_event_loop(), asyncio.get_event_loop_policy().new_event_loop()]
        asyncio.set_event_loop_policy(asyncio.DefaultEventLoopPolicy())
        loops.append(asyncio.new_event_loop())
        asyncio.set_event_loop_policy(None)
    for loop in loops:
        loop.close()
    assert {type(loop) for loop in loops} == {greenloop.EventLoop}


def test_another_librarys_policy_gives_way_and_comes_back():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)

        class TheirPolicy(asyncio.DefaultEventLoopPolicy):
            def new_event_loop(self):
                return asyncio.SelectorEventLoop()

        asyncio.set_event_loop_policy(theirs := TheirPolicy())
        greenloop.install()
        loop = asyncio.new_event_loop()
        loop.close()
        assert type(loop) is greenloop.EventLoop
        greenloop.uninstall()
        assert asyncio.get_event_loop_policy() is theirs
        asyncio.set_event_loop_policy(None)


def test_the_loop_that_was_current_stays_current():
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        greenloop.install()
        assert current_loop() is loop
        greenloop.uninstall()
        assert current_loop() is loop
    finally:
        asyncio.set_event_loop(None)
        loop.close()


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="3.14 has no child watchers")
def test_a_child_watcher_can_be_attached_to_our_loop(installed):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        loop = asyncio.new_event_loop()
        watcher = asyncio.ThreadedChildWatcher()
        asyncio.set_child_watcher(watcher)
        asyncio.set_event_loop(loop)
        try:
            assert asyncio.get_child_watcher() is watcher
        finally:
            asyncio.set_child_watcher(None)
            asyncio.set_event_loop(None)
            loop.close()


def test_unittests_asynchronous_cases_run_on_our_loop(installed):
    loops = []

    class Case(unittest.IsolatedAsyncioTestCase):
        async def test(self):
            loops.append(type(asyncio.get_running_loop()))

    result = unittest.TestResult()
    Case("test").run(result)
    assert result.errors == result.failures == []
    assert loops == [greenloop.EventLoop]


def places(name, value):
    """Where asyncio's modules have the value under the name: pairs of module and name."""
    return {
        (module.__name__, name)
        for module_name, module in [*sys.modules.items()]
        if module_name.partition(".")[0] == "asyncio"
        if vars(module).get(name) is value
    }


def state_of_asyncio():
    """Every name in asyncio's modules and in the class of its stock policy, with what it is."""
    owners = {name: sys.modules[name] for name in [*sys.modules] if name.startswith("asyncio.")}
    owners["asyncio"] = asyncio
    policy = asyncio.unix_events._UnixDefaultEventLoopPolicy
    owners[f"{policy.__module__}.{policy.__qualname__}"] = policy
    return {
        f"{owner}.{name}": value
        for owner, namespace in owners.items()
        for name, value in vars(namespace).items()
        if name != "__warningregistry__"  # Python's own notes on which warnings it has shown.
    }


def differences(before, after):
    absent = object()
    return {
        name
        for name in before.keys() | after.keys()
        if before.get(name, absent) is not after.get(name, absent)
    }


def current_loop():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return asyncio.get_event_loop_policy().get_event_loop()


def test_handles_say_that_they_are_of_the_installed_class():
    loop = greenloop.new_event_loop()
    handles = loop.call_soon(int), loop.call_later(0, int), loop.call_soon_threadsafe(int)
    original = asyncio.Handle
    assert all(isinstance(handle, original) for handle in handles)
    assert handles[0].__class__ is original
    greenloop.install()
    assert handles[0].__class__ is asyncio.Handle is greenloop.Handle
    assert handles[1].__class__ is asyncio.TimerHandle
    assert handles[2].__class__ is type(handles[2])
    greenloop.uninstall()
    assert handles[0].__class__ is original
    loop.close()


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(
    ("owner", "name"),
    [
        ("Handle", "_run"),
        ("Lock", "acquire"),
        ("Semaphore", "release"),
        ("Condition", "wait"),
        ("Queue", "_put"),
        ("TaskGroup", "_on_task_done"),
        ("BaseEventLoop", "create_task"),
        ("BaseEventLoop", "call_at"),
    ],
)
def test_hooks_in_installed_classes_are_called(monkeypatch, owner, name):
    original, calls = getattr(getattr(asyncio, owner), name), []

    def hook(self, *arguments, **keywords):
        calls.append(self)
        return original(self, *arguments, **keywords)

    monkeypatch.setattr(getattr(asyncio, owner), name, hook)

    async def main():
        queue, condition, answers = asyncio.Queue(), asyncio.Condition(), [True, False]

        async def notify():
            async with condition:
                condition.notify_all()

        async with asyncio.Lock(), asyncio.Semaphore(), asyncio.TaskGroup() as group:
            group.create_task(queue.put(1))
            async with condition, asyncio.timeout(100):
                group.create_task(notify())
                await condition.wait_for(answers.pop)
        assert type(asyncio.current_task()) is greenloop.Task
        return await queue.get()

    assert asyncio.run(main()) == 1
    assert calls
