"""The lesson's programs print what the lesson says, byte for byte the same on both loops."""

import os
import pathlib
import shutil
import subprocess
import sys

import pytest

LESSON = pathlib.Path(__file__).resolve().parents[3] / "examples" / "lesson"
TEN_ROUNDS = [f"Round {number}" for number in range(1, 11)]
IN_TURN = [f"Round {name}{number}" for number in range(1, 6) for name in "abc"]
END = "[End of input]"

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("program", "options", "expected"),
    [
        ("producer_sets_pace.py", [], [*TEN_ROUNDS, END]),
        ("producer_sets_pace.py", ["--rounds", "3"], [*TEN_ROUNDS[:3], END]),
        ("consumer_sets_pace.py", [], [*TEN_ROUNDS, END]),
        ("consumer_sets_pace.py", ["--mode", "event"], [*TEN_ROUNDS, END]),
        ("async_iteration.py", [], [*IN_TURN, END]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) and len(value) < 3 else None,
)
def test_a_lesson_program_prints_the_same_on_both_loops(program, options, expected):
    on_asyncio, on_greenloop = output_on_both_loops(program, options)
    assert on_asyncio.decode().splitlines() == expected
    assert on_greenloop == on_asyncio


def test_awaiting_one_by_one_is_explained_instead_of_hanging():
    on_asyncio, on_greenloop = output_on_both_loops("why_gather.py", [])
    lines = on_asyncio.decode().splitlines()
    assert [line for line in lines if line.startswith("Round")] == TEN_ROUNDS
    assert END not in lines
    assert "Given up after 0.2 seconds; by itself it would wait for ever." in on_asyncio.decode()
    assert on_greenloop == on_asyncio


@pytest.mark.skipif(shutil.which("cargo") is None, reason="the Rust face needs Rust")
@pytest.mark.parametrize(
    ("program", "options"),
    [
        ("producer_sets_pace", []),
        ("consumer_sets_pace", []),
        ("consumer_sets_pace", ["--mode", "event"]),
        ("async_iteration", ["--rounds", "3"]),
        ("why_gather", []),
    ],
)
def test_a_lesson_program_prints_the_same_in_rust(program, options):
    options = ["--interval", "0.02", *options]
    in_python = subprocess.check_output([sys.executable, str(LESSON / f"{program}.py"), *options])
    example = ["cargo", "run", "--quiet", "--package", "greenloop", "--example", program, "--"]
    # Where `make test-rust` has built it, whatever folder the extension is built in.
    environment = {name: os.environ[name] for name in os.environ if name != "CARGO_TARGET_DIR"}
    root = LESSON.parents[1]
    in_rust = subprocess.check_output([*example, *options], cwd=root, env=environment)
    assert in_rust == in_python


@pytest.mark.parametrize("program", sorted(path.name for path in LESSON.glob("*.py")))
def test_a_lesson_program_knows_asyncio_alone(program):
    source = (LESSON / program).read_text()
    assert "import asyncio\n" in source
    assert "greenloop" not in source.lower()


def output_on_both_loops(program, options):
    command = [str(LESSON / program), "--interval", "0.02", *options]
    return [
        subprocess.run(
            [sys.executable, *launcher, *command], stdout=subprocess.PIPE, timeout=60, check=True
        ).stdout
        for launcher in ([], ["-m", "greenloop"])
    ]
