"""Runs of pytest in a process and a folder of their own, with the plugin, and what they print."""

import os
import re
import subprocess
import sys
import textwrap

import pytest

SLEEPERS = """
import asyncio


async def ended(count=3):
    \"\"\"The order in which sleeps with the same deadline end.\"\"\"
    order = []

    async def sleeper(number):
        await asyncio.sleep(60)
        order.append(number)

    await asyncio.gather(*(sleeper(number) for number in range(count)))
    return order
"""

CONFIGURATION = """
[pytest]
asyncio_mode = auto
asyncio_default_fixture_loop_scope = function
"""
OURS = "greenloop.testing.plugin.hooks"
ANYIO = "anyio.pytest_plugin"
ASYNCIO = "pytest_asyncio.plugin"
HYPOTHESIS = "_hypothesis_pytestplugin"
XDIST = "xdist.plugin"
PATIENCE = 60


def runner(tmp_path):
    """What runs pytest on a module of tests, in a process and a folder of its own."""

    def run(source, *options, plugins=(ASYNCIO,)):
        for plugin in plugins:
            pytest.importorskip(plugin.partition(".")[0])
        (tmp_path / "sleepers.py").write_text(SLEEPERS)
        (tmp_path / "pytest.ini").write_text(CONFIGURATION if ASYNCIO in plugins else "[pytest]\n")
        (tmp_path / "test_it.py").write_text(textwrap.dedent(source))
        chosen = [word for name in (OURS, *plugins) for word in ("-p", name)]
        result = subprocess.run(
            [sys.executable, "-m", "pytest", "-rA", "--color=no", *chosen, *options],
            cwd=tmp_path,
            env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": ""},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PATIENCE,
        )
        return result.stdout

    return run


def outcomes(output):
    """What the last line counts: `{"passed": 2}`."""
    counts = re.findall(r"(\d+) ([a-z]+)", output.splitlines()[-1].partition(" in ")[0])
    return {name: int(number) for number, name in counts}


def failing_orders(output):
    """The token of each test that failed in some order, by its name."""
    return dict(re.findall(r"^test_it\.py::(\S+) --greenloop-seed=(\S+)$", output, re.MULTILINE))
