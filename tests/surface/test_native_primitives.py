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
from native_primitives import COROUTINE_FUNCTIONS, PRIMITIVES

import greenloop

LESSON = pathlib.Path(__file__).resolve().parents[2] / "examples" / "lesson"
LESSON_PROGRAMS = [
    ("producer_sets_pace.py",),
    ("consumer_sets_pace.py", "--mode", "join"),
    ("consumer_sets_pace.py", "--mode", "event"),
    ("async_iteration.py",),
    ("why_gather.py",),
]


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


# Coroutine functions


@pytest.mark.parametrize("name", COROUTINE_FUNCTIONS)
def test_what_is_a_coroutine_function_in_asyncio_is_one_here(name):
    function = getattr(greenloop, name)
    assert inspect.iscoroutinefunction(function)
    assert inspect.isfunction(function)
    assert function.__doc__ == getattr(asyncio, name).__doc__
    assert pickle.loads(pickle.dumps(function)) is function


def test_a_coroutine_function_is_bound_to_its_instance_as_asyncios_is():
    class Napper(float):
        sleep = greenloop.sleep

    assert greenloop.run(Napper(0).sleep("slept")) == "slept"


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
