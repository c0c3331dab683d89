"""A process that was not prepared is told to watch itself, where CPython and the system can."""

import contextlib
import os
import runpy
import subprocess
import sys
import threading
import time

import pytest
from fake_process import answering

import greenloop
from greenloop.monitoring import attaching
from greenloop.monitoring.attaching import ask_any, can_be_told, tell_to_watch
from greenloop.monitoring.client import Reason, WatchError
from greenloop.watching.place import socket_path

pytestmark = pytest.mark.usefixtures("runtime_folder")

new_enough = pytest.mark.skipif(
    sys.version_info < (3, 14), reason="sys.remote_exec is of Python 3.14"
)


@pytest.fixture
def scripts(monkeypatch, tmp_path):
    """The folder in which the scripts for other processes are made."""
    monkeypatch.setattr(attaching.tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_only_a_process_with_greenloop_is_told():
    child = subprocess.Popen([sys.executable, "-S", "-c", "input()"], stdin=subprocess.PIPE)
    with contextlib.closing(child.stdin), child:
        assert not can_be_told(child.pid)
        child.stdin.close()
    assert can_be_told(os.getpid()) == (sys.version_info >= (3, 14))
    assert not can_be_told(child.pid)


def test_whoever_answers_is_not_told(monkeypatch):
    monkeypatch.setattr(attaching, "tell_to_watch", None)
    with answering({"format": "x"}) as process:
        assert ask_any(process.pid, {"want": "report"}) == {"format": "x"}


@pytest.mark.parametrize("can", [True, False])
def test_whoever_does_not_watch_itself_is_told_and_then_asked(can, monkeypatch):
    with contextlib.ExitStack() as stack:
        monkeypatch.setattr(attaching, "can_be_told", lambda pid: can)
        monkeypatch.setattr(
            attaching,
            "tell_to_watch",
            lambda pid: stack.enter_context(answering({"format": "x"})),
        )
        if can:
            assert ask_any(os.getpid(), {"want": "report"}) == {"format": "x"}
        else:
            with pytest.raises(WatchError, match="does not watch itself"):
                ask_any(os.getpid(), {"want": "report"})


def test_another_problem_is_no_reason_to_tell(monkeypatch):
    monkeypatch.setattr(attaching, "tell_to_watch", None)
    monkeypatch.setattr(attaching, "can_be_told", lambda pid: True)
    with answering(b"garbage") as process, pytest.raises(WatchError) as refused:
        ask_any(process.pid, {"want": "report"})
    assert refused.value.reason is Reason.GARBAGE


def test_the_script_calls_watch_and_leaves_nothing(scripts, monkeypatch):
    called = []
    monkeypatch.setattr(greenloop, "watch", lambda: called.append(1), raising=False)
    path = attaching._write_script(os.getpid(), os.geteuid())
    assert os.path.dirname(path) == str(scripts)
    assert os.stat(path).st_mode & 0o777 == 0o600
    before = set(runpy.run_path(os.devnull))
    assert set(runpy.run_path(path)) == before
    assert called == [1]
    assert os.listdir(scripts) == []


@pytest.mark.parametrize("absent", ["greenloop", "watch"])
def test_the_script_does_nothing_without_greenloop_or_with_an_old_one(absent, scripts, monkeypatch):
    if absent == "greenloop":
        monkeypatch.delitem(sys.modules, "greenloop")
    else:
        monkeypatch.delattr(greenloop, "watch", raising=False)
    runpy.run_path(attaching._write_script(os.getpid(), os.geteuid()))
    assert os.listdir(scripts) == []


@pytest.fixture
def remote(monkeypatch):
    """A function that says what happens in place of `sys.remote_exec`."""

    def remote(action):
        monkeypatch.setattr(sys, "remote_exec", action, raising=False)

    return remote


@pytest.mark.parametrize(
    ("problem", "line"),
    [
        (PermissionError(1, "Operation not permitted"), "the system does not allow it (see ptrace"),
        (RuntimeError("Remote debugging is\nnot enabled"), "Remote debugging is not enabled"),
        (OSError(3, "No such process"), "[Errno 3] No such process"),
    ],
)
def test_what_is_not_allowed_is_said_in_one_line(problem, line, remote, scripts):
    def refuse(pid, script):
        raise problem

    remote(refuse)
    with pytest.raises(WatchError) as refused:
        tell_to_watch(os.getpid())
    assert refused.value.reason is Reason.NOT_WATCHING
    assert str(refused.value).startswith(
        f"process {os.getpid()} does not watch itself and cannot be told to: {line}"
    )
    assert str(refused.value).isprintable()
    assert os.listdir(scripts) == []


@pytest.mark.parametrize("full", [True, False])
def test_a_script_that_cannot_be_written_is_said_in_one_line(full, remote, scripts, monkeypatch):
    def no_room(handle, *_, **__):
        os.close(handle)
        return real("/dev/full", "w")

    real = open
    if full:
        monkeypatch.setattr(attaching, "open", no_room, raising=False)
        problem = "No space left on device"
    else:
        monkeypatch.setattr(attaching.tempfile, "tempdir", str(scripts / "missing"))
        problem = "No such file or directory"
    remote(lambda pid, script: pytest.fail("it was told"))
    with pytest.raises(WatchError) as refused:
        tell_to_watch(os.getpid())
    assert refused.value.reason is Reason.NOT_WATCHING
    assert str(refused.value).endswith(f"the file that it would run was not written: {problem}")
    assert os.listdir(scripts) == []


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="the interpreter can")
def test_an_older_interpreter_says_that_it_cannot(scripts):
    with pytest.raises(WatchError, match=r"cannot be told to: this needs CPython 3\.14"):
        tell_to_watch(os.getpid())
    assert os.listdir(scripts) == []


