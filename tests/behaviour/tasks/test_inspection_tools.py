"""`python -m asyncio ps` and `pstree` (3.14+) look into a running process, and see our tasks."""

import asyncio
import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(sys.version_info < (3, 14), reason="new in Python 3.14")


@pytest.mark.slow
@pytest.mark.parametrize("command", ["ps", "pstree"])
def test_tasks_are_seen_from_outside_with_their_names(loop_factory, command):
    async def child():
        await asyncio.Event().wait()

    async def main():
        named = asyncio.create_task(child(), name="a name of its own")
        numbered = asyncio.create_task(child())
        await asyncio.sleep(0)
        result = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-m", "asyncio", command, str(os.getpid())],
            capture_output=True,
            text=True,
            timeout=60,
        )
        names = [named.get_name(), numbered.get_name()]
        for task in (named, numbered):
            task.cancel()
        return result, names

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        result, names = runner.run(main())
    if "ermission" in result.stderr or "not permitted" in result.stderr:
        pytest.skip("this machine does not let a process look into another")
    assert result.returncode == 0, result.stderr
    assert all(name in result.stdout for name in names)
