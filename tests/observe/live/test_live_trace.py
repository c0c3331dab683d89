"""`python -m greenloop trace PID`: the file of a running process, whole or not at all."""

import json
import os
import stat
import subprocess
import sys
import time

import pytest
from fake_process import answering

from greenloop.monitoring import recording

pytestmark = pytest.mark.usefixtures("runtime_folder")

PAGE = "<!doctype html>\n<p>任务 \N{CRAB}</p>\n"


@pytest.fixture
def process():
    with answering({"file": PAGE}) as process:
        yield process


@pytest.fixture
def run(capsys, tmp_path, monkeypatch):
    """A function that runs `trace` in an empty folder: its exit code, output and errors."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        code = 0
        try:
            recording.run([str(argument) for argument in arguments])
        except SystemExit as end:
            code = end.code
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run


def test_a_running_process_is_recorded(run, process, tmp_path):
    assert run(process.pid) == (0, "", "greenloop trace: 10 s in trace.html\n")
    assert (tmp_path / "trace.html").read_text(encoding="utf-8") == PAGE
    assert process.requests == [{"want": "trace", "seconds": 10.0, "form": "html"}]


@pytest.mark.parametrize("form", ["html", "json", "jsonl", "svg", "mmd", "HTML"])
def test_the_name_says_the_form(form, run, process, tmp_path):
    code, _, err = run(process.pid, "--seconds", "0.5", "-o", f"a.{form}")
    assert (code, err) == (0, f"greenloop trace: 0.5 s in a.{form}\n")
    assert process.requests == [{"want": "trace", "seconds": 0.5, "form": form.lower()}]
    assert os.listdir(tmp_path) == [f"a.{form}"]


def test_the_answer_has_the_time_that_the_recording_takes(run, process, monkeypatch):
    asked = []

    def ask(pid, request, timeout):
        asked.append(timeout)
        return {"file": PAGE}

    monkeypatch.setattr(recording, "ask_any", ask)
    run(process.pid, "--seconds", "600")
    assert asked[0] > 600


def test_json_prints_the_answer(run, process, tmp_path):
    code, out, _ = run(process.pid, "--json")
    assert (code, json.loads(out)) == (0, {"file": PAGE})
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        ({"error": "a recording runs already"}, "says: a recording runs already"),
        ({"trace": ""}, "answered with no file"),
        (b"garbage", "answered no JSON object"),
    ],
)
def test_without_a_recording_an_older_file_stays(answer, problem, run, tmp_path):
    (tmp_path / "trace.html").write_text("older")
    with answering(answer) as process:
        code, out, err = run(process.pid)
    assert (code, out) == (1, "")
    assert err.startswith(f"greenloop trace: process {process.pid} {problem}")
    assert err.count("\n") == 1
    assert os.listdir(tmp_path) == ["trace.html"]
    assert (tmp_path / "trace.html").read_text() == "older"


def test_a_process_that_has_ended_gets_a_line_and_no_file(run, tmp_path):
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    problem = f"greenloop trace: there is no process {child.pid}\n"
    assert run(child.pid, "-o", "a.html") == (1, "", problem)
    assert os.listdir(tmp_path) == []


def test_a_full_disk_leaves_an_older_file(run, process, tmp_path, monkeypatch):
    (tmp_path / "trace.html").write_text("older")

    def no_room(draft, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", no_room)
    code, _, err = run(process.pid)
    assert code == 1
    assert err == "greenloop trace: 'trace.html' was not written: No space left on device\n"
    assert os.listdir(tmp_path) == ["trace.html"]
    assert (tmp_path / "trace.html").read_text() == "older"


def test_a_device_that_is_full_is_told_of(run, process, tmp_path):
    (tmp_path / "trace.html").symlink_to("/dev/full")
    code, _, err = run(process.pid)
    assert code == 1
    assert err == "greenloop trace: 'trace.html' was not written: No space left on device\n"
    assert os.listdir(tmp_path) == ["trace.html"]


@pytest.mark.slow
def test_an_answer_for_which_there_is_no_room_gets_a_line(process, tmp_path):
    command = [sys.executable, "-m", "greenloop", "trace", str(process.pid), "--json"]
    options = {"stderr": subprocess.PIPE, "text": True, "timeout": 60, "cwd": tmp_path}
    with open("/dev/full", "w") as full:
        run = subprocess.run(command, stdout=full, **options)
    problem = "greenloop trace: the answer was not printed: No space left on device\n"
    assert (run.returncode, run.stderr) == (1, problem)
    assert os.listdir(tmp_path) == []


def test_a_wrong_folder_is_told_before_the_process_is_asked(run, process):
    code, _, err = run(process.pid, "-o", "missing/a.html")
    assert code == 1
    assert err == ("greenloop trace: 'missing/a.html' was not written: No such file or directory\n")
    assert process.requests == []


def test_the_rights_of_a_file_are_those_that_it_had_or_would_get(run, process, tmp_path):
    mask = os.umask(0o027)
    try:
        run(process.pid)
    finally:
        os.umask(mask)
    assert stat.S_IMODE((tmp_path / "trace.html").stat().st_mode) == 0o640
    (tmp_path / "trace.html").chmod(0o604)
    run(process.pid)
    assert stat.S_IMODE((tmp_path / "trace.html").stat().st_mode) == 0o604


def test_a_link_is_followed_and_a_pipe_is_written_into(run, process, tmp_path):
    (tmp_path / "link.html").symlink_to("real.html")
    run(process.pid, "-o", "link.html")
    assert (tmp_path / "real.html").read_text(encoding="utf-8") == PAGE
    assert (tmp_path / "link.html").is_symlink()
    os.mkfifo(tmp_path / "pipe.html")
    with subprocess.Popen(["cat", "pipe.html"], stdout=subprocess.PIPE, cwd=tmp_path) as reader:
        run(process.pid, "-o", "pipe.html")
        assert reader.stdout.read().decode() == PAGE


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["0"], "PID is the number of a process, not '0'"),
        (["99999999999"], "PID is the number of a process, not '99999999999'"),
        (["1", "--seconds", "0"], "--seconds takes a number above 0, at most 3600, not '0'"),
        (["1", "--seconds", "nan"], "--seconds takes a number above 0, at most 3600, not 'nan'"),
        (["1", "--seconds", "x"], "--seconds takes a number above 0, at most 3600, not 'x'"),
        (["1", "--seconds"], "unknown option or missing value: --seconds"),
        (["1", "-o", "a.pdf"], "'a.pdf' names no form of a trace"),
        (["1", "-o", "a.trace"], "'a.trace': a running process writes its trace in any form but"),
        (["1", "2"], "unknown option or missing value: 2"),
    ],
)
def test_a_wrong_command_line_gets_a_line_and_the_usage(arguments, problem, run):
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith(f"greenloop trace: {problem}")
    assert "usage: python -m greenloop trace PID" in err


def test_help_is_printed(run):
    assert run("1", "--help") == (0, recording.USAGE, "")


def test_an_interrupt_leaves_nothing(run, process, tmp_path, monkeypatch):
    def interrupt(pid, request, timeout):
        raise KeyboardInterrupt

    monkeypatch.setattr(recording, "ask_any", interrupt)
    assert run(process.pid) == (130, "", "")
    assert os.listdir(tmp_path) == []


@pytest.mark.slow
def test_a_number_is_a_process(tmp_path):
    (tmp_path / "1").write_text("print('mine')")
    command = [sys.executable, "-m", "greenloop", "trace", "1", "--help"]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert (run.stdout, run.stderr) == (recording.USAGE, "")


@pytest.mark.slow
def test_a_program_whose_name_begins_with_a_digit_is_no_process(tmp_path):
    (tmp_path / "7up.py").write_text("print('mine')")
    command = [sys.executable, "-m", "greenloop", "trace", "7up.py"]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert run.stdout == "mine\n"
    assert time.time() - (tmp_path / "trace.html").stat().st_mtime < 60
