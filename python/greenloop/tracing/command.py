"""`python -m greenloop trace`: a program runs as under `python -m greenloop`, and is recorded."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Final

from greenloop.tracing.files import form_of, write
from greenloop.tracing.recording import DEFAULT_EVENTS, Recording

USAGE: Final = """\
usage: python -m greenloop trace [-o FILE] [--events N] [-m module | -c code | script] [arg ...]
       python -m greenloop trace PID [--seconds N] [-o FILE] [--json]

Runs a program as `python -m greenloop` does, and writes what its tasks did into a file.
With the number of a process that watches itself, records that one for N seconds, 10 if they
are not given.

  -o FILE      the file, trace.html if it is not given; the end of its name says the form:
               .html (a viewer), .json (Perfetto), .svg, .mmd or .txt (the sequence diagram),
               .jsonl (JSON lines), .trace (as docs/trace-format.md describes it)
  --events N   how many events are kept, 1048576 if it is not given; older ones are dropped
"""


def run(arguments: list[str], launch: Callable[[list[str]], None]) -> None:
    """Launch the program that the command line names, and write its trace when it has ended.

    The program's exception and exit code are not changed by it. A number in the program's place,
    which means a process that runs already, is `monitoring`'s.
    """
    path, events, program = _parse(arguments)
    recording = Recording(events)
    try:
        launch(program)
    finally:
        _finish(recording, path)


def _parse(arguments: list[str]) -> tuple[str, int, list[str]]:
    path, events = "trace.html", DEFAULT_EVENTS
    while True:
        match arguments:
            case ["-h" | "--help", *_]:
                print(USAGE, end="")
                sys.exit(0)
            case ["-o", path, *arguments]:
                _check(lambda: form_of(path))
            case ["--events", number, *arguments]:
                events = _number(number)
            case [_, *_]:
                return path, events, arguments
            case _:
                _refuse("no program was named")


def _number(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and 1 <= int(text) <= 1 << 26):
        _refuse(f"--events takes a number from 1 to {1 << 26}, not {text!r}")
    return int(text)


def _check(question: Callable[[], object]) -> None:
    try:
        question()
    except ValueError as error:
        _refuse(str(error))


def _refuse(problem: str) -> None:
    sys.stderr.write(f"greenloop trace: {problem}\n\n{USAGE}")
    sys.exit(2)


def _finish(recording: Recording, path: str) -> None:
    trace = recording.stop()
    try:
        write(trace, path)
    except OSError as error:
        sys.stderr.write(f"greenloop trace: {path!r} was not written: {error}\n")
        return
    lost = f", {trace.head.lost} older ones were dropped" if trace.head.lost else ""
    sys.stderr.write(f"greenloop trace: {len(trace)} events in {path}{lost}\n")
