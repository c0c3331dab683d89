"""One allocation fails, or several in a row, while Rust futures are made, awaited and dropped.

MemoryError, no panic, no abort, no lost wake-up, and afterwards all works: see
`tests/stress/failing_allocations.py`, which does each operation again and again.
"""

import collections
import importlib.util
import json
import os
import pathlib
import subprocess
import sys

import greenloop_bridge_example as example
import pytest

import greenloop

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("_testcapi") is None,
    reason="the interpreter is built without its own test tools",
)

HERE = pathlib.Path(__file__).parent
PROGRAM = HERE.parent / "stress" / "failing_allocations.py"
PLACES = 0 if os.environ.get("GREENLOOP_ALLOCATIONS") == "all" else 8


@pytest.mark.slow
def test_rust_futures_raise_memory_error_and_leave_everything_usable():
    done = subprocess.run(
        [sys.executable, PROGRAM, "greenloop", str(PLACES), HERE / "operations_without_memory.py"],
        env={**os.environ, "GREENLOOP_OPERATIONS": "", "RUST_BACKTRACE": "0"},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(found) >= 10
    assert [(each["operation"], each["bad"]) for each in found if each["bad"]] == []
    seen = collections.Counter()
    for each in found:
        seen.update(each["outcomes"])
    assert seen["MemoryError"] > len(found)
    print(sum(each["tried"] for each in found), "failures in", len(found), "operations:", seen)


# pyo3 reports the MemoryError before it panics.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_result_that_finds_no_memory_is_a_memory_error():
    """pyo3 panics where it has no memory for the tuple and the str that the result becomes."""
    import _testcapi

    loop = greenloop.new_event_loop()

    async def main():
        future = loop.create_future()
        future.set_result(5)
        # The first time fills caches.
        assert await example.call_back(future) == ("returned", 5)
        raised = 0
        for allocation in range(20):
            awaitable = example.call_back(future)
            _testcapi.set_nomemory(allocation, allocation + 1)
            try:
                awaitable.send(None)
            except MemoryError:
                raised += 1
            except StopIteration as stop:
                _testcapi.remove_mem_hooks()
                how, value = stop.value
                assert how == "returned" or type(value) is MemoryError
            finally:
                _testcapi.remove_mem_hooks()
        return raised

    try:
        assert loop.run_until_complete(main()) > 1
    finally:
        loop.close()
