"""Runs a module of the benches in a process of its own and says how that ended.

A contestant may raise, abort the interpreter or hang; none of this reaches the caller as an
exception, because one bad cell must not cost the rest of a table.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

ROOT = Path(__file__).resolve().parent.parent

Status = Literal["measured", "failed", "crashed", "hung"]

_DISTORTING = ("PYTHONASYNCIODEBUG", "PYTHONDEVMODE", "PYTHONMALLOC", "PYTHONTRACEMALLOC")
"""Variables that would switch debugging aids on in the measuring process."""


@dataclass(frozen=True)
class Outcome:
    """How a process ended.

    measured: exit code 0 and a JSON object as the last line of its output.
    failed:   another exit code, or an output without that object. An object with the key
              "error" says why.
    crashed:  killed by a signal, by its own fault.
    hung:     killed by us at the time limit.
    """

    status: Status
    sample: dict[str, Any] = field(default_factory=dict)
    detail: str = ""
    """For people: the last line of the error output, the signal's name, or the limit."""


def run_module(arguments: list[str], time_limit: float, python: str = sys.executable) -> Outcome:
    """Runs `python -m ARGUMENTS` with the repository importable; `time_limit` in seconds."""
    return run_command([python, "-m", *arguments], time_limit)


def run_command(command: list[str], time_limit: float) -> Outcome:
    """Runs a command whose last line of output is the sample; `time_limit` in seconds."""
    try:
        ended = subprocess.run(
            command,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=time_limit,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Outcome("hung", detail=f"no end after {time_limit:g} s")
    if ended.returncode < 0:
        return Outcome("crashed", detail=_signal_name(-ended.returncode))
    sample = _object_of(_last_line(ended.stdout))
    if ended.returncode > 0:
        complaint = (sample or {}).get("error") or _last_line(ended.stderr)
        return Outcome("failed", detail=complaint or f"exit code {ended.returncode}")
    if sample is None:
        return Outcome("failed", detail="printed no result")
    return Outcome("measured", sample=sample)


def _environment() -> dict[str, str]:
    environment = {name: text for name, text in os.environ.items() if name not in _DISTORTING}
    inherited = environment.get("PYTHONPATH")
    environment["PYTHONPATH"] = os.pathsep.join([str(ROOT), *([inherited] if inherited else [])])
    return environment


def _object_of(line: str) -> dict[str, Any] | None:
    """The JSON object that the line is, or None when it is anything else."""
    try:
        decoded = json.loads(line)
    except json.JSONDecodeError:
        return None
    return decoded if isinstance(decoded, dict) else None


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else ""


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        # Real-time signals have numbers without a name.
        return f"signal {number}"
