"""`python -m greenloop ps`, `tree` and so on: what they print, and how they end."""

import gc
import io
import json
import os
import subprocess
import sys

import pytest
from fake_process import answering
from reports import crossed_locks, report, stall, task

from greenloop.monitoring import command

pytestmark = pytest.mark.usefixtures("runtime_folder")

DOCUMENT = {**crossed_locks(), "stalls": [stall()]}


def answer(connection, request):
    """Answer as a process that can do everything."""
    found = {"stalls": DOCUMENT["stalls"]} if request["want"] == "stalls" else DOCUMENT
    connection.sendall(json.dumps(found).encode())


@pytest.fixture
def process():
    with answering(answer) as process:
        yield process


@pytest.fixture
def run(capsys):
    """A function that runs a command and returns its exit code, output and errors."""

    def run(*arguments):
        code = 0
        try:
            command.run([str(argument) for argument in arguments])
        except SystemExit as end:
            code = end.code
        assert gc.isenabled()
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("ps", ["COROUTINE", "lock 'journal'"]),
        ("tree", ["deadlock: 2 tasks", "└─ held by refund (8)"]),
        ("stalls", ["has kept loop 1 for 350 ms: in the system call read(7)"]),
        ("metrics", ["# TYPE greenloop_info gauge", "greenloop_current_deadlocks 1"]),
    ],
)
@pytest.mark.parametrize("named", [True, False])
def test_a_command_asks_and_prints(name, words, named, run, process):
    if name == "ps" and not named:
        pytest.skip("this is the list of the processes")
    code, out, err = run(name, *([process.pid] if named else []))
    assert (code, err) == (0, "")
    assert [each for each in words if each not in out] == []
    assert process.requests == [{"want": "stalls" if name == "stalls" else "report"}]


@pytest.mark.parametrize("name", ["ps", "tree", "stalls", "metrics", "top"])
def test_json_is_the_document_itself(name, run, process):
    code, out, _ = run(name, process.pid, "--json")
    assert code == 0
    assert out.count("\n") == 1
    found = json.loads(out)
    assert found == ({"stalls": DOCUMENT["stalls"]} if name == "stalls" else DOCUMENT)


def test_json_has_no_control_characters(run):
    with answering(report(task(1, "\x7f\x1b\x9b\u202e"))) as process:
        _, out, _ = run("ps", process.pid, "--json")
    assert out.rstrip("\n").isprintable()
    assert json.loads(out)["tasks"][0]["name"] == "\x7f\x1b\x9b\u202e"


def test_options_widen_and_unfold(run):
    document = report(*(task(number, "x" * 100) for number in range(1, 4)))
    with answering(document) as process:
        _, folded, _ = run("ps", process.pid)
        _, everything, _ = run("ps", "--all", process.pid)
        _, wide, _ = run("ps", process.pid, "--wide", "--all")
    assert len(folded.splitlines()) + 2 == len(everything.splitlines())
    assert max(map(len, everything.splitlines())) <= 80
    assert wide.count("x" * 100) == 3


def test_without_a_number_ps_lists_the_processes(run, process):
    code, out, _ = run("ps")
    assert code == 0
    assert out.splitlines()[1].split() == [
        *(str(process.pid), "3", "12", "s", "1", "deadlock,", "1", "stall", "app.py", "--fast")
    ]
    _, out, _ = run("ps", "--json")
    assert json.loads(out) == [
        {
            "pid": process.pid,
            "program": ["app.py", "--fast"],
            "tasks": 3,
            "watched_for": 12.3,
            "deadlocks": 1,
            "stalls": 1,
        }
    ]


def test_a_process_that_does_not_answer_is_listed_with_the_reason(run):
    with answering(b"garbage") as process:
        code, out, _ = run("ps", "--wide")
        assert code == 0
        assert f"(process {process.pid} answered no JSON object" in out.splitlines()[1]
        _, out, _ = run("ps", "--json")
        assert json.loads(out)[0]["error"].startswith(f"process {process.pid} answered no JSON")


def test_a_number_is_needed_unless_there_is_one_process(run, process, monkeypatch):
    monkeypatch.setattr(command, "watched_processes", lambda: [1, 2])
    assert run("tree") == (1, "", "greenloop tree: say which process: 1, 2 watch themselves\n")
    monkeypatch.setattr(command, "watched_processes", list)
    code, out, err = run("tree")
    assert (code, out) == (1, "")
    assert err.startswith("greenloop tree: no process of yours watches itself: start one with")
    assert run("ps") == (0, "no process of yours watches itself\n", "")
    assert run("ps", "--json") == (0, "[]\n", "")


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="there it is told to watch itself")
@pytest.mark.parametrize("name", ["ps", "tree", "stalls", "metrics", "top"])
def test_whoever_does_not_answer_gets_a_line(name, run):
    if name == "top":
        code, out, err = run(name, os.getpid(), "--json")
    else:
        code, out, err = run(name, os.getpid())
    assert (code, out) == (1, "")
    assert err.startswith(f"greenloop {name}: process {os.getpid()} does not watch itself")
    assert err.count("\n") == 1


