"""What `top` shows and what its keys do, without a terminal; and with one that a pipe plays."""

import json
import os
import threading

import pytest
from fake_process import answering
from reports import crossed_locks, loop, report, stall, task, wait

from greenloop.monitoring import top
from greenloop.monitoring.board import Board
from greenloop.monitoring.report import report_of
from greenloop.monitoring.screen import Screen

SCREEN = Screen(100)


class Reader:
    """Somebody who looks at a board and presses keys."""

    def __init__(self, document, height=30):
        self.board = Board()
        self.height = height
        self.show(document)

    def show(self, document):
        self.board.update(report_of(document))

    def press(self, *keys):
        for key in keys:
            self.look()
            assert self.board.press(key)
        return self

    def look(self):
        lines = self.board.lines(SCREEN, self.height)
        assert len(lines) <= self.height
        return lines

    def text(self):
        return "\n".join(line.text for line in self.look())

    def chosen(self):
        """The id in the line of the cursor."""
        (line,) = [line for line in self.look() if line.chosen]
        return line.text.split()[0]

    def ids(self):
        return [line.text.split()[0] for line in self.look() if line.text.lstrip()[:1].isdigit()]


@pytest.fixture
def three():
    return report(
        task(1, "b", "x", since=3, wait=wait("sleep")),
        task(2, "c", "z", since=2, wait=wait("queue.get")),
        task(3, "a", "y", since=1, wait=wait("lock")),
    )


def test_a_board_without_a_report_says_so():
    board = Board()
    assert [line.text for line in board.lines(SCREEN, 10)] == ["no report yet"]
    board.fail("process 7 did not answer within 5 s")
    assert [line.text for line in board.lines(SCREEN, 10)] == [
        "process 7 did not answer within 5 s"
    ]
    assert board.press("enter")
    assert board.press("down")
    assert not board.press("q")


@pytest.mark.parametrize(
    ("key", "order"),
    [
        ("u", ["1", "2", "3"]),
        ("i", ["1", "2", "3"]),
        ("s", ["1", "2", "3"]),
        ("n", ["3", "1", "2"]),
        ("c", ["1", "3", "2"]),
        ("w", ["3", "2", "1"]),
    ],
)
def test_a_key_sorts(three, key, order):
    reader = Reader(three).press(key)
    assert reader.ids() == order
    assert reader.press("r").ids() == order[::-1]


def test_the_cursor_moves_and_stays_on_its_task(three):
    reader = Reader(three)
    assert reader.chosen() == "1"
    assert reader.press("up").chosen() == "1"
    assert reader.press("down").chosen() == "2"
    assert reader.press("n").chosen() == "2"
    assert reader.press("end").chosen() == "2"
    assert reader.press("home").chosen() == "3"
    assert reader.press("down", "down", "down").chosen() == "2"
    three["tasks"].pop(1)
    reader.show(three)
    assert reader.chosen() == "1"
    three["tasks"].clear()
    reader.show(three)
    assert not any(line.chosen for line in reader.look())
    reader.press("enter", "down", "up")


def test_tasks_that_do_the_same_are_a_line_until_all_are_asked_for():
    reader = Reader(report(*(task(number) for number in range(1, 5))))
    assert "× 4" in reader.text()
    assert reader.press("a").ids() == ["1", "2", "3", "4"]


@pytest.mark.parametrize("height", range(1, 14))
def test_the_cursor_is_on_the_screen_if_there_is_room(height):
    document = report(*(task(number, coroutine=f"c{number}") for number in range(1, 41)))
    reader = Reader(document, height)
    for key in ["down"] * 7 + ["pagedown"] * 3 + ["up"] * 5 + ["pageup", "end", "home"]:
        reader.press(key)
        if height > 5:
            reader.chosen()


def test_enter_shows_one_task_and_enter_goes_back():
    document = {**crossed_locks(), "stalls": [stall(task=7, name="pay")]}
    reader = Reader(document).press("enter")
    text = reader.text()
    assert "pay (7) · transfer · waiting" in text
    assert "awaited by main (1)" in text
    assert "└─ held by refund (8)" in text
    assert "pay (7) has kept loop 1 for 350 ms" in text
    assert "  /srv/app.py:40 main\n  /srv/app.py:21 transfer" in text
    document["tasks"].pop(1)
    reader.show(document)
    assert "task 7 has ended" in reader.text()
    assert reader.press("enter").chosen() == "8"
    for key in ("escape", "backspace"):
        assert reader.press("enter", key).chosen() == "8"


