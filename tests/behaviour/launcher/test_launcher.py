"""`python -m greenloop ...` does what `python ...` does, and the program runs on Greenloop.

Each program is run by both, as a process; output, error output and exit code must be the same.
"""

import os
import py_compile
import re
import signal
import subprocess
import sys
import zipfile

import pytest

pytestmark = pytest.mark.slow

SHOW_MAIN = """\
import sys
for name, value in sorted(vars(sys.modules["__main__"]).items()):
    if name not in ("name", "value", "sys"):
        print(name, value)
print(sys.argv, sys.path[0], vars(sys.modules["__main__"]) is globals())
"""
FAIL_IN_FUNCTION = """\
def fail():
    1 / 0
fail()
"""
FAIL_IN_TASK = """\
import asyncio
async def main():
    await asyncio.sleep(0)
    raise ValueError("from a task")
asyncio.run(main())
"""
OWN_HOOK = """\
import sys
def hook(kind, value, traceback):
    print(kind, value, traceback.tb_frame.f_code.co_name, sys.last_traceback is traceback)
sys.excepthook = hook
raise LookupError("seen by the hook")
"""
SHOW_STACKS = """\
import asyncio, warnings
async def main():
    loop = asyncio.get_running_loop()
    loop.slow_callback_duration = 100
    reader = asyncio.StreamReader()
    made = loop.call_soon(int), loop.create_future(), asyncio.current_task(), reader
    for one in made:
        print([(frame.filename, frame.lineno) for frame in one._source_traceback][0])
    print(asyncio.Queue().get().cr_origin[-1])
warnings.simplefilter("ignore")
asyncio.run(main(), debug=True)
"""
INTERRUPTED = """\
import asyncio, atexit, os, signal
atexit.register(print, "the exit handlers run")
async def main():
    os.kill(os.getpid(), signal.SIGINT)
    await asyncio.sleep(10)
asyncio.run(main())
"""
WARN = """\
import warnings
warnings.warn("shown in __main__ only", DeprecationWarning)
"""
PICKLE_AND_SPAWN = """\
import multiprocessing, pickle
class Message:
    pass
def module_of(message):
    return type(message).__module__
if __name__ == "__main__":
    print(type(pickle.loads(pickle.dumps(Message()))) is Message)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        print(pool.map(module_of, [Message()]))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder full of programs, in which the interpreters run."""
    folder = tmp_path_factory.mktemp("programs")
    for name, source in {
        "show_main.py": SHOW_MAIN,
        "fail.py": FAIL_IN_FUNCTION,
        "fail_in_task.py": FAIL_IN_TASK,
        "own_hook.py": OWN_HOOK,
        "interrupted.py": INTERRUPTED,
        "warn.py": WARN,
        "spawn.py": PICKLE_AND_SPAWN,
        "exit_text.py": "import sys; sys.exit('a last word')",
        "syntax.py": "def broken(:\n",
        "latin1.py": "# coding: latin-1\nprint(ascii('\u00e9'))\n",
        "package/__init__.py": "import sys; print('in the package:', sys.argv)",
        "package/__main__.py": SHOW_MAIN,
        "runnable/__main__.py": SHOW_MAIN,
    }.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(source, encoding="latin-1")
    (folder / "future.py").write_text(
        "from __future__ import annotations\ndef f(x: undefined): pass\nprint(f.__annotations__)"
    )
    (folder / "empty").mkdir()
    (folder / "links").mkdir()
    (folder / "links" / "linked.py").symlink_to("../show_main.py")
    with zipfile.ZipFile(folder / "runnable.zip", "w") as archive:
        archive.write(folder / "runnable" / "__main__.py", "__main__.py")
    py_compile.compile(str(folder / "show_main.py"), cfile=str(folder / "compiled.pyc"))
    return folder


@pytest.mark.parametrize(
    "command",
    [
        ["show_main.py", "-a", "b c"],
        ["./show_main.py"],
        ["../{folder}/show_main.py"],
        ["links/linked.py"],
        ["compiled.pyc", "x"],
        ["-m", "show_main", "-m", "x"],
        ["-m", "package", "x"],
        ["-m", "package.__main__"],
        ["runnable", "x"],
        ["runnable/"],
        ["runnable.zip"],
        ["-c", SHOW_MAIN, "-c", "x"],
        ["latin1.py"],
        ["future.py"],
    ],
    ids=lambda command: " ".join(command).partition("\n")[0],
)
def test_a_program_finds_the_same_main_module_and_arguments(folder, command):
    same_as_python(folder, [word.format(folder=folder.name) for word in command], exit_code=0)


@pytest.mark.parametrize("flag", ["-P", "-I"])
@pytest.mark.parametrize(
    "command",
    [["show_main.py"], ["-c", SHOW_MAIN], ["runnable"], ["-m", "show_main"]],
    ids=lambda command: command[0],
)
def test_in_safe_mode_only_named_folders_are_searched(folder, flag, command):
    # -m finds nothing then: the current folder is not searched.
    same_as_python(folder, command, options=[flag], exit_code=command[0] == "-m")


