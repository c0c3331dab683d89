"""`python -m greenloop watch`: a program runs as under `python -m greenloop`, and is watched."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Final

from greenloop.observation import WATCH_VARIABLE

USAGE: Final = f"""\
usage: python -m greenloop watch [-m module | -c code | script] [arg ...]

Runs a program as `python -m greenloop` does, and watches it and the processes that it starts, as
{WATCH_VARIABLE}=1 does. Steps that take too long and deadlocks are logged, and others can ask:
python -m greenloop ps, tree, top, stalls.
"""


def run(arguments: list[str], launch: Callable[[list[str]], None]) -> None:
    """Launch the program that the command line names, and watch it from its first loop on."""
    match arguments:
        case ["-h" | "--help", *_]:
            print(USAGE, end="")
        case []:
            sys.stderr.write(f"greenloop watch: no program was named\n\n{USAGE}")
            sys.exit(2)
        case _:
            os.environ[WATCH_VARIABLE] = "1"
            launch(arguments)
