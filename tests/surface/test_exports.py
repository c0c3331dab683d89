"""`greenloop` offers asyncio's public names, each from one place, with asyncio's signatures."""

import asyncio
import importlib
import importlib.metadata
import inspect
import pkgutil
import subprocess
import sys
import warnings

import pytest

import greenloop
from greenloop.interpreter import _reason_to_refuse

OWN_NAMES = {
    "Deadlock",
    "EventLoop",
    "ThreadQueue",
    "flight_recorder",
    "doctor",
    "install",
    "installed_names",
    "name",
    "native_names",
    "stats",
    "trace",
    "uninstall",
    "watch",
}
# What asyncio shows to `dir` without declaring it public: 3.11 forgot to declare TaskGroup.
SHOWN_NAMES = {
    name
    for name in dir(asyncio)
    if not name.startswith("_") and not inspect.ismodule(getattr(asyncio, name))
}


@pytest.mark.parametrize("name", sorted({*asyncio.__all__, *SHOWN_NAMES}))
def test_every_public_name_of_asyncio_is_offered(name):
    ours = getattr(greenloop, name)
    if name in greenloop.native_names():
        assert ours is not getattr(asyncio, name)
    else:
        assert ours is getattr(asyncio, name)


def test_what_is_offered_is_asyncios_public_names_and_our_own():
    assert len(greenloop.__all__) == len(set(greenloop.__all__))
    assert set(greenloop.__all__) == {*asyncio.__all__, *OWN_NAMES}
    namespace = {}
    exec("from greenloop import *", namespace)
    assert {*greenloop.__all__} <= {*namespace}


def test_the_native_names_are_public_names_of_asyncio():
    native = greenloop.native_names()
    assert native <= {*asyncio.__all__, *SHOWN_NAMES}
    expected = {"Future", "Handle", "Runner", "Task", "TimerHandle", "new_event_loop", "run"}
    expected |= {"Event", "Lock", "sleep", "create_subprocess_exec", "create_subprocess_shell"}
    if sys.version_info >= (3, 12):
        expected.add("eager_task_factory")
    if sys.version_info >= (3, 13):
        expected.add("EventLoop")
    assert expected <= native


def test_names_that_asyncio_does_not_declare_are_found_too():
    assert greenloop.tasks is asyncio.tasks
    assert greenloop.base_events is asyncio.base_events
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        assert greenloop.DefaultEventLoopPolicy is asyncio.DefaultEventLoopPolicy
    assert {*dir(asyncio)} <= {*dir(greenloop)}


def test_a_name_that_nobody_has_is_missed_under_our_name():
    with pytest.raises(AttributeError, match="module 'greenloop' has no attribute 'nobody'"):
        greenloop.nobody  # noqa: B018
    with pytest.raises(ImportError):
        exec("from greenloop import nobody")


def test_only_the_package_itself_declares_public_names():
    modules = [
        importlib.import_module(module.name)
        for module in pkgutil.iter_modules(greenloop.__path__, "greenloop.")
        if module.name != "greenloop.__main__"
    ]
    assert {"greenloop._native", "greenloop.launcher"} <= {module.__name__ for module in modules}
    declaring = [module.__name__ for module in modules if hasattr(module, "__all__")]
    assert declaring == ["greenloop.testing"], "a package that programs import, with its own names"


def test_the_version_is_that_of_the_installed_package():
    assert greenloop.__version__ == importlib.metadata.version("greenloop")


@pytest.mark.parametrize("name", ["run", "Runner", "new_event_loop"])
def test_a_function_of_ours_takes_what_asyncios_takes(name):
    def arguments(function):
        return [
            (parameter.name, parameter.kind, parameter.default)
            for parameter in inspect.signature(function).parameters.values()
        ]

    assert arguments(getattr(greenloop, name)) == arguments(getattr(asyncio, name))


def test_new_event_loop_makes_an_open_loop_of_ours():
    loop = greenloop.new_event_loop()
    try:
        assert type(loop) is greenloop.EventLoop
        assert isinstance(loop, asyncio.AbstractEventLoop)
        assert not loop.is_running()
        assert not loop.is_closed()
    finally:
        loop.close()


def test_importing_greenloop_changes_nothing_in_asyncio():
    program = """\
import asyncio, sys
def state():
    modules = [sys.modules[name] for name in sorted(sys.modules)
               if name.partition(".")[0] in ("asyncio", "_asyncio")]
    owners = modules + [value for module in modules for value in vars(module).values()
                        if isinstance(value, type) and value.__module__.startswith("asyncio")]
    return {(id(owner), name): id(value) for owner in owners for name, value in vars(owner).items()}
# Everything that Greenloop may import is imported before the first look.
import asyncio.events, asyncio.unix_events
before = state()
import greenloop
after = state()
print({name: (before.get(name), after.get(name)) for name in before.keys() | after.keys()
       if before.get(name) != after.get(name)})
"""
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (result.stdout, result.stderr) == ("{}\n", "")


@pytest.mark.parametrize(
    ("implementation", "version", "free_threaded", "reason"),
    [
        ("cpython", (3, 11), False, None),
        ("cpython", (3, 15), False, None),
        ("cpython", (3, 10), False, "needs CPython 3.11 or newer, and this is 3.10"),
        ("cpython", (3, 14), True, "does not run on free-threaded builds"),
        ("pypy", (3, 11), False, "runs on CPython only, and this is pypy"),
    ],
)
def test_an_interpreter_that_cannot_be_served_is_refused_with_the_reason(
    implementation, version, free_threaded, reason
):
    refusal = _reason_to_refuse(
        implementation=implementation, version=version, free_threaded=free_threaded
    )
    assert refusal == reason or (refusal or "").startswith(reason)
