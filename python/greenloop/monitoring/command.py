"""`python -m greenloop ps`, `tree`, `stalls` and so on: questions to a process that watches itself.

Each asks once and prints. Nothing in the process is changed, and whatever goes wrong is one line
and an exit code: 1 if there was no answer, 2 if the command line was wrong.
"""

from __future__ import annotations

import contextlib
import gc
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from greenloop.monitoring import top
from greenloop.monitoring.attaching import ask_any
from greenloop.monitoring.client import Reason, WatchError, ask
from greenloop.monitoring.metrics import metrics
from greenloop.monitoring.printing import OutputError, print_json, print_text
from greenloop.monitoring.report import Report, ReportError, report_of, stalls_of
from greenloop.monitoring.screen import Screen, in_encoding, screen_of
from greenloop.monitoring.stalls import stalls
from greenloop.monitoring.table import processes, table
from greenloop.monitoring.tree import tree
from greenloop.watching.place import watched_processes
from greenloop.watching.processes import LARGEST_PID

USAGE: Final = """\
usage: python -m greenloop ps [PID] [--all] [--wide] [--json]
       python -m greenloop tree|stalls|metrics [PID] [--all] [--wide] [--json]
       python -m greenloop top [PID] [--json]
       python -m greenloop trace PID [--seconds N] [-o FILE]

Asks a running process that watches itself: one with GREENLOOP_WATCH=1 in its environment,
one that was started by `python -m greenloop watch`, or one that called `greenloop.watch()`.

  ps           its tasks: what each waits for, since when, and where; without PID, the processes
  tree         who waits for whom, and the deadlocks
  stalls       the steps that kept its loop from running anything else
  metrics      numbers in the text format of Prometheus
  top          the table of `ps`, once a second, and a look at single tasks
  trace        a recording of N seconds; `trace --help` tells more

  PID          the process; without it, the only one of yours that watches itself
  --all        each task and each stall by itself, also those that do the same as others
  --wide       lines as long as they are, with whole paths and stacks
  --json       the document that the process answers (docs/report-format.md)

The exit code is 1 if there was no answer, and 2 if the command line was wrong.
"""

_FOR_A_LISTING: Final = 1.0
"""Seconds that a process has to answer where several are asked."""

NO_ANSWER: Final = 1
WRONG_COMMAND_LINE: Final = 2


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line asks for."""

    command: str
    pid: int | None = None
    apart: bool = False
    wide: bool = False
    json: bool = False


def run(arguments: list[str]) -> None:
    """Run the command whose name is the first of the arguments.

    Raises:
        SystemExit: There was no answer, or the command line was wrong; a line has said why.
    """
    options = _parse(arguments)
    try:
        with _no_collections():
            _RUN[options.command](options)
    except (WatchError, ReportError, top.NoTerminalError, OutputError) as error:
        _say(options.command, str(error))
        sys.exit(NO_ANSWER)
    except KeyboardInterrupt:
        sys.exit(130)


@contextlib.contextmanager
def _no_collections() -> Iterator[None]:
    """Keep the collector from looking through a large report again and again: nothing is garbage.

    It would take a third of the time that a report of ten thousand tasks takes.
    """
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def only_process() -> int:
    """Return the number of the only process of this user that watches itself.

    Raises:
        WatchError: There is none, or there are several.
    """
    found = watched_processes()
    if not found:
        raise WatchError(
            Reason.NOT_WATCHING,
            "no process of yours watches itself: start one with GREENLOOP_WATCH=1 in its"
            " environment, or as `python -m greenloop watch`",
        )
    if len(found) > 1:
        numbers = ", ".join(map(str, found))
        raise WatchError(Reason.NOT_WATCHING, f"say which process: {numbers} watch themselves")
    return found[0]


def _parse(arguments: list[str]) -> Options:
    command, *left = arguments
    pid: int | None = None
    chosen = {"--all": False, "--wide": False, "--json": False}
    for argument in left:
        if argument in ("-h", "--help"):
            print(USAGE, end="")
            sys.exit(0)
        if argument in chosen:
            chosen[argument] = True
        elif argument.startswith("-"):
            _refuse(command, f"unknown option: {argument}")
        elif pid is not None:
            _refuse(command, f"one process at a time, not also {argument!r}")
        else:
            pid = _pid(command, argument)
    return Options(command, pid, chosen["--all"], chosen["--wide"], chosen["--json"])


def _pid(command: str, argument: str) -> int:
    digits = argument.isascii() and argument.isdecimal() and len(argument) <= 10
    if not digits or not 1 <= int(argument) <= LARGEST_PID:
        _refuse(command, f"PID is the number of a process, not {argument!r}")
    return int(argument)


def _ps(options: Options) -> None:
    if options.pid is None:
        _list_processes(options)
    else:
        _print_report(options, lambda report, screen: table(report, screen, apart=options.apart))


def _tree(options: Options) -> None:
    _print_report(options, lambda report, screen: tree(report, screen, apart=options.apart))


def _metrics(options: Options) -> None:
    _print_report(options, lambda report, _: metrics(report))


def _top(options: Options) -> None:
    if options.json:
        print_json(_ask(options, "report"))
    else:
        gc.enable()  # It may run for days.
        top.run(_process(options))


def _stalls(options: Options) -> None:
    found = _ask(options, "stalls")
    if options.json:
        print_json(found)
    else:
        screen = screen_of(sys.stdout, wide=options.wide)
        _print(stalls(stalls_of(found), screen, apart=options.apart))


def _print_report(options: Options, lines: Callable[[Report, Screen], Iterator[str]]) -> None:
    found = _ask(options, "report")
    if options.json:
        print_json(found)
    else:
        _print(lines(report_of(found), screen_of(sys.stdout, wide=options.wide)))


def _list_processes(options: Options) -> None:
    found = [(pid, _report_or_reason(pid)) for pid in watched_processes()]
    if options.json:
        print_json([_summary(*each) for each in found])
    elif found:
        _print(processes(found, screen_of(sys.stdout, wide=options.wide)))
    else:
        _print(iter(["no process of yours watches itself"]))


def _report_or_reason(pid: int) -> Report | str:
    try:
        return report_of(ask(pid, {"want": "report"}, _FOR_A_LISTING))
    except (WatchError, ReportError) as error:
        return f"({error})"


def _summary(pid: int, report: Report | str) -> dict[str, Any]:
    if isinstance(report, str):
        return {"pid": pid, "error": report.strip("()")}
    return {
        "pid": pid,
        "program": report.program,
        "tasks": len(report.tasks),
        "watched_for": report.watched_for,
        "deadlocks": len(report.deadlocks),
        "stalls": sum(not stall.over for stall in report.stalls),
    }


def _ask(options: Options, want: str) -> dict[str, Any]:
    return ask_any(_process(options), {"want": want})


def _process(options: Options) -> int:
    return only_process() if options.pid is None else options.pid


def _print(lines: Iterator[str]) -> None:
    print_text("".join(f"{line}\n" for line in lines))


def _say(command: str, problem: str) -> None:
    line = in_encoding(f"greenloop {command}: {problem}\n", sys.stderr.encoding)
    sys.stderr.write(line)


def _refuse(command: str, problem: str) -> NoReturn:
    _say(command, f"{problem}\n\n{USAGE}".rstrip("\n"))
    sys.exit(WRONG_COMMAND_LINE)


_RUN: Final[Mapping[str, Callable[[Options], None]]] = {
    "ps": _ps,
    "tree": _tree,
    "stalls": _stalls,
    "metrics": _metrics,
    "top": _top,
}
