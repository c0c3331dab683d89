"""`python -m greenloop trace` and the files that `greenloop.trace` writes."""

import json
import subprocess
import sys

import pytest

import greenloop
from greenloop.tracing import Trace, json_lines

PROGRAM = """
import asyncio, sys

async def main():
    orders = asyncio.Queue()
    asyncio.get_running_loop().call_later(0.01, orders.put_nowait, 1)
    print("got", await orders.get(), *sys.argv[1:])

asyncio.run(main())
"""


@pytest.fixture
def program(tmp_path):
    file = tmp_path / "program.py"
    file.write_text(PROGRAM)
    return file


def launch(*arguments, cwd):
    command = [sys.executable, "-m", "greenloop", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, timeout=60)


def test_a_program_runs_as_ever_and_its_trace_is_written(program, tmp_path):
    run = launch("trace", "-o", "out.trace", program, "an", "-o", cwd=tmp_path)
    assert run.returncode == 0
    assert run.stdout == "got 1 an -o\n"
    trace = Trace.load(str(tmp_path / "out.trace"))
    assert f"greenloop trace: {len(trace)} events in out.trace\n" == run.stderr
    assert [resource.name for resource in trace.resources.values()] == ["orders"]
    assert trace.process.argv == (str(program), "an", "-o")


def test_the_file_is_a_page_if_none_is_named(program, tmp_path):
    run = launch("trace", program, cwd=tmp_path)
    assert run.returncode == 0
    page = (tmp_path / "trace.html").read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>")


@pytest.mark.parametrize("options", [("-m", "program"), ("-c", PROGRAM)])
def test_modules_and_strings_are_recorded(program, tmp_path, options):
    run = launch("trace", "-o", "out.jsonl", *options, cwd=tmp_path)
    assert run.stdout == "got 1\n"
    with open(tmp_path / "out.jsonl", encoding="utf-8") as file:
        assert "orders" in [each.name for each in json_lines.read(file).resources.values()]


def test_an_exit_code_and_an_exception_pass_through(tmp_path):
    end = launch("trace", "-o", "a.jsonl", "-c", "import sys; sys.exit(7)", cwd=tmp_path)
    assert end.returncode == 7
    broken = launch("trace", "-o", "b.jsonl", "-c", "1 / 0", cwd=tmp_path)
    assert broken.returncode == 1
    assert "ZeroDivisionError: division by zero" in broken.stderr
    assert "tracing" not in broken.stderr
    assert (tmp_path / "a.jsonl").exists()
    assert (tmp_path / "b.jsonl").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "no program was named"),
        (("-o", "out.pdf", "x.py"), "'out.pdf' names no form of a trace"),
        (("--events", "many", "x.py"), "--events takes a number from 1 to 67108864, not 'many'"),
        (("--events", "0", "x.py"), "--events takes a number from 1 to 67108864, not '0'"),
    ],
)
def test_a_wrong_command_line_gets_one_clear_line(tmp_path, arguments, message):
    run = launch("trace", *arguments, cwd=tmp_path)
    assert run.returncode == 2
    assert run.stderr.splitlines()[0].startswith(f"greenloop trace: {message}")
    assert run.stdout == ""


def test_help_is_printed(tmp_path):
    run = launch("trace", "--help", cwd=tmp_path)
    assert run.returncode == 0
    assert run.stdout.startswith("usage: python -m greenloop trace")


def test_a_file_that_cannot_be_written_changes_no_exit_code(program, tmp_path):
    run = launch("trace", "-o", "missing/out.jsonl", program, cwd=tmp_path)
    assert run.returncode == 0
    assert run.stdout == "got 1\n"
    assert run.stderr.startswith("greenloop trace: 'missing/out.jsonl' was not written:")
    assert len(run.stderr.splitlines()) == 1


def test_a_full_disk_changes_no_exit_code(program, tmp_path):
    (tmp_path / "trace.html").symlink_to("/dev/full")
    run = launch("trace", program, cwd=tmp_path)
    assert (run.returncode, run.stdout) == (0, "got 1\n")
    assert run.stderr.startswith("greenloop trace: 'trace.html' was not written:")
    assert run.stderr.endswith("No space left on device\n")
    assert len(run.stderr.splitlines()) == 1


async def rest():
    await greenloop.sleep(0)


@pytest.mark.parametrize("form", ["html", "json", "jsonl", "mmd", "svg", "trace"])
def test_each_form_is_written_at_the_end_of_the_block(tmp_path, form):
    path = tmp_path / f"out.{form}"
    with greenloop.trace(path) as recorded:
        assert recorded.result is None
        greenloop.run(rest())
    assert len(recorded.result) > 0
    assert path.stat().st_size > 0
    if form == "json":
        json.loads(path.read_text())


def test_the_trace_of_a_block_that_raises_is_written(tmp_path):
    with pytest.raises(ValueError, match="on purpose"), greenloop.trace(tmp_path / "out.jsonl"):
        raise ValueError("on purpose")
    assert (tmp_path / "out.jsonl").exists()


def test_a_name_that_stands_for_no_form_is_refused_before_the_block(tmp_path):
    with pytest.raises(ValueError, match=r"its end has to be \.html, \.json"):
        greenloop.trace(tmp_path / "out.text")


def test_a_block_is_left_once():
    recorded = greenloop.trace()
    with recorded:
        pass
    with pytest.raises(RuntimeError, match="left already"):
        recorded.__exit__(None, None, None)
