"""`python -m greenloop doctor`: the report is printed, of this environment or of a program.

A program is launched as `python -m greenloop` does, and reported on when it has ended, with the
loops that it ran. The report then goes to standard error, for the program's output is on the other.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Final

from greenloop.diagnosis.facts import gather
from greenloop.diagnosis.loops import Watch
from greenloop.diagnosis.report import Report
from greenloop.monitoring.printing import OutputError, print_text

USAGE: Final = """\
usage: python -m greenloop doctor [--json] [-m module | -c code | script] [argument ...]

Prints what a report of a bug should contain: versions, the build of the interpreter, which native
parts are active and why one is not. With a program, runs it as `python -m greenloop` does, and
prints at its end to standard error what it ran on as well.

  --json  a JSON object instead of text
"""


def run(arguments: list[str], launch: Callable[[list[str]], None]) -> None:
    """Print the report that the command line asks for.

    The exception and the exit code of a program are not changed by it.

    Raises:
        SystemExit: The report cannot be printed; a line has said why.
    """
    match arguments:
        case ["-h" | "--help", *_]:
            _print(USAGE)
            return
        case ["--json", *program]:
            as_json = True
        case program:
            as_json = False
    if not program:
        _print(_form(gather(), as_json=as_json) + "\n")
        return
    with Watch() as watch:
        try:
            launch(program)
        finally:
            print(_form(gather(watch.seen), as_json=as_json), file=sys.stderr)


def _print(text: str) -> None:
    try:
        print_text(text)
    except OutputError as error:
        print(f"greenloop doctor: {error}", file=sys.stderr)
        sys.exit(1)


def _form(report: Report, *, as_json: bool) -> str:
    return report.json() if as_json else str(report)
