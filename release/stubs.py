"""The stub of the tree agrees with the extension that is installed.

The package of the tree is laid beside the installed extension, and mypy's stubtest compares the
two. So a stub that was forgotten is found, and one that ran ahead of the build as well.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path


def refusals(root: Path) -> Iterator[str]:
    """Yield what stubtest says."""
    extension = find_spec("greenloop._native")
    if extension is None or extension.origin is None:
        yield "greenloop is not installed: `make build`"
        return
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(root / "python/greenloop", Path(folder, "greenloop"))
        shutil.copy(extension.origin, Path(folder, "greenloop"))
        command = [sys.executable, "-m", "mypy.stubtest", "greenloop"]
        command += ["--mypy-config-file", str(root / "pyproject.toml")]
        command += ["--allowlist", str(root / "tests/surface/stubtest_allowlist.txt")]
        result = subprocess.run(
            command,
            # Not where a folder is called `greenloop`: importing our `__main__` would run it.
            cwd=root,
            env={**os.environ, "PYTHONPATH": folder, "MYPYPATH": folder},
            capture_output=True,
            text=True,
            check=False,
        )
    if result.returncode != 0:
        yield f"the stub does not agree with the extension:\n{result.stdout}{result.stderr}"
