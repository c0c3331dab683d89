"""`python -m greenloop trace PID`: a running process records itself for some seconds.

The file is made before the process is asked, so that a wrong name costs no recording, and under
another name until it is complete, so that a full disk leaves an older one as it was.
"""

from __future__ import annotations

import os
import sys
import tempfile
from dataclasses import dataclass
from typing import Final, NoReturn

from greenloop.monitoring.attaching import ask_any
from greenloop.monitoring.client import (
    DEFAULT_TIMEOUT,
    Reason,
    WatchError,
)
from greenloop.monitoring.printing import OutputError, print_json
from greenloop.tracing.files import form_of
from greenloop.watching.processes import LARGEST_PID

USAGE: Final = """\
usage: python -m greenloop trace PID [--seconds N] [-o FILE] [--json]

Has a running process that watches itself record what its tasks do, and writes it into a file.

  PID          the number of the process
  --seconds N  for how long, 10 if it is not given
  -o FILE      the file, trace.html if it is not given; the end of its name says the form:
               .html (a viewer), .json (Perfetto), .svg, .mmd or .txt (the sequence diagram),
               .jsonl (JSON lines)
  --json       print the document that the process answers, and write no file
"""

LONGEST: Final = 3600.0
"""The seconds of the longest recording."""

_FOR_WRITING: Final = 60.0
"""Seconds that a process has, after a recording, to make a file of a million events."""


@dataclass(frozen=True, slots=True)
class _Options:
    pid: int
    seconds: float = 10.0
    path: str = "trace.html"
    json: bool = False


def run(arguments: list[str]) -> None:
    """Record the process that the arguments of `trace` name, and write the file.

    Raises:
        SystemExit: There is no recording, and a line has said why.
    """
    options = _parse(arguments)
    try:
        if options.json:
            print_json(_recorded(options))
        else:
            _write(options)
    except (WatchError, OutputError) as error:
        _fail(str(error), 1)
    except OSError as error:
        _fail(f"{options.path!r} was not written: {error.strerror or error}", 1)
    except KeyboardInterrupt:
        sys.exit(130)


def _write(options: _Options) -> None:
    target = os.path.realpath(options.path)
    if os.path.exists(target) and not os.path.isfile(target):
        # A pipe or a device cannot be replaced.
        with open(target, "wb") as file:
            file.write(_contents(options))
    else:
        folder, name = os.path.split(target)
        handle, draft = tempfile.mkstemp(prefix=f".{name}.", dir=folder)
        try:
            with open(handle, "wb") as file:
                file.write(_contents(options))
            os.chmod(draft, _mode_of(target))
            os.replace(draft, target)
        except BaseException:
            os.unlink(draft)
            raise
    sys.stderr.write(f"greenloop trace: {options.seconds:g} s in {options.path}\n")


def _contents(options: _Options) -> bytes:
    text = _recorded(options).get("file")
    if not isinstance(text, str):
        raise WatchError(Reason.GARBAGE, f"process {options.pid} answered with no file")
    return text.encode("utf-8", "surrogatepass")


def _recorded(options: _Options) -> dict[str, object]:
    form = os.path.splitext(options.path)[1][1:].lower()
    request = {"want": "trace", "seconds": options.seconds, "form": form}
    return ask_any(options.pid, request, options.seconds + DEFAULT_TIMEOUT + _FOR_WRITING)


def _mode_of(target: str) -> int:
    """Return the rights that the file has, or that a new one would get."""
    try:
        return os.stat(target).st_mode & 0o777
    except OSError:
        mask = os.umask(0)
        os.umask(mask)
        return 0o666 & ~mask


def _parse(arguments: list[str]) -> _Options:
    pid, *left = arguments
    if len(pid) > 10 or not 1 <= int(pid) <= LARGEST_PID:
        _refuse(f"PID is the number of a process, not {pid!r}")
    seconds, path, as_json = 10.0, "trace.html", False
    while left:
        match left:
            case ["-h" | "--help", *_]:
                print(USAGE, end="")
                sys.exit(0)
            case ["--seconds", text, *left]:
                seconds = _seconds(text)
            case ["-o", path, *left]:
                _check_form(path)
            case ["--json", *left]:
                as_json = True
            case [argument, *_]:
                _refuse(f"unknown option or missing value: {argument}")
    return _Options(int(pid), seconds, path, as_json)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= LONGEST:
        _refuse(f"--seconds takes a number above 0, at most {LONGEST:g}, not {text!r}")
    return seconds


def _check_form(path: str) -> None:
    try:
        form_of(path)
    except ValueError as error:
        _refuse(str(error))
    if path.lower().endswith(".trace"):
        _refuse(f"{path!r}: a running process writes its trace in any form but .trace")


def _refuse(problem: str) -> NoReturn:
    _fail(f"{problem}\n\n{USAGE}".rstrip("\n"), 2)


def _fail(problem: str, code: int) -> NoReturn:
    sys.stderr.write(f"greenloop trace: {problem}\n")
    sys.exit(code)
