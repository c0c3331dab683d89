"""The blocks of code in a page, and a folder in which they are followed as a reader would.

A block of Python whose first line is a comment with the name of a file is that file; any other is a
program. In a block of `console`, lines that begin with `$` are commands, and the lines below each
are what it prints, `...` for anything. A comment of HTML above a block says what is special:

- `<!-- not run: REASON -->`: the block is not run;
- `<!-- fails: REASON -->`: the last command ends with an error;
- `<!-- in the background until "TEXT" -->`: the command is a server, which has to print that;
- `<!-- needs: NAMES -->`, anywhere: packages or commands without which the page is skipped.

Port 8000 in a page stands for a free port.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

FENCE = re.compile(
    r"(?:<!-- (?P<note>(?:not run|fails|in the background)[^\n]*?) -->\n)?"
    r"^```(?P<language>\w+)\n(?P<text>.*?)^```",
    re.MULTILINE | re.DOTALL,
)
NEEDS = re.compile(r"<!-- needs: (.*?) -->")
FILE = re.compile(r"# ([\w/]+\.(?:py|toml|ini|ipynb))$")
UNTIL = re.compile(r'in the background until "(.*)"')
PORT = "8000"
# How long a command may take, and a server until it is ready, in seconds.
PATIENCE = 60


@dataclass(frozen=True)
class Block:
    """A block between fences, with the comment above it."""

    language: str
    text: str
    note: str
    line: int

    @property
    def file(self) -> str | None:
        """The name of the file that the block is, if it is one."""
        match = FILE.match(self.text.partition("\n")[0])
        return match[1] if match else None


def blocks_of(page: Path) -> list[Block]:
    """The blocks of a page, in order."""
    text = page.read_text(encoding="utf-8")
    return [
        Block(
            match["language"],
            match["text"],
            match["note"] or "",
            text.count("\n", 0, match.start("text")),
        )
        for match in FENCE.finditer(text)
    ]


def needs_of(page: Path) -> list[str]:
    """The packages and commands that the blocks of a page need."""
    found = NEEDS.search(page.read_text(encoding="utf-8"))
    return found[1].split() if found else []


def commands_of(block: Block) -> Iterator[tuple[str, list[str]]]:
    """Each command of a block of `console`, with the lines that it prints."""
    command, printed = "", []
    for line in block.text.splitlines():
        if line.startswith("$ "):
            if command:
                yield command, printed
            command, printed = line[2:], []
        elif line.startswith("> "):
            command += "\n" + line[2:]
        else:
            printed.append(line)
    if command:
        yield command, printed


def is_like(printed: str, wanted: list[str]) -> bool:
    """Whether what was printed is what the page says, where `...` stands for anything."""
    pattern = "".join(
        r"(?:.*\n)*?" if line == "..." else re.escape(line).replace(r"\.\.\.", ".*") + r" *\n"
        for line in wanted
    )
    return re.fullmatch(pattern, printed.rstrip() + "\n" if printed.strip() else "") is not None


class Reader:
    """Follows a page in a folder of its own, with this interpreter's commands on the path."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._servers: list[subprocess.Popen[str]] = []
        with socket.create_server(("127.0.0.1", 0)) as free:
            self._port = str(free.getsockname()[1])
        self._environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("PYTEST", "PYTHON", "GREENLOOP"))
        }
        # The folder of the environment, not of the interpreter that its link leads to.
        self._environment["PATH"] = os.pathsep.join(
            [os.path.dirname(sys.executable), self._environment.get("PATH", "")]
        )
        self._environment["HOME"] = str(folder)
        self._environment["PYTHONUNBUFFERED"] = "1"

    def follow(self, block: Block) -> None:
        """Do what the block says; raise AssertionError if something else comes of it."""
        if block.note.startswith("not run"):
            return
        text = block.text.replace(PORT, self._port)
        if block.file:
            path = self._folder / block.file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        elif block.language == "python":
            program = self._folder / f"program_at_line_{block.line}.py"
            program.write_text(text, encoding="utf-8")
            self._run(f"python {program.name}", [], block, ignore_output=True)
        elif block.language == "console":
            for command, printed in commands_of(Block("console", text, block.note, block.line)):
                if until := UNTIL.search(block.note):
                    self._start(command, until[1].replace(PORT, self._port))
                else:
                    self._run(command, printed, block, ignore_output=not printed)

    def _run(self, command: str, wanted: list[str], block: Block, *, ignore_output: bool) -> None:
        result = subprocess.run(
            ["bash", "-c", command],
            cwd=self._folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PATIENCE,
        )
        fails = block.note.startswith("fails")
        assert (result.returncode != 0) == fails, f"$ {command}\n{result.stdout}"
        if not ignore_output:
            said = "\n".join(wanted)
            assert is_like(result.stdout, wanted), f"$ {command}\n{result.stdout}\nwanted:\n{said}"

    def _start(self, command: str, until: str) -> None:
        server = subprocess.Popen(
            ["bash", "-c", f"exec {command}"],
            cwd=self._folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._servers.append(server)
        said: list[str] = []
        ready = threading.Event()

        def listen() -> None:
            for line in server.stdout or ():
                said.append(line)
                if until in line:
                    ready.set()
            ready.set()

        threading.Thread(target=listen, daemon=True).start()
        assert ready.wait(PATIENCE), f"$ {command}\n{''.join(said)}"
        assert any(until in line for line in said), f"$ {command}\n{''.join(said)}"

    def close(self) -> None:
        """End the servers."""
        for server in self._servers:
            if server.poll() is None:
                os.killpg(server.pid, signal.SIGTERM)
        deadline = time.monotonic() + 10
        for server in self._servers:
            try:
                server.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                os.killpg(server.pid, signal.SIGKILL)
                server.wait()