def test_what_is_longer_than_the_screen_is_scrolled():
    stack = [{"file": "/srv/app.py", "line": line, "function": "f"} for line in range(1, 100)]
    reader = Reader(report(task(1, stack=stack)), 12).press("enter")
    assert "app.py:99 f" not in reader.text()
    assert "app.py:99 f" in reader.press(*["pagedown"] * 30).text()
    assert "app.py:99 f" not in reader.press("pageup", "pageup").text()


def test_a_problem_is_said_and_the_last_report_stays(three):
    reader = Reader(three)
    reader.board.fail("there is no process 4711")
    assert reader.look()[0].text == "there is no process 4711"
    assert reader.ids() == ["1", "2", "3"]
    reader.show(three)
    assert "no process" not in reader.text()


def test_several_loops_have_a_line_each(three):
    three["loops"] = [loop(), loop(id=2, state="running", task=3)]
    assert "loop 2: running a (3)" in Reader(three).text()


# With a terminal


@pytest.fixture
def toolkit():
    pytest.importorskip("prompt_toolkit")
    return top.load_toolkit()


@pytest.fixture
def keys(toolkit):
    """The keyboard of a terminal that shows nothing."""
    from prompt_toolkit.application import create_app_session
    from prompt_toolkit.input import create_pipe_input
    from prompt_toolkit.output import DummyOutput

    with create_pipe_input() as keyboard:
        with create_app_session(input=keyboard, output=DummyOutput()):
            yield keyboard


class Witness(Board):
    """A board that remembers what happens to it."""

    def __init__(self):
        super().__init__()
        self.pressed, self.updates, self.problems = [], 0, []
        self.changed = threading.Condition()

    def press(self, key):
        self.pressed.append(key)
        return super().press(key)

    def update(self, report):
        super().update(report)
        self.updates += 1

    def fail(self, problem):
        super().fail(problem)
        self.problems.append(problem)


def test_the_keys_of_a_terminal_reach_the_board(toolkit, keys, three):
    board = Witness()
    board.update(report_of(three))
    keys.send_text("n\x1b[B\x1b[A\x1b[5~\x1b[6~\x1b[H\x1b[F\r\x7f任q")
    top.show(toolkit, board, 0)
    assert board.pressed == [
        *("n", "down", "up", "pageup", "pagedown", "home", "end", "enter", "backspace", "任", "q")
    ]


def test_control_c_ends_it(toolkit, keys, three):
    board = Witness()
    board.update(report_of(three))
    keys.send_text("\x03")
    top.show(toolkit, board, 0)
    assert board.pressed == []


@pytest.mark.usefixtures("runtime_folder")
def test_the_process_is_asked_again_and_its_end_is_said(toolkit, keys, three, monkeypatch):
    monkeypatch.setattr(top, "INTERVAL", 0.01)
    board = Witness()
    board.update(report_of(three))
    ended = threading.Event()

    def answer(connection, _):
        if board.updates > 2:
            ended.set()
            connection.sendall(b'{"error": "enough"}')
        else:
            connection.sendall(json.dumps(three).encode())

    def quit_when_it_is_said():
        ended.wait(10)
        while not board.problems and not given_up.wait(0.01):
            pass
        keys.send_text("q")

    given_up = threading.Event()
    thread = threading.Thread(target=quit_when_it_is_said)
    with answering(answer) as process:
        thread.start()
        top.show(toolkit, board, process.pid)
        given_up.set()
        thread.join()
    assert board.updates > 2
    assert board.problems[0] == f"process {os.getpid()} says: enough"


@pytest.mark.parametrize(
    ("terminals", "term", "problem"),
    [
        ((False, True), "xterm", "input and output have to be a terminal"),
        ((True, False), "xterm", "input and output have to be a terminal"),
        ((True, True), "dumb", "this terminal cannot be redrawn"),
        ((True, True), None, "this terminal cannot be redrawn"),
    ],
)
def test_what_is_no_terminal_is_refused(terminals, term, problem, monkeypatch):
    for stream, terminal in zip(("stdin", "stdout"), terminals, strict=True):
        monkeypatch.setattr(getattr(top.sys, stream), "isatty", lambda terminal=terminal: terminal)
    if term is None:
        monkeypatch.delenv("TERM", raising=False)
    else:
        monkeypatch.setenv("TERM", term)
    with pytest.raises(top.NoTerminalError, match=problem):
        top.run(os.getpid())


def test_an_absent_library_is_said_in_one_line(monkeypatch):
    def refuse(name):
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(top.importlib, "import_module", refuse)
    with pytest.raises(top.NoTerminalError) as refused:
        top.load_toolkit()
    assert str(refused.value) == (
        "the package prompt_toolkit is missing: pip install 'greenloop[top]'"
    )
