"""Runs pytest on one suite and one loop, and reads how the tests went.

A test that hangs is ended by pytest at its time limit. One that cannot be ended that way, or that
crashes the interpreter, ends the process; it counts as failed, and another process runs the rest.
"""

import json
import os
import selectors
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.cpython.record import Result

from . import sources
from .suites import INSIDE, Suite

# Beyond the time limit of a test, before the process is given up. Starting up takes a while too.
GRACE = 30.0
OUTPUT_KEPT = 4000
# Processes that end early one after the other: the suite itself does not run.
ATTEMPTS = 20


@dataclass(frozen=True)
class Request:
    """What to run of a suite, and on which loop."""

    suite: Suite
    loop: str
    source: Path
    python: Path
    time_limit: float
    # Patterns of names, each with the kind of its exclusion.
    excluded: tuple[tuple[str, str], ...] = ()
    # Names of tests; None means all that are not excluded.
    only: tuple[str, ...] | None = None
    # A part of the name of every test that is wanted.
    pattern: str | None = None
    # Whether a plugin of pytest's puts the loop there, and nothing before it.
    loop_by_plugin: bool = False
    # Of the environment: where the suite's server is.
    variables: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Report:
    """How a suite went."""

    results: dict[str, Result] = field(default_factory=dict)
    # How often each test was run, if a plugin repeats tests.
    runs: dict[str, int] = field(default_factory=dict)
    # Reasons to distrust it all.
    problems: list[str] = field(default_factory=list)


def run(request: Request) -> Report:
    """Runs the tests that are asked for, in as many processes as it takes."""
    report = Report()
    for _ in range(ATTEMPTS):
        done = len(report.results)
        finished, last, ending = _run_process(request, report)
        if finished or report.problems:
            return report
        if last is not None:
            _record(report, request, last, "failed", ending)
        elif len(report.results) == done:
            break
    report.problems.append(f"pytest does not get through: {ending}")
    return report


def _run_process(request: Request, report: Report) -> tuple[bool, str | None, str]:
    """Whether pytest came to its end, which test was running if not, and how it ended."""
    reading, writing = os.pipe()
    running: str | None = None
    finished = False
    with (
        tempfile.NamedTemporaryFile("w", suffix=".json") as asked,
        tempfile.TemporaryFile() as output,
    ):
        json.dump(
            {
                "excluded": request.excluded,
                "only": request.only,
                "pattern": request.pattern,
                "done": list(report.results),
            },
            asked,
        )
        asked.flush()
        process = subprocess.Popen(
            _command(request),
            cwd=request.source,
            env=_environment(request, asked.name, writing),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            pass_fds=[writing],
            start_new_session=True,
        )
        os.close(writing)
        for message in _messages(reading, process, request.time_limit + GRACE):
            match message:
                case {"start": name}:
                    running = name
                case {"test": name, "outcome": outcome, "detail": detail}:
                    running = None
                    _record(report, request, name, outcome, detail, message.get("seconds", 0.0))
                    report.runs[name] = message.get("runs", 0)
                case {"loop": loop} if loop != request.loop:
                    report.problems.append(f"it ran on {loop} instead of {request.loop}")
                case {"done": True}:
                    finished = True
        ending = _end(process)
        output.seek(0, os.SEEK_END)
        output.seek(max(0, output.tell() - OUTPUT_KEPT))
        said = output.read().decode(errors="replace")
    os.close(reading)
    return finished, running, f"{ending}\n{said}"


def _command(request: Request) -> list[str]:
    suite = request.suite
    command = [str(request.python), "-m", "pytest", "-p", "peers_plugin", "-p", "timeout"]
    command += [part for plugin in suite.plugins for part in ("-p", plugin)]
    command += ["-p", "no:cacheprovider", "--override-ini", "addopts=", "--tb=short"]
    # Names begin at the suite's folder, also where no configuration of pytest's says so.
    command += ["--rootdir", str(request.source)]
    command += ["--continue-on-collection-errors", "--timeout", str(request.time_limit)]
    if request.only is not None:
        # Whole files, so that the names stay what they are: a parameter may contain anything.
        files = {name.partition("::")[0] for name in request.only}
        return [*command, *suite.options, *sorted(files)]
    return [*command, *suite.options, *suite.tests]


def _environment(request: Request, asked: str, pipe: int) -> dict[str, str]:
    folders = [INSIDE]
    if not request.suite.installed:
        folders.append(INSIDE / "stand_in")
    disturbing = ("PYTHONASYNCIODEBUG", "PYTHONDEVMODE", "PYTHONWARNINGS", "PYTHONSTARTUP")
    return {
        **{name: value for name, value in os.environ.items() if name not in disturbing},
        "PYTHONPATH": os.pathsep.join(map(str, folders)),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "GREENLOOP_PEERS_LOOP": "" if request.loop_by_plugin else request.loop,
        "GREENLOOP_PEERS_REQUEST": asked,
        "GREENLOOP_PEERS_PIPE": str(pipe),
        "GREENLOOP_PEERS_UVLOOP": str(request.source / sources.PACKAGE),
        **request.variables,
    }


def _messages(reading: int, process: subprocess.Popen, patience: float) -> Iterator[dict]:
    """What the plugin says, until pytest has ended or been silent for too long."""
    os.set_blocking(reading, False)
    pending = b""
    with selectors.DefaultSelector() as selector:
        selector.register(reading, selectors.EVENT_READ)
        while True:
            ended = process.poll() is not None
            waited, step = 0.0, 0.5
            # The end of the process is looked for as well: one that it has forked may keep the
            # pipe open.
            while not selector.select(0 if ended else step) and not ended:
                waited += step
                ended = process.poll() is not None
                if waited >= patience:
                    return
            try:
                received = os.read(reading, 1 << 16)
            except BlockingIOError:
                return
            if not received:
                return
            *lines, pending = (pending + received).split(b"\n")
            yield from map(json.loads, lines)


def _end(process: subprocess.Popen) -> str:
    """Ends pytest and what it has started and left behind, and says how pytest ended."""
    try:
        code = process.wait(5)
        ending = f"it ended with {signal.Signals(-code).name if code < 0 else f'code {code}'}"
    except subprocess.TimeoutExpired:
        ending = "it fell silent"
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()
    return ending


def _record(
    report: Report, request: Request, name: str, outcome: str, detail: str, seconds: float = 0.0
) -> None:
    full_name = f"{request.suite.name}/{name}"
    report.results[name] = Result(full_name, outcome, detail, seconds)
