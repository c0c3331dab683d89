"""`Progress`: a few words behind pytest's line that say which run of a test it is."""

from __future__ import annotations

from time import monotonic
from typing import Any, Final

import pytest

PERIOD: Final = 0.1
"""How long the words stay at least, in seconds."""

# Of a terminal: remember the place of the cursor, return to it, erase what is behind it.
_SAVE, _RETURN, _ERASE = "\x1b7", "\x1b8", "\x1b[K"


class Progress:
    """The words on a terminal. Where there is none, nothing is written."""

    def __init__(self, config: pytest.Config) -> None:
        """Prepare the words, which appear later than a moment after."""
        terminal: Any = config.pluginmanager.get_plugin("terminalreporter")
        is_shown = terminal is not None and terminal.isatty and config.get_verbosity() >= 0
        self._writer: Any = config.get_terminal_writer() if is_shown else None
        self._last = monotonic()
        self._is_there = False

    def show(self, words: str) -> None:
        """Write the words, in the place of those before, unless those were written just now."""
        if self._writer is None or monotonic() - self._last < PERIOD:
            return
        self._last = monotonic()
        self._is_there = True
        self._write(f" {words}")

    def clear(self) -> None:
        """Erase the words."""
        if self._is_there:
            self._is_there = False
            self._write("")

    def _write(self, words: str) -> None:
        # Past the writer's own method, which counts characters to know where its line ends.
        width = self._writer.fullwidth - self._writer.width_of_current_line - 1
        self._writer._file.write(f"{_SAVE}{_ERASE}{words[: max(0, width)]}{_RETURN}")
        self._writer.flush()
