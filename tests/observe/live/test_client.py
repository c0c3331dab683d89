"""Asking a process: an answer, or one clear line why there is none, and never a long wait."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest
from fake_process import answering
from reports import report, task

from greenloop.monitoring import client
from greenloop.monitoring.client import Reason, WatchError, ask, listens
from greenloop.watching.place import socket_path

REPORT = {"want": "report"}

pytestmark = pytest.mark.usefixtures("runtime_folder")


def refusal(pid, reason, timeout=5.0, request=REPORT):
    """The line with which a question is refused, for this reason."""
    with pytest.raises(WatchError) as refused:
        ask(pid, request, timeout)
    message = str(refused.value)
    assert refused.value.reason is reason, message
    assert message.isprintable()
    return message


def test_a_document_is_answered():
    document = report(task(7, "consumer"))
    with answering(document) as process:
        assert ask(process.pid, REPORT) == document
        assert ask(process.pid, {"want": "trace", "seconds": 0.5}) == document
    assert process.requests == [REPORT, {"want": "trace", "seconds": 0.5}]


def test_an_answer_may_come_in_pieces_and_be_long():
    document = b'{"format": "x", "text": "' + b"y" * 3_000_000 + b'"}'

    def answer(connection, _):
        for start in range(0, len(document), 99_991):
            connection.sendall(document[start : start + 99_991])

    with answering(answer) as process:
        assert len(ask(process.pid, REPORT)["text"]) == 3_000_000


@pytest.mark.parametrize("pid", [0, -1, 2**31, 2**64])
def test_what_is_no_number_of_a_process_is_none(pid):
    assert refusal(pid, Reason.NO_PROCESS) == f"there is no process {pid}"


def test_a_process_that_has_ended_is_none():
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    assert refusal(child.pid, Reason.NO_PROCESS) == f"there is no process {child.pid}"


def test_a_process_of_another_user_is_not_asked(monkeypatch):
    monkeypatch.setattr(client.os, "geteuid", lambda: 4_000_000)
    message = refusal(os.getppid(), Reason.OTHER_USER)
    assert message.startswith(f"process {os.getppid()} belongs to another user (")


def test_a_process_without_a_socket_does_not_watch_itself():
    message = refusal(os.getpid(), Reason.NOT_WATCHING)
    assert "GREENLOOP_WATCH=1" in message
    assert "python -m greenloop watch" in message


def test_a_socket_that_nobody_listens_at_any_more_means_nothing():
    with answering(report()) as process:
        pass
    assert os.path.exists(socket_path(process.pid))
    refusal(process.pid, Reason.NOT_WATCHING)


def test_whether_a_process_listens_is_found_out_without_a_question():
    assert not listens(os.getpid())
    with answering(report()) as process:
        assert listens(process.pid)
        assert process.requests == []
    assert not listens(process.pid)
    with pytest.raises(WatchError, match="there is no process 0"):
        listens(0)


def test_a_socket_behind_which_another_user_listens_is_not_believed(monkeypatch):
    with answering(report()) as process:
        monkeypatch.setattr(client, "_user_behind", lambda connection: os.geteuid() + 1)
        refusal(process.pid, Reason.NOT_WATCHING)


def test_the_user_behind_a_socket_is_known():
    with answering(report()) as process, socket.socket(socket.AF_UNIX) as connection:
        connection.connect(socket_path(process.pid))
        assert client._user_behind(connection) == os.geteuid()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may use every socket")
def test_a_socket_without_rights_is_said_to_be():
    with answering(report()) as process:
        os.chmod(socket_path(process.pid), 0)
        assert "Permission denied" in refusal(process.pid, Reason.UNREADABLE)


def test_a_file_in_the_place_of_the_socket_is_said_to_be_no_socket(monkeypatch):
    def refuse(connection, path):
        raise PermissionError(13, "Permission denied")

    path = socket_path(os.getpid())
    os.mkdir(os.path.dirname(path), 0o700)
    with open(path, "w"):
        pass
    refusal(os.getpid(), Reason.NOT_WATCHING)
    monkeypatch.setattr(client.socket.socket, "connect", refuse)
    message = refusal(os.getpid(), Reason.UNREADABLE)
    assert message.endswith(f"cannot be used: {path}: Permission denied")


@pytest.mark.parametrize("said", [b"", b"{", b'{"format": '])
def test_a_silent_process_is_not_waited_for(said):
    held = threading.Event()

    def answer(connection, _):
        connection.sendall(said)
        held.wait(10)

    with answering(answer) as process:
        began = time.monotonic()
        message = refusal(process.pid, Reason.LATE, timeout=0.05)
        assert time.monotonic() - began < 5
        held.set()
    assert message == f"process {process.pid} did not answer within 0.05 s"


def test_a_slow_process_has_no_more_time_because_it_says_a_little():
    def answer(connection, _):
        for _ in range(10_000):
            connection.sendall(b" ")
            time.sleep(0.005)

    with answering(answer) as process:
        refusal(process.pid, Reason.LATE, timeout=0.05)


def test_a_full_line_is_waited_in():
    path = socket_path(os.getpid())
    os.mkdir(os.path.dirname(path), 0o700)
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as other:
        listener.bind(path)
        listener.listen(0)
        other.connect(path)
        refusal(os.getpid(), Reason.LATE, timeout=0.05)

        def serve():
            listener.accept()[0].close()
            connection, _ = listener.accept()
            with connection:
                connection.recv(100)
                connection.sendall(b'{"format": "x"}')

        thread = threading.Thread(target=serve)
        thread.start()
        other.close()
        assert ask(os.getpid(), REPORT) == {"format": "x"}
        thread.join()


@pytest.mark.parametrize(
    "said",
    [
        b"garbage",
        b'{"format": ',
        b"[1, 2]",
        b"7",
        b"null",
        b"\xff\xfe\x00",
        b"\x1b[2J\x07",
        b"[" * 100_000,
        b'{"a": NaN}',
        b'{"a": ' + b"9" * 5000 + b"}",
        b'{"format": "x"}{"format": "x"}',
        b"GET / HTTP/1.1\r\n\r\n",
    ],
)
def test_what_is_no_object_is_garbage(said):
    with answering(said) as process:
        message = refusal(process.pid, Reason.GARBAGE)
    assert message.startswith(f"process {process.pid} answered no JSON object, it begins ")
    assert len(message) < 250


def test_an_answer_that_is_too_long_is_not_read_to_its_end(monkeypatch):
    monkeypatch.setattr(client, "LONGEST_ANSWER", 1 << 20)
    sent = 0

    def answer(connection, _):
        nonlocal sent
        while True:
            sent += connection.send(b" " * (1 << 16))

    with answering(answer) as process:
        assert "answered more than 1 MiB" in refusal(process.pid, Reason.GARBAGE)
    assert sent < 1 << 23


def test_a_process_that_closes_the_connection_has_said_nothing():
    with answering(b"") as process:
        message = refusal(process.pid, Reason.CUT_OFF)
    assert message == f"process {process.pid} closed the connection without an answer"


def test_what_is_said_before_the_question_is_heard(runtime_folder):
    path = socket_path(os.getpid())
    os.mkdir(os.path.dirname(path), 0o700)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()

        def serve():
            connection, _ = listener.accept()
            with connection:
                connection.sendall(b'{"error": "too many readers"}')

        thread = threading.Thread(target=serve)
        thread.start()
        assert "too many readers" in refusal(os.getpid(), Reason.REFUSED)
        thread.join()


DYING = """
import os, socket, sys
listener = socket.socket(socket.AF_UNIX)
listener.bind(f"{sys.argv[1]}/{os.getpid()}.sock")
listener.listen()
print(flush=True)
connection, _ = listener.accept()
connection.recv(100)
connection.sendall(sys.argv[2].encode())
os.kill(os.getpid(), 9)
"""


@pytest.mark.parametrize(
    ("said", "line"),
    [
        ("", "process {} ended before it answered"),
        ('{"format": "gre', "process {} ended in the middle of its answer"),
    ],
)
@pytest.mark.slow
def test_a_process_that_ends_meanwhile_is_said_to(said, line, runtime_folder):
    folder = runtime_folder / "greenloop"
    folder.mkdir(mode=0o700)
    command = [sys.executable, "-c", DYING, str(folder), said]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as child:
        child.stdout.readline()
        assert refusal(child.pid, Reason.CUT_OFF) == line.format(child.pid)
        assert child.wait() == -signal.SIGKILL


def test_what_the_process_cannot_do_is_passed_on():
    with answering({"error": "unknown request\n\x1b[2J"}) as process:
        message = refusal(process.pid, Reason.REFUSED)
    assert message == f"process {process.pid} says: unknown request\\n\\x1b[2J"