def test_a_process_that_runs_no_python_is_not_waited_for(remote, scripts):
    remote(lambda pid, script: None)
    with pytest.raises(WatchError) as refused:
        tell_to_watch(os.getpid(), 0.01)
    assert refused.value.reason is Reason.LATE
    assert "has run no Python for 0.01 s; it will watch itself as soon as it does" in str(
        refused.value
    )
    # It may be read hours later.
    assert len(os.listdir(scripts)) == 1


def test_an_older_greenloop_does_not_listen(remote, scripts):
    remote(lambda pid, script: os.unlink(script))
    with pytest.raises(WatchError, match="its Greenloop may be too old"):
        tell_to_watch(os.getpid(), 0.01)


def test_it_is_waited_until_the_process_listens(remote):
    with answering({"format": "x"}):
        pass  # An earlier process with this number has left its socket.
    with contextlib.ExitStack() as stack:

        def listen_soon(pid, script):
            os.unlink(script)
            os.unlink(socket_path(pid))
            listen = lambda: stack.enter_context(answering({"format": "x"}))  # noqa: E731
            threading.Timer(0.02, listen).start()

        remote(listen_soon)
        tell_to_watch(os.getpid())
        assert os.path.exists(socket_path(os.getpid()))


UNPREPARED = """
import asyncio, sys
import greenloop

async def main():
    print("ready", flush=True)
    while True:
        await asyncio.sleep(0.01)

greenloop.run(main())
"""


@new_enough
@pytest.mark.slow
def test_an_unprepared_process_is_told():
    environment = {key: each for key, each in os.environ.items() if key != "GREENLOOP_WATCH"}
    with subprocess.Popen(
        [sys.executable, "-c", UNPREPARED], stdout=subprocess.PIPE, env=environment
    ) as child:
        try:
            assert child.stdout.readline() == b"ready\n"
            began = time.monotonic()
            try:
                found = ask_any(child.pid, {"want": "report"})
            except WatchError as error:
                if "cannot be told to" in str(error):
                    pytest.skip(str(error))
                raise
            assert time.monotonic() - began < 10
            assert [each["coroutine"] for each in found["tasks"]] == ["main"]
        finally:
            child.kill()
