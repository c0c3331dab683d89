"""The result of a run as a JSON document: medians, rounds and ratios, cell by cell.

    {"format": 1, "interpreter": ..., "machine": ..., "rounds": N, "quick": false,
     "baseline": "uvloop" or null,
     "contestants": {NAME: {"version": ...}},
     "skipped": {NAME of a contestant or workload: reason},
     "workloads": {NAME: {"title": ..., "operation": ..., "metric": "cpu_ns" | "resident_bytes",
       "results": {CONTESTANT: {"status": "measured",
                                METRIC: {"median": ..., "rounds": [...], "ratio": ... or null}}
                              | {"status": "failed" | "crashed" | "hung", "detail": ...}}}}}

A measured `cpu` workload has two metrics, `cpu_ns` and `wall_ns`; `metric` names the one to judge
by. A ratio is the baseline's median divided by the contestant's: above 1 is cheaper than it.
"""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from .contestants import Contestant, interpreter
from .tournament import Cell, Record
from .workloads.definition import Workload

FORMAT = 1


def build(
    records: Mapping[Cell, Record],
    workloads: Sequence[Workload],
    contestants: Sequence[Contestant],
    *,
    rounds: int,
    quick: bool,
    baseline: str | None,
    skipped: Mapping[str, str],
) -> dict[str, Any]:
    """The document of one run; `skipped` maps names to reasons."""
    return {
        "format": FORMAT,
        "interpreter": interpreter(),
        "machine": f"{platform.system()} {platform.release()} {platform.machine()}, "
        f"{os.cpu_count()} processors",
        "rounds": rounds,
        "quick": quick,
        "baseline": baseline,
        "contestants": {each.name: {"version": each.version()} for each in contestants},
        "skipped": dict(skipped),
        "workloads": {
            workload.name: {
                "title": workload.title,
                "operation": workload.operation,
                "metric": "resident_bytes" if workload.measure == "memory" else "cpu_ns",
                "results": _results(
                    {
                        each.name: records[workload.name, each.name]
                        for each in contestants
                        if (workload.name, each.name) in records
                    },
                    baseline,
                ),
            }
            for workload in workloads
        },
    }


def _results(records: Mapping[str, Record], baseline: str | None) -> dict[str, Any]:
    results = {name: _result(record) for name, record in records.items()}
    reference = results.get(baseline, {}) if baseline is not None else {}
    for result in results.values():
        for metric, figures in result.items():
            if isinstance(figures, dict):
                figures["ratio"] = _ratio(reference.get(metric), figures)
    return results


def _result(record: Record) -> dict[str, Any]:
    if record.failure is not None:
        detail = record.failure.detail
        if record.samples:
            detail += f" (after {len(record.samples)} good rounds)"
        return {"status": record.failure.status, "detail": detail}
    return {"status": "measured"} | {
        metric: _figures([sample[metric] for sample in record.samples])
        for metric in record.samples[0]
    }


def _figures(rounds: list[float]) -> dict[str, Any]:
    return {
        "median": round(statistics.median(rounds), 1),
        "rounds": [round(value, 1) for value in rounds],
        "ratio": None,
    }


def _ratio(reference: dict[str, Any] | None, figures: dict[str, Any]) -> float | None:
    # A resident set may not have grown at all in a tiny run; that has no ratio.
    if reference is None or figures["median"] <= 0:
        return None
    ratio: float = reference["median"] / figures["median"]
    return round(ratio, 3)
