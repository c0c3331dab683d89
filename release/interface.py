"""The public items of the crates are those that are listed, and only minor versions change these.

The lists in `tests/public_api` are compared with the sources by a test of Cargo's, and with those
of the last tag here: before 1.0.0 a patch version must not change them.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

from .versions import version_of

LISTS = "tests/public_api"
_SHOWN, _MOST = 10, 4000
"""How many items of a list are shown, and how many characters of what Cargo says."""


def refusals(root: Path, lists: Path | None = None) -> Iterator[str]:
    """Yield what is public and not listed, or listed and not public, and what changed too early.

    `lists` is a folder with other lists than those of the sources, to compare the sources with.
    """
    yield from _since_the_last_tag(root)
    command = ["cargo", "test", "--quiet", "--locked", "--package", "greenloop-public-api"]
    environment = dict(os.environ, GREENLOOP_PUBLIC_ITEMS=str(lists or root / LISTS))
    result = subprocess.run(
        command, cwd=root, env=environment, capture_output=True, text=True, check=False
    )
    if result.returncode != 0:
        yield (
            "the public items are not those that are listed; if that is meant,"
            " `UPDATE_SNAPSHOTS=yes cargo test --package greenloop-public-api` renews the lists:\n"
            f"{(result.stdout + result.stderr)[-_MOST:]}"
        )


def _since_the_last_tag(root: Path) -> Iterator[str]:
    tag = _git(root, "describe", "--tags", "--abbrev=0", "--match", "v*")
    if tag is None:
        return
    now, before = version_of(root), tag.strip().removeprefix("v")
    for path in sorted((root / LISTS).glob("greenloop*.txt")):
        name = f"{LISTS}/{path.name}"
        old = set((_git(root, "show", f"{tag.strip()}:{name}") or "").splitlines())
        new = set(path.read_text(encoding="utf-8").splitlines())
        changed = [f"- {item}" for item in old - new] + [f"+ {item}" for item in new - old]
        if changed and not is_minor_step(before, now):
            shown = "\n".join(sorted(changed)[:_SHOWN])
            yield f"{name} changed since {before}, which {now} must not do:\n{shown}"


def is_minor_step(before: str, now: str) -> bool:
    """Return whether a version may change what an earlier one promised."""
    old, new = (tuple(map(int, re.findall(r"\d+", each)[:3])) for each in (before, now))
    promised = 1 if old[0] else 2
    return new[:promised] > old[:promised]


def _git(root: Path, *arguments: str) -> str | None:
    command = ["git", "-C", str(root), *arguments]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    return result.stdout if result.returncode == 0 else None
