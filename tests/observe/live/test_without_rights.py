"""Watching takes no rights: a user with no capability watches, asks and records all the same."""

import contextlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

NOBODY = 65534
PATIENCE = 60
"""Seconds."""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another user"),
]

PROGRAM = """
import asyncio, time
from greenloop.watching import session

async def crossing(mine, other):
    async with mine:
        await asyncio.sleep(0)
        async with other:
            pass

async def main():
    ledger, journal = asyncio.Lock(), asyncio.Lock()
    one = asyncio.create_task(crossing(ledger, journal), name="alice")
    two = asyncio.create_task(crossing(journal, ledger), name="bob")
    await asyncio.sleep(0)
    for _ in range(3):
        time.sleep(0.3)
        await asyncio.sleep(0.1)
    while not session.current().deadlocks.count():
        await asyncio.sleep(0.05)
    print("ready", flush=True)
    await asyncio.gather(one, two)

asyncio.run(main())
"""

UNPREPARED = """
import asyncio, greenloop

async def main():
    print("ready", flush=True)
    while True:
        await asyncio.sleep(0.01)

greenloop.run(main())
"""

COMMANDS = ["ps", "tree", "stalls", "metrics", "trace"]


def without(*kept):
    """How a command is run by nobody, with no capability but these."""
    sets = ",".join(["-all", *(f"+{each}" for each in kept)])
    ambient = [f"--ambient-caps={sets}"] if kept else []
    return [
        *(shutil.which("setpriv") or "setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}"),
        *("--clear-groups", f"--inh-caps={sets}", *ambient, f"--bounding-set={sets}"),
    ]


@pytest.fixture(scope="module")
def nobody():
    """How a command is run by a user who has no rights.

    Where this interpreter stands in a folder of root's alone, reading such folders is allowed.
    """
    for start in (without(), without("dac_read_search")):
        with contextlib.suppress(OSError):
            run = subprocess.run(
                [*start, sys.executable, "-c", "import greenloop"], capture_output=True, cwd="/"
            )
            if run.returncode == 0:
                return start
    pytest.skip("nobody but root can run this interpreter")


@pytest.fixture
def folder():
    """A folder of nobody's."""
    with tempfile.TemporaryDirectory() as path:
        os.chown(path, NOBODY, NOBODY)
        yield path


@pytest.fixture
def run(nobody, folder):
    """A function that has nobody run a command in the folder, and returns how it ended."""

    def run(*arguments):
        return subprocess.run(
            [*nobody, sys.executable, "-m", "greenloop", *map(str, arguments)],
            cwd=folder,
            env=environment_in(folder),
            timeout=PATIENCE,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )

    return run


def environment_in(folder):
    kept = {key: each for key, each in os.environ.items() if not key.startswith("GREENLOOP")}
    return {**kept, "XDG_RUNTIME_DIR": folder, "TMPDIR": folder, "HOME": folder}


@contextlib.contextmanager
def started(nobody, folder, *arguments):
    """A program of nobody's that has written a line, until it is killed."""
    command = [*nobody, sys.executable, *arguments]
    options = {"cwd": folder, "env": environment_in(folder), "text": True}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, **options, **pipes) as process:
        try:
            assert process.stdout.readline() == "ready\n"
            yield process.pid
        finally:
            process.kill()


@pytest.fixture
def watched(nobody, folder):
    """The number of a process of nobody's that watches itself."""
    with started(nobody, folder, "-m", "greenloop", "watch", "-c", PROGRAM) as pid:
        yield pid


def files_in(folder):
    return [str(each) for each in sorted(Path(folder).rglob("*")) if not each.is_dir()]


def capabilities_of(pid):
    with open(f"/proc/{pid}/status", encoding="utf-8") as file:
        return int(re.search(r"^CapEff:\s*([0-9a-f]+)$", file.read(), re.MULTILINE)[1], 16)


def test_all_that_can_be_asked_is_answered(run, watched, folder):
    may_read_folders = 1 << 2
    assert capabilities_of(watched) in (0, may_read_folders)
    for name, words in [
        ("ps", ["alice", "bob", "lock 'journal'", "lock 'ledger'"]),
        ("tree", ["deadlock: 2 tasks", "held by", "alice", "bob"]),
        ("stalls", ["kept loop 1 for", "Task-1", "in the system call"]),
        ("metrics", ["greenloop_current_deadlocks 1"]),
    ]:
        found = run(name, watched)
        assert (found.returncode, found.stderr) == (0, "")
        assert [each for each in words if each not in found.stdout] == []
    assert str(watched) in run("ps").stdout
    assert run("trace", watched, "--seconds", 0.2, "-o", "a.svg").returncode == 0
    assert os.stat(f"{folder}/a.svg").st_uid == NOBODY


@pytest.mark.skipif(sys.version_info < (3, 14), reason="sys.remote_exec is of Python 3.14")
def test_a_process_of_the_same_user_is_told_to_watch_itself(run, nobody, folder):
    with started(nobody, folder, "-c", UNPREPARED) as pid:
        found = run("ps", pid)
    if "cannot be told to: the system does not allow it" in found.stderr:
        pytest.skip(found.stderr)
    assert (found.returncode, found.stderr) == (0, "")
    assert "main" in found.stdout


@pytest.mark.parametrize("name", COMMANDS)
def test_a_process_of_another_user_is_not_asked(name, run, folder):
    found = run(name, os.getpid())
    assert (found.returncode, found.stdout) == (1, "")
    assert found.stderr == (
        f"greenloop {name}: process {os.getpid()} belongs to another user (root)\n"
    )
    assert files_in(folder) == []


@pytest.mark.parametrize("name", COMMANDS)
def test_a_socket_that_may_not_be_used_is_said_to_be(name, run, watched, folder):
    path = f"{folder}/greenloop/{watched}.sock"
    os.chmod(path, 0)
    found = run(name, watched)
    assert (found.returncode, found.stdout) == (1, "")
    assert found.stderr == (
        f"greenloop {name}: the socket of process {watched} cannot be used: {path}:"
        " Permission denied\n"
    )
    assert files_in(folder) == [path]


def test_a_folder_that_may_not_be_written_is_said_to_be(run, watched, folder):
    with tempfile.TemporaryDirectory() as of_root:
        os.chmod(of_root, 0o755)
        found = run("trace", watched, "--seconds", 0.1, "-o", f"{of_root}/a.html")
        assert found.returncode == 1
        assert found.stderr == (
            f"greenloop trace: '{of_root}/a.html' was not written: Permission denied\n"
        )
        assert os.listdir(of_root) == []
