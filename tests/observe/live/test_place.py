"""Where a process listens: one path for both sides, and only what is the user's own is believed."""

import os
import socket
import subprocess
import sys
from contextlib import contextmanager

import pytest

from greenloop.watching import place
from greenloop.watching.place import folders_of, socket_path, sockets_of, watched_processes
from greenloop.watching.processes import UNKNOWN_USER, name_of_user, owner_of

ME = os.geteuid()


@pytest.fixture
def dead():
    """The number of a process that has ended."""
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    return child.pid


def leave_socket(folder, pid):
    folder.mkdir(mode=0o700, exist_ok=True)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / f"{pid}.sock"))


def test_the_runtime_folder_comes_first(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    assert folders_of(ME)[0] == str(tmp_path / "greenloop")
    assert folders_of(ME)[-1] == f"/tmp/greenloop-{ME}"
    assert socket_path(4711) == str(tmp_path / "greenloop/4711.sock")


@pytest.mark.parametrize("variable", ["", "relative", "/nowhere/at/all", "/proc/version"])
def test_what_is_no_folder_is_passed_over(variable, monkeypatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", variable)
    assert folders_of(ME) in (
        [f"/tmp/greenloop-{ME}"],
        [f"/run/user/{ME}/greenloop", f"/tmp/greenloop-{ME}"],
    )


def test_the_runtime_folder_of_another_user_is_passed_over(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setattr(os, "geteuid", lambda: ME + 1)
    assert folders_of(ME + 1) == [f"/tmp/greenloop-{ME + 1}"]


def test_a_folder_whose_path_is_too_long_for_a_socket_is_passed_over(tmp_path, monkeypatch):
    deep = tmp_path / ("x" * 100)
    deep.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(deep))
    assert not socket_path(4711).startswith(str(deep))
    assert len(socket_path(2**31 - 1)) <= 107


@contextmanager
def listening(folder, pid):
    folder.mkdir(mode=0o700, exist_ok=True)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / f"{pid}.sock"))
        listener.listen(0)
        yield


def test_processes_that_listen_are_listed(runtime_folder, dead):
    assert watched_processes() == []
    with listening(runtime_folder / "greenloop", os.getpid()):
        leave_socket(runtime_folder / "greenloop", dead)
        # The parent has the number of one that was killed, and left its socket behind.
        leave_socket(runtime_folder / "greenloop", os.getppid())
        assert watched_processes() == [os.getpid()]
        # There is no room for the next one that asks; it is there all the same.
        assert watched_processes() == [os.getpid()]
        assert watched_processes() == [os.getpid()]
    assert watched_processes() == []


def test_what_is_no_socket_of_a_process_is_passed_over(runtime_folder):
    leave_socket(runtime_folder / "greenloop", os.getpid())
    for name in ("x.sock", "0.sock", "99999999999.sock", "4294967297.sock", f"{os.getpid()}.sock~"):
        (runtime_folder / "greenloop" / name).touch()
    assert watched_processes() == []
    assert sockets_of(os.getpid(), ME) == [socket_path(os.getpid())]


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o777])
def test_a_folder_that_others_may_write_into_is_not_believed(runtime_folder, mode):
    with listening(runtime_folder / "greenloop", os.getpid()):
        (runtime_folder / "greenloop").chmod(mode)
        assert watched_processes() == []
    assert sockets_of(os.getpid(), ME) == []


def test_a_link_is_not_believed(runtime_folder, tmp_path):
    with listening(tmp_path / "elsewhere", os.getpid()):
        (runtime_folder / "greenloop").symlink_to(tmp_path / "elsewhere")
        assert watched_processes() == []


def test_a_folder_that_cannot_be_listed_has_no_processes(runtime_folder, monkeypatch):
    def refuse(folder):
        raise PermissionError(folder)

    with listening(runtime_folder / "greenloop", os.getpid()):
        monkeypatch.setattr(place.os, "listdir", refuse)
        assert watched_processes() == []


def test_a_process_has_an_owner_until_it_ends(dead):
    assert owner_of(os.getpid()) == ME
    assert owner_of(dead) is None
    child = subprocess.Popen([sys.executable, "-c", ""])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert owner_of(child.pid) is None
    child.wait()


@pytest.mark.parametrize(
    ("answer", "owner"),
    [(ProcessLookupError(), None), (PermissionError(), UNKNOWN_USER), (None, ME)],
)
def test_without_a_folder_of_the_system_a_signal_tells(answer, owner, monkeypatch):
    def kill(pid, signal):
        assert signal == 0
        if answer is not None:
            raise answer

    monkeypatch.setattr(os, "kill", kill)
    monkeypatch.setattr("builtins.open", lambda *_, **__: (_ for _ in ()).throw(FileNotFoundError))
    assert owner_of(4711) == owner


def test_a_user_has_a_name():
    assert name_of_user(0) == "root"
    assert name_of_user(UNKNOWN_USER) == "unknown"
    assert name_of_user(2**31 - 7) == str(2**31 - 7)
