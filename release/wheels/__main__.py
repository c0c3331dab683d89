"""The command: everything that is published, into one folder, ready to be looked at and sent."""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from ..versions import version_of
from . import bill, building, sources, stripping, sums, symbols
from .commands import CommandError, run
from .dependencies import crates_of
from .targets import TARGETS, MissingError, Target, pythons
from .toolchain import Toolchain, toolchain_for

ROOT = Path(__file__).resolve().parents[2]


def main(arguments: Sequence[str] | None = None) -> int:
    """Build what the options say, and return 1 if something was missing, failed or was refused."""
    options = _parser().parse_args(arguments)
    targets = [TARGETS[machine] for machine in options.machine or TARGETS]
    work = ROOT / "target/wheels"
    try:
        # Before all else: what cannot be done is said in the first minutes and not in the last.
        toolchains = {target.machine: toolchain_for(target, ROOT / "target") for target in targets}
        refused = _make(options.out, work, targets, toolchains, options.python or pythons(ROOT))
    except (MissingError, CommandError) as error:
        print(error, file=sys.stderr)
        return 1
    for refusal in refused:
        print(f"refused: {refusal}", file=sys.stderr)
    return int(bool(refused))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m release.wheels", description=__doc__)
    parser.add_argument("--machine", action="append", choices=list(TARGETS), help="all by default")
    parser.add_argument("--python", action="append", help="such as 3.13; all supported by default")
    parser.add_argument("--out", type=Path, default=ROOT / "dist")
    return parser


def _make(
    out: Path,
    work: Path,
    targets: Sequence[Target],
    toolchains: dict[str, Toolchain],
    versions: Sequence[str],
) -> list[str]:
    """Build into an empty folder, and return what the checks refuse."""
    began = time.monotonic()

    def step(text: str) -> None:
        print(f"{time.monotonic() - began:5.0f} s  {text}", flush=True)

    epoch, version = _epoch(), version_of(ROOT)
    for folder in (out, work):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    step("the source distribution")
    triples = [target.triple for target in TARGETS.values()]
    source = sources.unpacked(ROOT, work / "source", triples, epoch)
    sources.pack(source, out, epoch)
    step("the bill of materials")
    material = out / f"greenloop-{version}.cdx.json"
    crates = crates_of(source, [target.triple for target in targets])
    bill.write(bill.document(version, crates, _tools(toolchains), epoch), material)
    refused: list[str] = []
    for target in targets:
        toolchain = toolchains[target.machine]
        step(f"wheels for {target.machine}, by rustc {toolchain.version}")
        folder = work / target.machine
        for python in versions:
            wheel = building.wheel(source, target, toolchain, python, material, folder, epoch)
            stripping.strip(wheel)
            step(f"{wheel.name}, {wheel.stat().st_size / 1e6:.2f} MB")
            refused += symbols.refusals(wheel)
            shutil.move(wheel, out / wheel.name)
    sums.write(out)
    step(f"{out.name} is complete")
    return refused


def _epoch() -> int:
    """Return the time that all files get: the last commit's, or the one that is asked for."""
    given = os.environ.get("SOURCE_DATE_EPOCH")
    return int(given or run(["git", "log", "-1", "--format=%ct"], folder=ROOT))


def _tools(toolchains: dict[str, Toolchain]) -> dict[str, str]:
    """Return what builds, with its version: other tools may make other bytes."""
    tools = {name: importlib.metadata.version(name) for name in ("maturin", "ziglang")}
    for machine, toolchain in toolchains.items():
        tools[f"rustc for {machine}"] = toolchain.version
    return tools


if __name__ == "__main__":
    sys.exit(main())
