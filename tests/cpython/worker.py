"""Runs a share of one test module: a process of its own for every test, forked from this one.

This process swaps the implementation in, imports the module once and then only forks and
waits; it never makes a loop or starts a thread. So a test starts from a clean state within
milliseconds, and a crash or a hang ends nobody but the test that caused it.

Every result is one JSON object on a line of standard output.
"""

import argparse
import faulthandler
import importlib
import json
import os
import signal
import sys
import tempfile
import time
import traceback
import unittest
from collections.abc import Callable, Iterator
from typing import BinaryIO

from . import implementation, modules, swap
from .selection import Selection

# A child that has not reported after its time limit is killed; it has dumped its stacks before.
DUMP_AT = 0.9
POLL_INTERVAL = 0.002
OUTPUT_KEPT = 6000


def main() -> None:
    options = _parse(sys.argv[1:])
    request = json.load(sys.stdin)
    loaded = implementation.load(options.loop)
    swap.put_in_place(loaded)
    module = importlib.import_module(modules.full_name(options.module))
    swap.adapt(module, loaded)
    _report_problems(loaded, module, options.time_limit)

    only = request["only"]
    selection = Selection(
        options.loop,
        pattern=request["pattern"],
        only=None if only is None else frozenset(only),
        ignore_exclusions=request["ignore_exclusions"],
    )
    tests = list(_named_tests(module, options.module))
    for name, test in tests[options.shard :: options.shards]:
        if selection.wanted(name):
            verdict = selection.verdict(name)
            if verdict is not None:
                _send(test=name, outcome=verdict[0], detail=verdict[1], seconds=0.0)
            else:
                _send(test=name, **_run_test(test, loaded, options.time_limit))
    _send(done=True)


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tests.cpython.worker")
    parser.add_argument("--loop", required=True)
    parser.add_argument("--module", required=True)
    parser.add_argument("--shard", type=int, required=True)
    parser.add_argument("--shards", type=int, required=True)
    parser.add_argument("--time-limit", type=float, required=True)
    return parser.parse_args(arguments)


def _report_problems(
    loaded: implementation.Implementation, module: object, time_limit: float
) -> None:
    """Reports what would let the module run without the implementation under test."""
    problems = [
        f"asyncio's own class is left at {place}" for place in swap.leftovers(module, loaded)
    ]
    answer, output = _in_child(lambda: swap.probe(loaded), time_limit)
    if isinstance(answer, list):
        problems += answer
    else:
        problems.append(f"asyncio's entry points do not work: {answer}\n{output}")
    for problem in problems:
        _send(problem=problem)


def _named_tests(module: object, short_name: str) -> Iterator[tuple[str, unittest.TestCase]]:
    """The module's tests, named test_module.Class.test_method."""
    pending = [unittest.TestLoader().loadTestsFromModule(module)]
    while pending:
        test = pending.pop()
        if isinstance(test, unittest.TestSuite):
            pending += reversed(list(test))
        else:
            method = test.id().rpartition(".")[2]
            yield f"{short_name}.{type(test).__qualname__}.{method}", test


def _run_test(
    test: unittest.TestCase, loaded: implementation.Implementation, time_limit: float
) -> dict[str, object]:
    started = time.monotonic()
    answer, output = _in_child(lambda: _outcome_of(test, loaded), time_limit)
    seconds = round(time.monotonic() - started, 3)
    if isinstance(answer, dict):
        if answer["outcome"] == "failed":
            answer["detail"] += f"\n{output}"
        return {**answer, "seconds": seconds}
    return {"outcome": "failed", "detail": f"{answer}\n{output}", "seconds": seconds}


def _outcome_of(
    test: unittest.TestCase, loaded: implementation.Implementation
) -> dict[str, object]:
    result = unittest.TestResult()
    # The suite, not the bare test, so that the fixtures of the class and the module run as well.
    unittest.TestSuite([test]).run(result)
    failures = [text for _, text in result.failures + result.errors]
    if result.unexpectedSuccesses:
        failures.append("unexpected success")
    if failures:
        outcome, detail = "failed", "\n".join(failures)
    elif result.skipped:
        outcome, detail = "skipped", result.skipped[0][1]
    elif result.testsRun != 1:
        outcome, detail = "failed", f"{result.testsRun} tests were run instead of one"
    else:
        outcome, detail = "passed", ""
    return {"outcome": outcome, "detail": detail, "constructed": dict(loaded.constructed)}


def _in_child(work: Callable[[], object], time_limit: float) -> tuple[object, str]:
    """What `work` returns in a forked process, or a string that says how the process died.

    Second comes what the process has written to standard output and error.
    """
    with tempfile.TemporaryFile() as answer_file, tempfile.TemporaryFile() as output_file:
        child = os.fork()
        if child == 0:
            _be_child(work, answer_file, output_file, time_limit)
        status = _wait(child, time_limit)
        output_file.seek(0)
        output = _shortened(output_file.read().decode(errors="replace"))
        answer_file.seek(0)
        answer = answer_file.read()
    if status is None:
        return f"timed out after {time_limit:g} s", output
    if answer:
        return json.loads(answer), output
    code = os.waitstatus_to_exitcode(status)
    if code < 0:
        return f"crashed by {signal.Signals(-code).name}", output
    return f"the process ended early with exit code {code}", output


def _shortened(output: str) -> str:
    """The beginning, where a crash says what it is, and more of the end, with the failure."""
    if len(output) <= OUTPUT_KEPT:
        return output
    beginning = OUTPUT_KEPT // 4
    return f"{output[:beginning]}\n[...]\n{output[beginning - OUTPUT_KEPT :]}"


def _be_child(
    work: Callable[[], object], answer_file: BinaryIO, output_file: BinaryIO, time_limit: float
) -> None:
    """The forked process: does the work, writes the answer, and never returns."""
    exit_code = 1
    try:
        # Its own group, so that what it has started can be ended together with it.
        os.setpgid(0, 0)
        os.dup2(output_file.fileno(), 1)
        os.dup2(output_file.fileno(), 2)
        faulthandler.enable(output_file)
        faulthandler.dump_traceback_later(time_limit * DUMP_AT, file=output_file)
        answer = json.dumps(work()).encode()
        faulthandler.cancel_dump_traceback_later()
        answer_file.write(answer)
        answer_file.flush()
        exit_code = 0
    except BaseException:
        # Whatever it was, the parent shows it as the reason of the early end.
        output_file.write(traceback.format_exc().encode())
        output_file.flush()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        # Not sys.exit: the exit handlers belong to the parent, and a test's threads may linger.
        os._exit(exit_code)


def _wait(child: int, time_limit: float) -> int | None:
    """The child's exit status, or None when it had to be killed at the time limit.

    Polling, because a child's end can be waited for with a timeout on Linux only.
    """
    deadline = time.monotonic() + time_limit
    while time.monotonic() < deadline:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return status
        time.sleep(POLL_INTERVAL)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return None


def _send(**message: object) -> None:
    print(json.dumps(message), flush=True)


if __name__ == "__main__":
    main()
