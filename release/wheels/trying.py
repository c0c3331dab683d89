"""Installs each wheel for this machine into a clean environment and runs tests on it.

The tests are copied to a folder of their own, so that nothing of the source tree can be imported.
The wheels of other machines are tried there: on such a machine, or in the root folder of such a
system, which qemu's user mode runs. This module needs Python alone, so that it runs there as well.
"""

from __future__ import annotations

import argparse
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TESTS = ["tests/behaviour"]
EMULATED = [
    f"tests/behaviour/{each}.py"
    for each in (
        "futures/test_future_awaiting",
        "primitives/test_locks",
        "queues/test_queue_waiting",
        "streams/test_streams",
        "tasks/test_cancellation",
        "tasks/test_task_awaiting",
    )
]
"""What an emulator runs in minutes: tests of each kind that do not depend on a machine's speed."""
TOOLS = ["hypothesis", "pytest", "pytest-timeout"]
EXAMPLE = "examples/lesson/producer_sets_pace.py"
EXAMPLE_TESTS = "tests/behaviour/examples"
"""The tests of examples need the whole source tree, and are left out."""

_TAG = re.compile(r"-cp(?P<python>3\d+)-.*_(?P<machine>x86_64|aarch64)\.whl$")


def main(arguments: Sequence[str] | None = None) -> int:
    """Try what the options say; return 1 if a test failed or if there was nothing to try."""
    options = _parser().parse_args(arguments)
    tests = EMULATED if options.emulated else TESTS
    outcomes: dict[str, bool] = {}
    for wheel in sorted(options.dist.glob("*.whl")):
        tag = _TAG.search(wheel.name)
        if tag is None or tag["machine"] != platform.machine():
            continue
        version = f"{tag['python'][0]}.{tag['python'][1:]}"
        if options.python and version not in options.python:
            continue
        interpreter = _interpreter(version)
        if interpreter is None:
            print(f"{version}: not tried, since there is no such Python here", flush=True)
            continue
        began = time.monotonic()
        outcomes[version] = _try(wheel, interpreter, options.test or tests)
        word = "passed" if outcomes[version] else "FAILED"
        print(f"{version}: {word} in {time.monotonic() - began:.0f} s", flush=True)
    if not outcomes:
        print(f"no wheel in {options.dist} could be tried here", file=sys.stderr)
    return int(not outcomes or not all(outcomes.values()))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m release.wheels.trying", description=__doc__)
    parser.add_argument("test", nargs="*", help=f"instead of {' '.join(TESTS)}")
    parser.add_argument("--emulated", action="store_true", help="a subset for slow emulators")
    parser.add_argument("--python", action="append", help="such as 3.13; all by default")
    parser.add_argument("--dist", type=Path, default=ROOT / "dist")
    return parser


def _interpreter(version: str) -> str | None:
    command = [str(ROOT / ".ci/find-python"), f"python{version}"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    return result.stdout.strip() if result.returncode == 0 else None


def _try(wheel: Path, interpreter: str, tests: Sequence[str]) -> bool:
    """Return whether the wheel installs without a compiler and all tests pass on it."""
    with tempfile.TemporaryDirectory() as folder:
        elsewhere = Path(folder, "elsewhere")
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / "tests", elsewhere / "tests", ignore=ignored)
        shutil.copytree(ROOT / "examples/lesson", elsewhere / "examples/lesson", ignore=ignored)
        shutil.copy(ROOT / "pyproject.toml", elsewhere)
        python = f"{folder}/environment/bin/python"
        install = [python, "-m", "pip", "install", "--quiet", "--only-binary", ":all:"]
        steps = [
            [interpreter, "-m", "venv", f"{folder}/environment"],
            [*install, "--no-index", str(wheel)],
            [*install, *TOOLS],
            [python, "-m", "greenloop", "doctor"],
            [python, "-m", "greenloop", EXAMPLE, "--interval", "0.01"],
            [python, "-m", "pytest", "--quiet", "--ignore", EXAMPLE_TESTS, *tests],
        ]
        for step in steps:
            if subprocess.run(step, cwd=elsewhere, check=False).returncode != 0:
                print(f"{wheel.name}: {' '.join(step)} failed", file=sys.stderr)
                return False
    return True


if __name__ == "__main__":
    sys.exit(main())
