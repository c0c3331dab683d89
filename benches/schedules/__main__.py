"""The command: `python -m benches.schedules` compares testers of interleavings."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .. import tournament
from ..contestants import interpreter
from ..fresh_process import Outcome, run_module
from . import report, zoo
from .hunt import RUNS
from .programs import PROGRAMS
from .promises import PROMISES
from .speed import REPEATS
from .testers import TESTERS

PARTS = ("speed", "zoo", "promises")

CORRECT_RUNS = 200

TIME_LIMIT = 120.0
"""Seconds for one measurement of a program."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns 0 also when a tester failed: that is a result, not an error of the run."""
    options = _parser().parse_args(arguments)
    skipped = {
        name: reason for name in options.tester if (reason := TESTERS[name].absence()) is not None
    }
    for name, reason in skipped.items():
        print(f"skipped: {name}: {reason}", file=sys.stderr)
    testers = [name for name in TESTERS if name in options.tester and name not in skipped]
    result: dict[str, Any] = {
        "interpreter": interpreter(),
        "versions": {name: TESTERS[name].version() for name in testers},
        "rounds": options.rounds,
    }
    if "speed" in options.part:
        runners = [name for name in testers if TESTERS[name].in_speed]
        result["speed"] = _speed(runners, options)
    hunters = [name for name in testers if TESTERS[name].in_hunts]
    if "zoo" in options.part:
        names = options.bug or zoo.bugs()
        result["broken"] = zoo.measure(hunters, names, options.runs, "broken")
        result["mended"] = zoo.measure(hunters, names, options.correct_runs, "mended")
    if "promises" in options.part:
        result["promises"] = zoo.measure(hunters, list(PROMISES), options.correct_runs, "promise")
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(report.render(result))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benches.schedules", description=__doc__)
    parser.add_argument("--part", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--rounds", type=int, default=5, help="interleaved rounds of speed (5)")
    parser.add_argument(
        "--repeats", type=int, default=REPEATS, help=f"in each round, after one ({REPEATS})"
    )
    parser.add_argument("--runs", type=int, default=RUNS, help=f"runs for each bug ({RUNS})")
    parser.add_argument(
        "--correct-runs",
        type=int,
        default=CORRECT_RUNS,
        help=f"runs for each correct program ({CORRECT_RUNS})",
    )
    parser.add_argument("--tester", nargs="+", choices=TESTERS, default=list(TESTERS))
    parser.add_argument("--program", nargs="+", choices=PROGRAMS, default=list(PROGRAMS))
    parser.add_argument("--bug", nargs="+", metavar="BUG", help="names of the zoo's modules")
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep all samples")
    return parser


def _speed(testers: Sequence[str], options: argparse.Namespace) -> dict[str, dict[str, Any]]:
    """The samples by program and tester, each in a fresh process, interleaved."""

    def measure(program: str, tester: str) -> Outcome:
        command = ["benches.schedules.speed", tester, program, "--repeats", str(options.repeats)]
        return run_module(command, TIME_LIMIT)

    cells = tournament.turns(options.program, testers, options.rounds)
    records = tournament.hold(cells, measure, _progress)
    speed: dict[str, dict[str, Any]] = {name: {} for name in options.program}
    for (program, tester), record in records.items():
        samples = [sample["cpu_ns"] for sample in record.samples]
        failure = record.failure and f"{record.failure.status}: {record.failure.detail}"
        speed[program][tester] = {"cpu_ns": samples, "failure": failure}
    return speed


def _progress(program: str, tester: str, outcome: Outcome) -> None:
    figures = f"{outcome.sample['cpu_ns']:.0f}" if outcome.sample else outcome.detail
    print(f"{program} {tester}: {outcome.status} {figures}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
