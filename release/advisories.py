"""No dependency has a known hole, as far as `cargo deny` can tell.

The database of advisories is on the network. Where the command or the network is absent, the check
says that it did not look, and does not refuse: the workflow of a release has both.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path


def refusals(root: Path) -> Iterator[str]:
    """Yield what the database says of the dependencies."""
    if shutil.which("cargo-deny") is None:
        if "CI" in os.environ and "GITHUB_ACTIONS" in os.environ:
            yield "cargo-deny is not installed: cargo install --locked cargo-deny"
        else:
            print("advisories: not looked up, since cargo-deny is not installed")
        return
    for checks in (["bans", "sources"], ["advisories"]):
        command = ["cargo", "deny", "check", *checks]
        result = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
        if result.returncode == 0:
            continue
        if "failed to fetch advisory database" in result.stderr:
            print("advisories: not looked up, since the database cannot be reached")
        else:
            yield f"cargo deny refuses:\n{result.stderr}"
