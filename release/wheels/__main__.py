"""The command: everything that is published, into one folder, ready to be looked at and sent."""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
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
    versions = options.python or pythons(ROOT)
    try:
        # Before all else: what cannot be done is said in the first minutes and not in the last.
        toolchains = {target.machine: toolchain_for(target, ROOT / "target") for target in targets}
        refused = _Build(options.out, toolchains).run(targets, versions, options.at_once)
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
    # Most of a build is one thread's work, which optimises the whole extension.
    cores = os.cpu_count() or 1
    parser.add_argument("--at-once", type=int, default=cores, help="machines built for at a time")
    return parser


class _Build:
    """A build into a folder, with what all its steps share."""

    def __init__(self, out: Path, toolchains: Mapping[str, Toolchain]) -> None:
        self._out = out.resolve()
        self._work = ROOT / "target/wheels"
        self._toolchains = toolchains
        self._epoch = _epoch()
        self._began = time.monotonic()

    def run(self, targets: Sequence[Target], versions: Sequence[str], at_once: int) -> list[str]:
        """Build everything, and return what the checks refuse."""
        for folder in (self._out, self._work):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
        self._say("the source distribution")
        triples = [target.triple for target in TARGETS.values()]
        source = sources.unpacked(ROOT, self._work / "source", triples, self._epoch)
        sources.pack(source, self._out, self._epoch)
        self._say("the bill of materials")
        material = self._bill(source, triples)
        with ThreadPoolExecutor(max(1, min(at_once, len(targets)))) as pool:
            # A machine has a folder of its own: Cargo lets one build at a time into one.
            builds = [
                pool.submit(self._wheels, source, target, versions, material) for target in targets
            ]
            refused = [refusal for build in builds for refusal in build.result()]
        sums.write(self._out)
        self._say(f"{self._out.name} is complete")
        return refused

    def _bill(self, source: Path, triples: Sequence[str]) -> Path:
        version = version_of(ROOT)
        path = self._out / f"greenloop-{version}.cdx.json"
        crates = crates_of(source, triples)
        bill.write(bill.document(version, crates, _tools(self._toolchains), self._epoch), path)
        return path

    def _wheels(
        self, source: Path, target: Target, versions: Sequence[str], material: Path
    ) -> list[str]:
        toolchain = self._toolchains[target.machine]
        self._say(f"wheels for {target.machine}, by rustc {toolchain.version}")
        folder = self._work / target.machine
        refused: list[str] = []
        for python in versions:
            wheel = building.wheel(source, target, toolchain, python, material, folder, self._epoch)
            stripping.strip(wheel)
            self._say(f"{wheel.name}, {wheel.stat().st_size / 1e6:.2f} MB")
            refused += symbols.refusals(wheel)
            shutil.move(wheel, self._out / wheel.name)
        return refused

    def _say(self, text: str) -> None:
        print(f"{time.monotonic() - self._began:5.0f} s  {text}", flush=True)


def _epoch() -> int:
    """Return the time that all files get: the last commit's, or the one that is asked for."""
    given = os.environ.get("SOURCE_DATE_EPOCH")
    return int(given or run(["git", "log", "-1", "--format=%ct"], folder=ROOT))


def _tools(toolchains: Mapping[str, Toolchain]) -> dict[str, str]:
    """Return what builds, with its version: other tools may make other bytes."""
    tools = {name: importlib.metadata.version(name) for name in ("maturin", "ziglang")}
    tools["rustc"] = ", ".join(sorted({each.version for each in toolchains.values()}))
    return tools


if __name__ == "__main__":
    sys.exit(main())