def test_a_program_is_read_from_standard_input(folder):
    same_as_python(folder, ["-", "x"], standard_input=SHOW_MAIN, exit_code=0)
    same_as_python(folder, ["-"], standard_input=FAIL_IN_FUNCTION, exit_code=1)


@pytest.mark.parametrize(
    ("command", "exit_code"),
    [
        (["fail.py"], 1),
        (["-m", "fail"], 1),
        (["-c", FAIL_IN_FUNCTION], 1),
        (["-c", "exec('1/0')"], 1),
        (["-c", "raise ValueError('a') from KeyError('b')"], 1),
        (["-c", "raise ExceptionGroup('both', [ValueError(1), KeyError(2)])"], 1),
        (["own_hook.py"], 1),
        (["syntax.py"], 1),
        (["-m", "syntax"], 1),
        (["-c", "x ("], 1),
        (["missing.py"], 2),
        (["-m", "missing"], 1),
        (["-m", "missing.module"], 1),
        (["empty"], 1),
        (["-m", "empty"], 1),
        (["exit_text.py"], 1),
        (["-c", "import sys; sys.exit(3)"], 3),
        (["-c", "import sys; sys.exit()"], 0),
        (["-c", "    import sys; sys.exit(sys.argv)", "x"], 1),
        (["-c", "import threading; threading.Thread(target=lambda: 1 / 0).start()"], 0),
        (["warn.py"], 0),
        (["spawn.py"], 0),
    ],
    ids=lambda value: " ".join(value).partition("\n")[0] if isinstance(value, list) else None,
)
def test_output_traceback_and_exit_code_are_the_same(folder, command, exit_code):
    same_as_python(folder, command, exit_code=exit_code)


def test_an_uncaught_interrupt_kills_the_process_after_its_exit_handlers(folder):
    for launcher in ([], ["-m", "greenloop"]):
        result = run(folder, [*launcher, "interrupted.py"])
        assert result.returncode == -signal.SIGINT
        assert result.stdout == "the exit handlers run\n"
        assert result.stderr.endswith("\nKeyboardInterrupt\n")
        assert "launcher" not in result.stderr


def test_a_traceback_out_of_a_task_begins_in_the_program(folder):
    result = run(folder, ["-m", "greenloop", "fail_in_task.py"])
    assert result.returncode == 1
    lines = result.stderr.splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[1].endswith('fail_in_task.py", line 5, in <module>')
    assert lines[-1] == "ValueError: from a task"


def test_the_stacks_of_debug_mode_begin_in_the_program(folder):
    (folder / "stacks.py").write_text(SHOW_STACKS)
    same_as_python(folder, ["stacks.py"], exit_code=0)


def test_interactive_mode_continues_after_the_program(folder):
    result = run(
        folder, ["-q", "-i", "-m", "greenloop", "-c", "x = 20"], standard_input="print(x + 1)\n"
    )
    assert result.stdout == "21\n"


def test_the_program_runs_on_greenloop_under_asyncios_names(folder):
    program = """\
import asyncio, sys
async def main():
    loop = asyncio.get_running_loop()
    import greenloop
    print(type(loop) is greenloop.EventLoop, type(asyncio.current_task()) is greenloop.Task)
    print(asyncio.Task is greenloop.Task, sorted(greenloop.installed_names())[0])
asyncio.run(main())
"""
    result = run(folder, ["-W", "error", "-m", "greenloop", "-c", program])
    assert result.stderr == ""
    assert result.stdout.split()[:3] == ["True", "True", "True"]


@pytest.mark.parametrize("arguments", [[], ["-m"], ["-c"], ["--frobnicate"]])
def test_a_command_line_without_a_program_gets_the_usage(folder, arguments):
    result = run(folder, ["-m", "greenloop", *arguments])
    assert result.returncode == 2
    assert result.stdout == ""
    assert "usage: python -m greenloop" in result.stderr


def test_help_and_version_are_printed(folder):
    assert run(folder, ["-m", "greenloop", "--help"]).stdout.startswith(
        "usage: python -m greenloop"
    )
    version = run(folder, ["-m", "greenloop", "--version"]).stdout
    assert re.fullmatch(r"Greenloop \d+\.\d+\.\d+ on Python \d+\.\d+\.\d+\S*\n", version)


def same_as_python(folder, command, *, options=(), standard_input=None, exit_code):
    expected = run(folder, [*options, *command], standard_input)
    result = run(folder, [*options, "-m", "greenloop", *command], standard_input)
    assert expected.returncode == exit_code
    assert without_addresses(result.stdout) == without_addresses(expected.stdout)
    assert without_addresses(result.stderr) == without_addresses(expected.stderr)
    assert result.returncode == expected.returncode


def run(folder, arguments, standard_input=None):
    environment = {
        name: value
        for name, value in os.environ.items()
        # They would add lines of their own to the output.
        if name not in ("PYTHONASYNCIODEBUG", "PYTHONDEVMODE", "PYTHONWARNINGS")
    }
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=environment,
        input=standard_input or "",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def without_addresses(text):
    return re.sub(r"0x[0-9a-f]+", "0x", text)
