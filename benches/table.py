"""The document of a run as Markdown tables: CPU, wall and memory, then what did not measure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .contestants import OURS, no_rival

_SECTIONS = (
    ("cpu_ns", "CPU, ns per operation"),
    ("wall_ns", "Wall, ns per operation"),
    ("resident_bytes", "Memory, resident bytes per object"),
)


def render(document: dict[str, Any]) -> str:
    """The whole report, ending in a newline."""
    return "\n".join(_lines(document)) + "\n"


def _lines(document: dict[str, Any]) -> Iterator[str]:
    yield f"# Benchmarks: {document['interpreter']}"
    yield ""
    rounds = document["rounds"]
    how = f"medians of {rounds} interleaved round{'s' if rounds != 1 else ''}"
    yield f"{document['machine']}; {how}, a fresh process each."
    if document["quick"]:
        yield "A quick run, a tenth of the operations: it shows that things work, not how fast."
    if document["baseline"]:
        yield f"In brackets: how many times cheaper than {document['baseline']}."
    yield ""
    for metric, heading in _SECTIONS:
        yield from _section(document, metric, heading)
    yield from _unmeasured(document)


def _section(document: dict[str, Any], metric: str, heading: str) -> Iterator[str]:
    names = list(document["contestants"])
    rows = [workload for workload in document["workloads"].values() if _belongs(workload, metric)]
    if not rows:
        return
    versus_best = OURS in names and not all(map(no_rival, names))
    header = [heading, *(_labelled(document, name) for name in names)]
    if versus_best:
        header.append(f"{OURS} against the best rival")
    yield _row(header)
    yield _row(["---", *["---:"] * (len(header) - 1)])
    for workload in rows:
        results = workload["results"]
        cells = [_cell(results.get(name), metric) for name in names]
        if versus_best:
            cells.append(_against_best(results, metric))
        yield _row([workload["title"], *cells])
    yield ""


def _belongs(workload: dict[str, Any], metric: str) -> bool:
    """Wall time stands beside CPU time; every other metric has its own workloads."""
    metric_to_judge_by: str = workload["metric"]
    return metric_to_judge_by == ("cpu_ns" if metric == "wall_ns" else metric)


def _labelled(document: dict[str, Any], name: str) -> str:
    return f"{name} {document['contestants'][name]['version']}"


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(result: dict[str, Any] | None, metric: str) -> str:
    if result is None:
        return ""
    if result["status"] != "measured":
        return str(result["status"])
    figures = result[metric]
    text = f"{figures['median']:.0f}"
    return text if figures["ratio"] is None else f"{text} ({figures['ratio']:.2f}×)"


def _against_best(results: dict[str, Any], metric: str) -> str:
    medians = {
        name: result[metric]["median"]
        for name, result in results.items()
        if result["status"] == "measured"
    }
    rivals = {name: median for name, median in medians.items() if not no_rival(name)}
    if OURS not in medians or not rivals or medians[OURS] <= 0:
        return ""
    best = min(rivals, key=rivals.__getitem__)
    return f"{rivals[best] / medians[OURS]:.2f}× ({best})"


def _unmeasured(document: dict[str, Any]) -> Iterator[str]:
    notes = [
        f"- {workload['title']} on {name}: {result['status']}: {result['detail']}"
        for workload in document["workloads"].values()
        for name, result in workload["results"].items()
        if result["status"] != "measured"
    ]
    notes += [f"- {name}: {reason}" for name, reason in document["skipped"].items()]
    if notes:
        yield "Not measured:"
        yield ""
        yield from notes
        yield ""
