"""The numbers of a report as metrics, and these in the text format of Prometheus, version 0.0.4.

https://prometheus.io/docs/instrumenting/exposition_formats/ defines the format. Names follow
https://prometheus.io/docs/practices/naming/: units are seconds, and what only grows ends in
`_total`. No label has as many values as there are tasks.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from greenloop.monitoring.report import Loop, Report

_NOT_IN_NAMES: Final = re.compile(r"[^a-zA-Z0-9_]+")
_LEFT_OUT: Final = "tasks_left_out"
_NO_COUNTERS: Final = ("tasks", _LEFT_OUT)
"""Numbers of a report that may become less."""

_STATES: Final = ("running", "ready", "waiting")

Sample = tuple[Mapping[str, str], float]


@dataclass(frozen=True, slots=True)
class Family:
    """A metric: what it means and its values, by their labels."""

    name: str
    type: str
    """`counter`, `gauge` or `summary`."""
    help: str
    samples: list[Sample]
    more: tuple[tuple[str, list[Sample]], ...] = ()
    """Of a summary: the ends of the names of its other values, with these."""


def metrics(report: Report) -> Iterator[str]:
    """Iterate over the lines that `metrics` prints, without their line ends.

    Args:
        report: What the process has answered.
    """
    for family in families(report):
        yield f"# HELP {family.name} {_escaped(family.help)}"
        yield f"# TYPE {family.name} {family.type}"
        for ending, samples in (("", family.samples), *family.more):
            for labels, value in samples:
                yield f"{family.name}{ending}{_in_braces(labels)} {_number(value)}"


def families(report: Report) -> list[Family]:
    """Return the metrics of a report, those without a value included."""
    program = " ".join(report.program)
    versions = {"greenloop": report.greenloop, "python": report.python, "program": program}
    found = [
        Family("greenloop_info", "gauge", "The program and its versions.", [(versions, 1)]),
        Family("greenloop_tasks", "gauge", "Tasks that have not ended, by state.", _tasks(report)),
        Family(
            "greenloop_tasks_waiting",
            "gauge",
            "Tasks that wait, by the kind of wait.",
            [({"kind": kind}, value) for kind, value in _kinds(report)],
        ),
        Family(
            "greenloop_current_deadlocks",
            "gauge",
            "Deadlocks that there are now.",
            [({}, len(report.deadlocks))],
        ),
        Family(
            "greenloop_current_stalls",
            "gauge",
            "Steps that keep a loop from running anything else now.",
            [({}, sum(not stall.over for stall in report.stalls))],
        ),
        Family(
            "greenloop_report_age_seconds",
            "gauge",
            "How old these numbers are: above 0 if the process could not be looked at.",
            [({}, (report.stale.age or 0.0) if report.stale is not None else 0.0)],
        ),
        *_of_loops(report.loops),
    ]
    if (left_out := report.counters.get(_LEFT_OUT)) is not None:
        found.append(
            Family(
                "greenloop_tasks_left_out",
                "gauge",
                "Tasks that were too many to be looked at, and are counted nowhere else.",
                [({}, left_out)],
            )
        )
    if report.watched_for is not None:
        found.append(
            Family(
                "greenloop_watched_seconds",
                "gauge",
                "How long the process has watched itself.",
                [({}, report.watched_for)],
            )
        )
    return [*found, *_counters(report.counters, {family.name for family in found})]


def _tasks(report: Report) -> list[Sample]:
    found = Counter(task.state if task.state in _STATES else "other" for task in report.tasks)
    return [({"state": state}, found[state]) for state in (*_STATES, "other")]


def _kinds(report: Report) -> list[tuple[str, int]]:
    found = Counter(task.wait.kind or "unknown" for task in report.tasks if task.wait is not None)
    return sorted(found.items())


def _of_loops(loops: Iterable[Loop]) -> Iterator[Family]:
    # A number that two loops claim would be a value that is given twice.
    known = {str(loop.id): loop for loop in loops}
    numbers: list[tuple[str, str, str, dict[str, float]]] = [
        (
            "ready",
            "gauge",
            "Jobs that wait for their turn.",
            {name: loop.ready for name, loop in known.items()},
        ),
        ("timers", "gauge", "Timers.", {name: loop.timers for name, loop in known.items()}),
        (
            "descriptors",
            "gauge",
            "Descriptors that are watched.",
            {name: loop.descriptors for name, loop in known.items()},
        ),
        (
            "steps_total",
            "counter",
            "Steps of tasks that were run.",
            {name: loop.steps for name, loop in known.items()},
        ),
        (
            "lag_max_seconds",
            "gauge",
            "The longest time between two polls.",
            {name: loop.lag.max for name, loop in known.items() if loop.lag.max is not None},
        ),
    ]
    for name, kind, help_, values in numbers:
        samples: list[Sample] = [({"loop": loop}, value) for loop, value in values.items()]
        yield Family(f"greenloop_loop_{name}", kind, help_, samples)
    quantiles: list[Sample] = [
        ({"loop": name, "quantile": quantile}, value)
        for name, loop in known.items()
        for quantile, value in (("0.5", loop.lag.p50), ("0.99", loop.lag.p99))
        if value is not None
    ]
    counts: list[Sample] = [({"loop": name}, loop.lag.count) for name, loop in known.items()]
    yield Family(
        "greenloop_loop_lag_seconds",
        "summary",
        "Times between two polls, for which input is left waiting.",
        quantiles,
        (("_count", counts),),
    )


def _counters(counters: Mapping[str, float], taken: set[str]) -> Iterator[Family]:
    """Iterate over what the process counts, except for names that mean something else already."""
    for counter, value in sorted(counters.items()):
        words = _NOT_IN_NAMES.sub("_", counter).strip("_").removesuffix("_total")
        name = f"greenloop_{words}_total"
        if words and name not in taken and counter not in _NO_COUNTERS:
            taken.add(name)
            spoken = counter.replace("_", " ")
            yield Family(name, "counter", f"Counted by the process: {spoken}.", [({}, value)])


def _in_braces(labels: Mapping[str, str]) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_quoted(value)}"' for name, value in labels.items()) + "}"


def _quoted(value: str) -> str:
    return _escaped(value).replace('"', '\\"')


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n")


def _number(value: float) -> str:
    return str(int(value)) if float(value).is_integer() and abs(value) < 1e15 else repr(value)
