"""`python -m greenloop top`: the tasks of a process, redrawn in place once a second.

The terminal is prompt_toolkit's, a package that only this command needs (the extra
`greenloop[top]`). A thread asks the process, so that keys are answered at once also while the
process answers nothing.
"""

from __future__ import annotations

import importlib
import os
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import ModuleType
from typing import Any, Final

from greenloop.monitoring.attaching import ask_any
from greenloop.monitoring.board import Board
from greenloop.monitoring.client import WatchError
from greenloop.monitoring.report import Report, ReportError, report_of
from greenloop.monitoring.screen import screen_of

INTERVAL: Final = 1.0
"""Seconds between two reports."""

_KEYS: Final = ("up", "down", "pageup", "pagedown", "home", "end", "enter", "escape", "backspace")
"""The keys that are no characters, as prompt_toolkit and the board call them."""

_MODULES: Final = ("application", "formatted_text", "key_binding", "layout")
_CHOSEN: Final = "\x1b[7m{}\x1b[0m"
_UNTIL_ESCAPE: Final = 0.05
"""Seconds after which a lonely Escape is no beginning of another key."""


class NoTerminalError(Exception):
    """There is nothing to draw on; the message says what is missing."""


def run(pid: int) -> None:
    """Show the tasks of a process until the reader has enough.

    Args:
        pid: The number of the process.

    Raises:
        NoTerminalError: Input or output is no terminal, or prompt_toolkit is not installed.
        WatchError: The process does not answer the first time.
        ReportError: It answers with something else.
    """
    if not all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stdout)):
        raise NoTerminalError("input and output have to be a terminal; `ps` prints the tasks once")
    if os.environ.get("TERM", "dumb") == "dumb":
        raise NoTerminalError("this terminal cannot be redrawn; `ps` prints the tasks once")
    toolkit = load_toolkit()
    board = Board()
    board.update(_report(pid))
    show(toolkit, board, pid)


def load_toolkit() -> Mapping[str, ModuleType]:
    """Return the modules of prompt_toolkit that `top` draws with, by their names.

    Raises:
        NoTerminalError: It is not installed.
    """
    try:
        return {name: importlib.import_module(f"prompt_toolkit.{name}") for name in _MODULES}
    except ImportError:
        raise NoTerminalError(
            "the package prompt_toolkit is missing: pip install 'greenloop[top]'"
        ) from None


def show(toolkit: Mapping[str, ModuleType], board: Board, pid: int) -> None:
    """Show a board, and what the process reports from now on, until a key ends it.

    Args:
        toolkit: What `load_toolkit` has returned.
        board: The board, with a first report.
        pid: The number of the process.
    """
    application: Any = None
    feed = _Feed(pid, lambda: application.invalidate())

    def text() -> Any:
        feed.hand_over(board)
        size = application.output.get_size()
        screen = replace(screen_of(sys.stdout), width=size.columns)
        lines = [
            _CHOSEN.format(line.text) if line.chosen else line.text
            for line in board.lines(screen, size.rows)
        ]
        return toolkit["formatted_text"].ANSI("\n".join(lines))

    layout = toolkit["layout"]
    window = layout.Window(layout.FormattedTextControl(text), always_hide_cursor=True)
    application = toolkit["application"].Application(
        layout=layout.Layout(window),
        key_bindings=_bindings(toolkit, board),
        full_screen=True,
    )
    application.ttimeoutlen = _UNTIL_ESCAPE
    feed.start()
    try:
        application.run()
    finally:
        feed.stop()


def _bindings(toolkit: Mapping[str, ModuleType], board: Board) -> Any:
    bindings = toolkit["key_binding"].KeyBindings()

    def press(key: str, event: Any) -> None:
        if not board.press(key):
            event.app.exit()

    def bind(key: str) -> None:
        bindings.add(key)(lambda event: press(key, event))

    for key in _KEYS:
        bind(key)
    bindings.add("<any>")(lambda event: press(event.data, event))
    bindings.add("c-c")(lambda event: event.app.exit())
    return bindings


def _report(pid: int) -> Report:
    return report_of(ask_any(pid, {"want": "report"}))


class _Feed(threading.Thread):
    """Asks the process once a second, and keeps its last answer for the thread that draws."""

    def __init__(self, pid: int, tell: Callable[[], None]) -> None:
        super().__init__(name="greenloop-top", daemon=True)
        self._pid = pid
        self._tell = tell
        self._lock = threading.Lock()
        self._news: Report | str | None = None
        self._stopped = threading.Event()

    def run(self) -> None:
        while not self._stopped.wait(INTERVAL):
            news: Report | str
            try:
                news = _report(self._pid)
            except (WatchError, ReportError) as error:
                news = str(error)
            with self._lock:
                self._news = news
            self._tell()

    def hand_over(self, board: Board) -> None:
        """Give the board what is new."""
        with self._lock:
            news, self._news = self._news, None
        if isinstance(news, Report):
            board.update(news)
        elif news is not None:
            board.fail(news)

    def stop(self) -> None:
        """Have the thread end; it may still wait for a last answer, and is not waited for."""
        self._stopped.set()
