"""The latency table: how late sockets and timers are served by a loop that is busy.

    python -m benches.latency [--contestant C ...] [--rounds N] [--seconds S] [--spinners N]
                              [--json FILE] [--markdown FILE]

Interleaved as the benchmarks are; `latency_probe` takes one measurement. Percentiles are medians
over the rounds, the minimum and the maximum are over all of them. The row `machine` is measured
without a loop: what it shows is no loop's doing.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from . import tournament
from .contestants import CONTESTANTS, interpreter
from .fresh_process import Outcome, run_module
from .latency_probe import MACHINE

_OVER_ROUNDS: dict[str, Callable[[list[float]], float]] = {"min": min, "max": max, "samples": sum}
"""How a figure is taken over the rounds, by a word in its name; the median for every other."""

_COLUMNS = [
    (f"{kind} {clock} {figure}", f"{kind}_{clock}_{figure}_us")
    for kind, clock, figures in (
        ("socket", "late", ("p50", "p99", "max")),
        ("socket", "busy", ("p50", "p99")),
        ("timer", "late", ("min", "p50", "p99", "max")),
        ("timer", "busy", ("p50", "p99")),
    )
    for figure in figures
]
"""Heading and the figure's name."""


def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    asked = options.contestant or list(CONTESTANTS)
    skipped = {name: why for name in asked if (why := CONTESTANTS[name].absence()) is not None}
    competing = [name for name in CONTESTANTS if name in asked and name not in skipped]
    if not competing:
        print("nothing left to measure", file=sys.stderr)
        return 2
    competing.insert(0, MACHINE)

    def measure(_: str, contestant: str) -> Outcome:
        command = ["benches.latency_probe", contestant, "--seconds", str(options.seconds)]
        command += ["--spinners", str(options.spinners)]
        return run_module(command, time_limit=options.seconds + 30)

    records = tournament.hold(
        tournament.turns(["latency"], competing, options.rounds), measure, _progress
    )
    document = {
        "interpreter": interpreter(),
        "rounds": options.rounds,
        "seconds": options.seconds,
        "spinners": options.spinners,
        "skipped": skipped,
        "contestants": {name: _result(records["latency", name]) for name in competing},
    }
    report = render(document)
    if options.json:
        options.json.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    if options.markdown:
        options.markdown.write_text(report, encoding="utf-8")
    print(report)
    return 0


def render(document: dict[str, Any]) -> str:
    """The Markdown table, in microseconds."""
    tasks = "1 task spins" if document["spinners"] == 1 else f"{document['spinners']} tasks spin"
    lines = [
        f"# Latency while {tasks} on sleep(0): {document['interpreter']}",
        "",
        "Microseconds from the event to its callback. Late: on the wall clock; busy: CPU time that",
        "the loop's own thread spent meanwhile.",
        "",
        f"| | turns per ms | {' | '.join(heading for heading, _ in _COLUMNS)} |",
        f"| --- | {'---: | ' * len(_COLUMNS)}---: |",
    ]
    for name, result in document["contestants"].items():
        if result["status"] != "measured":
            lines.append(
                f"| {name} | {result['status']}: {result['detail']} {'| ' * len(_COLUMNS)}|"
            )
            continue
        cells = [f"{result['turns_per_ms']:.0f}", *(f"{result[each]:.0f}" for _, each in _COLUMNS)]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    if document["skipped"]:
        lines += ["", "Not measured:", ""]
        lines += [f"- {name}: {reason}" for name, reason in document["skipped"].items()]
    return "\n".join(lines) + "\n"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benches.latency", description=__doc__)
    parser.add_argument(
        "--contestant", nargs="+", action="extend", choices=CONTESTANTS, metavar="C"
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3.0, help="per measurement (3)")
    parser.add_argument("--spinners", type=int, default=1, help="tasks spinning on sleep(0) (1)")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--markdown", type=Path, metavar="FILE")
    return parser


def _progress(_: str, contestant: str, outcome: Outcome) -> None:
    print(f"{contestant}: {outcome.status} {outcome.detail}", file=sys.stderr, flush=True)


def _result(record: tournament.Record) -> dict[str, Any]:
    if record.failure is not None:
        return {"status": record.failure.status, "detail": record.failure.detail}
    return {"status": "measured"} | {
        name: _over_rounds(name, [sample[name] for sample in record.samples])
        for name in record.samples[0]
    }


def _over_rounds(name: str, values: list[float]) -> float:
    for word, combine in _OVER_ROUNDS.items():
        if word in name.split("_"):
            return combine(values)
    return statistics.median(values)


if __name__ == "__main__":
    sys.exit(main())
