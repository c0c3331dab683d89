"""The command: runs the checks that are named, or all, and ends with 1 if one refuses."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from . import advisories, changelog, documents, interface, licences, stubs, versions

CHECKS: dict[str, Callable[[Path], Iterator[str]]] = {
    "versions": versions.refusals,
    "changelog": changelog.refusals,
    "documents": documents.refusals,
    "licences": licences.refusals,
    "advisories": advisories.refusals,
    "stubs": stubs.refusals,
    "interface": interface.refusals,
}


def main(arguments: list[str] | None = None) -> int:
    """Print a line for each check, and its refusals."""
    parser = argparse.ArgumentParser(prog="python -m release", description=__doc__)
    parser.add_argument("check", nargs="*", choices=[[], *CHECKS], help="all, if none is named")
    parser.add_argument("--root", type=Path, default=Path(__file__).resolve().parents[1])
    options = parser.parse_args(arguments)
    refused = False
    for name in options.check or CHECKS:
        found = list(CHECKS[name](options.root))
        print(f"{name}: {'refused' if found else 'fine'}", flush=True)
        for refusal in found:
            print(f"  {refusal}")
        refused |= bool(found)
    return int(refused)


if __name__ == "__main__":
    sys.exit(main())
