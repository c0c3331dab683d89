"""`python -m asyncio ps` and `pstree` (3.14+) look into a running process, and see our tasks.

The process is a fresh one: the tools show all of its tasks, and refuse to draw those that wait for
each other in a circle, as other tests leave them behind.
"""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(sys.version_info < (3, 14), reason="new in Python 3.14")

PROGRAM = """
import asyncio, os, subprocess, sys
import greenloop

async def child():
    await asyncio.Event().wait()

async def main():
    named = asyncio.create_task(child(), name="a name of its own")
    numbered = asyncio.create_task(child())
    await asyncio.sleep(0)
    command = [sys.executable, "-m", "asyncio", sys.argv[1], str(os.getpid())]
    result = await asyncio.to_thread(subprocess.run, command, timeout=60)
    print(named.get_name(), numbered.get_name(), sep="\\n", flush=True)
    for task in (named, numbered):
        task.cancel()
    return result.returncode

factories = {"asyncio": asyncio.SelectorEventLoop, "greenloop": greenloop.new_event_loop}
with asyncio.Runner(loop_factory=factories[sys.argv[2]]) as runner:
    sys.exit(runner.run(main()))
"""


@pytest.mark.slow
@pytest.mark.parametrize("command", ["ps", "pstree"])
@pytest.mark.parametrize("library", ["asyncio", "greenloop"])
def test_tasks_are_seen_from_outside_with_their_names(library, command):
    result = subprocess.run(
        [sys.executable, "-c", PROGRAM, command, library],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if "ermission" in result.stderr or "not permitted" in result.stderr:
        pytest.skip("this machine does not let a process look into another")
    assert result.returncode == 0, result.stderr
    *seen, named, numbered = result.stdout.splitlines()
    assert all(any(name in line for line in seen) for name in (named, numbered))
