"""What programs wait with is native, looks like asyncio's, and is what unmodified programs use."""

import asyncio
import inspect
import json
import pathlib
import pickle
import subprocess
import sys
import unittest.mock

import pytest
from native_primitives import CLASSES, COROUTINE_FUNCTIONS, FUNCTIONS, PRIMITIVES

import greenloop

LESSON = pathlib.Path(__file__).resolve().parents[2] / "examples" / "lesson"
LESSON_PROGRAMS = [
    ("producer_sets_pace.py",),
    ("consumer_sets_pace.py", "--mode", "join"),
    ("consumer_sets_pace.py", "--mode", "event"),
    ("async_iteration.py",),
    ("why_gather.py",),
]
METHODS = [
    (name, method)
    for name in CLASSES
    for method in dir(getattr(asyncio, name))
    if not method.startswith("_") and callable(getattr(getattr(asyncio, name), method))
]
since_3_12 = pytest.mark.skipif(
    sys.version_info < (3, 12), reason="3.11 enters a Python function at its code and nowhere else"
)


@pytest.mark.parametrize("name", PRIMITIVES)
def test_every_primitive_is_native(name):
    assert name in greenloop.native_names()
    assert getattr(greenloop, name) is not getattr(asyncio, name)


@pytest.mark.slow
@pytest.mark.parametrize("command", LESSON_PROGRAMS, ids=" ".join)
def test_the_lesson_runs_none_of_asyncios_python_primitives(command, tmp_path):
    script, *options = command
    report = tmp_path / "ran.json"
    subprocess.run(
        [
            *(sys.executable, "-c", "import lesson_probe; lesson_probe.main()", str(report)),
            *(str(LESSON / script), *options, "--interval", "0.01", "--rounds", "3"),
        ],
        cwd=pathlib.Path(__file__).parent,
        stdout=subprocess.PIPE,
        timeout=60,
        check=True,
    )
    assert json.loads(report.read_text()) == []


# The signatures


@pytest.mark.parametrize("name", PRIMITIVES)
def test_a_primitive_takes_what_asyncios_takes(name):
    assert parameters(getattr(greenloop, name)) == parameters(getattr(asyncio, name))


@pytest.mark.parametrize(("name", "method"), METHODS)
def test_a_method_takes_what_asyncios_takes(name, method):
    ours, asyncios = getattr(getattr(greenloop, name), method), getattr(asyncio, name)
    assert parameters(ours) == parameters(getattr(asyncios, method))


def parameters(function):
    """Names, kinds and defaults; whether one given by place could be given by name is left out."""
    by_place = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return [
        (parameter.name, parameter.kind not in by_place and parameter.kind, parameter.default)
        for parameter in inspect.signature(function).parameters.values()
    ]


# Coroutine functions


@since_3_12
@pytest.mark.parametrize("name", COROUTINE_FUNCTIONS)
def test_what_is_a_coroutine_function_in_asyncio_is_one_here(name):
    function = getattr(greenloop, name)
    assert inspect.iscoroutinefunction(function)
    assert inspect.isfunction(function)
    assert function.__doc__ == getattr(asyncio, name).__doc__
    assert pickle.loads(pickle.dumps(function)) is function


@pytest.mark.parametrize("name", sorted({*FUNCTIONS} - {*COROUTINE_FUNCTIONS}))
def test_what_is_a_plain_function_in_asyncio_is_one_here(name):
    assert not inspect.iscoroutinefunction(getattr(asyncio, name))
    assert not inspect.iscoroutinefunction(getattr(greenloop, name))


@since_3_12
def test_a_coroutine_function_is_bound_to_its_instance_as_asyncios_is():
    class Napper(float):
        sleep = greenloop.sleep

    assert greenloop.run(Napper(0).sleep("slept")) == "slept"


@since_3_12
@pytest.mark.parametrize("name", COROUTINE_FUNCTIONS)
def test_a_patch_puts_an_asynchronous_mock_in_the_place_of_ours(name):
    greenloop.install()
    try:
        with unittest.mock.patch(f"asyncio.{name}") as mock:
            mock.return_value = "mocked"
            assert isinstance(mock, unittest.mock.AsyncMock)
            assert asyncio.run(call(name)) == "mocked"
        mock.assert_awaited_once_with("anything")
        with unittest.mock.patch(f"asyncio.{name}", autospec=True) as mock:
            with pytest.raises(TypeError, match="argument"):
                asyncio.run(mock(unknown="keyword"))
        assert getattr(asyncio, name) is getattr(greenloop, name)
    finally:
        greenloop.uninstall()


async def call(name):
    return await getattr(asyncio, name)("anything")