@pytest.mark.parametrize("name", ["ps", "tree", "stalls", "metrics", "top"])
def test_a_process_that_has_ended_gets_a_line(name, run):
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    problem = f"greenloop {name}: there is no process {child.pid}\n"
    assert run(name, child.pid, "--json") == (1, "", problem)


def test_a_report_of_another_version_gets_a_line(run):
    with answering({"format": "greenloop-report/2"}) as process:
        code, out, err = run("ps", process.pid)
    assert (code, out) == (1, "")
    assert err == (
        "greenloop ps: the answer is of the format greenloop-report/2,"
        " expected greenloop-report/1\n"
    )


def test_top_without_a_terminal_gets_a_line(run, process):
    code, out, err = run("top", process.pid)
    assert (code, out) == (1, "")
    assert err == (
        "greenloop top: input and output have to be a terminal; `ps` prints the tasks once\n"
    )


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["x"], "PID is the number of a process, not 'x'"),
        (["0"], "PID is the number of a process, not '0'"),
        (["2147483648"], "PID is the number of a process, not '2147483648'"),
        (["9" * 5000], "PID is the number of a process, not '999"),
        (["\u0663"], "PID is the number of a process, not '\u0663'"),
        (["1", "2"], "one process at a time, not also '2'"),
        (["--fast"], "unknown option: --fast"),
    ],
)
def test_a_wrong_command_line_gets_a_line_and_the_usage(arguments, problem, run):
    code, out, err = run("ps", *arguments)
    assert (code, out) == (2, "")
    assert err.startswith(f"greenloop ps: {problem}")
    assert "usage: python -m greenloop ps" in err


@pytest.mark.parametrize("option", ["-h", "--help"])
def test_help_is_printed(option, run):
    assert run("tree", "x", option)[0] == 2
    assert run("tree", option) == (0, command.USAGE, "")


def test_a_poor_encoding_is_no_problem(process, monkeypatch):
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", stream)
    command.run(["tree", str(process.pid)])
    assert b"`- held by refund (8)" in stream.buffer.getvalue()


def test_an_interrupt_ends_it_quietly(run, monkeypatch):
    def interrupt(pid, request):
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "ask_any", interrupt)
    assert run("tree", os.getpid()) == (130, "", "")


# As a process of its own


def launch(*arguments, **options):
    command = [sys.executable, "-m", "greenloop", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, **options)


@pytest.mark.slow
def test_the_launcher_knows_the_commands(process):
    run = launch("ps", process.pid)
    assert (run.returncode, run.stderr) == (0, "")
    assert "lock 'journal'" in run.stdout
    assert launch("top", process.pid, stdin=subprocess.DEVNULL).stderr.startswith("greenloop top:")
    refused = launch("metrics", "x")
    assert refused.returncode == 2
    assert refused.stderr.startswith("greenloop metrics: PID is the number of a process, not 'x'")


@pytest.mark.slow
def test_a_reader_that_has_seen_enough_is_no_problem():
    document = report(*(task(number, "x" * 50) for number in range(1, 5_000)))
    with answering(document) as process:
        line = f"{sys.executable} -m greenloop ps --all {process.pid} | head -n 1"
        run = subprocess.run(line, shell=True, capture_output=True, text=True, timeout=60)
    assert run.stderr == ""
    assert run.stdout.startswith("process 4711")


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [(), ("--json",)], ids=["text", "json"])
@pytest.mark.parametrize("name", ["ps", "tree", "stalls", "metrics"])
def test_an_answer_for_which_there_is_no_room_gets_a_line(name, arguments, process):
    problem = f"greenloop {name}: the answer was not printed: No space left on device\n"
    command = [sys.executable, "-m", "greenloop", name, str(process.pid), *arguments]
    with open("/dev/full", "w") as full:
        run = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60)
    assert (run.returncode, run.stderr) == (1, problem)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("ps", "standard output is closed"),
        ("top", "input and output have to be a terminal; `ps` prints the tasks once"),
    ],
)
def test_closed_output_gets_a_line(name, problem, process):
    line = f"{sys.executable} -m greenloop {name} {process.pid} >&-"
    run = subprocess.run(line, shell=True, capture_output=True, text=True, timeout=60)
    assert (run.returncode, run.stderr) == (1, f"greenloop {name}: {problem}\n")


@pytest.mark.slow
def test_a_program_may_be_called_like_a_command(tmp_path):
    (tmp_path / "ps").write_text("print('mine')")
    assert launch("./ps", cwd=tmp_path).stdout == "mine\n"
