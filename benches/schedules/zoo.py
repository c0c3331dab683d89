"""The part `zoo`: which bugs does each tester find, and which correct programs does it blame?"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from typing import Any, Literal

from ..fresh_process import ROOT, Outcome, run_module
from ..tournament import turns

ZOO = ROOT / "tests" / "testing" / "zoo"

Kind = Literal["broken", "mended", "promise"]
"""A bug of the zoo, its mended twin, or a program that relies on what asyncio promises."""

TIME_LIMIT = 120.0
"""Seconds for one hunt, with all that the tester does when it has found something."""

FLAGS: dict[Kind, tuple[str, ...]] = {
    "broken": (),
    "mended": ("--mended",),
    "promise": ("--promise",),
}


def bugs() -> tuple[str, ...]:
    """The names of the bugs in the zoo."""
    sys.path.insert(0, str(ZOO.parent))
    try:
        names: tuple[str, ...] = importlib.import_module(ZOO.name).BUGS
    finally:
        sys.path.remove(str(ZOO.parent))
    return names


def measure(
    testers: Sequence[str], names: Sequence[str], runs: int, kind: Kind
) -> dict[str, dict[str, dict[str, Any]]]:
    """Hunts in each program with each tester in turn; the answer is by program and tester."""
    results: dict[str, dict[str, dict[str, Any]]] = {name: {} for name in names}
    for name, tester in turns(names, testers, 1):
        command = ["benches.schedules.hunt", tester, name, "--runs", str(runs)]
        outcome = run_module([*command, *FLAGS[kind]], TIME_LIMIT)
        results[name][tester] = _cell(outcome)
        print(f"{name} {tester}: {brief(results[name][tester])}", file=sys.stderr, flush=True)
    return results


def _cell(outcome: Outcome) -> dict[str, Any]:
    if outcome.status == "measured":
        return outcome.sample
    return {"found": False, "refused": False, "failure": f"{outcome.status}: {outcome.detail}"}


def brief(cell: dict[str, Any]) -> str:
    """A cell of the table."""
    if "failure" in cell:
        return str(cell["failure"]).partition(":")[0]
    if cell["refused"]:
        return "refused"
    figures = f"{cell['runs']} {'run' if cell['runs'] == 1 else 'runs'}, {cell['wall_s']:.2f} s"
    return figures if cell["found"] else f"no ({figures})"
