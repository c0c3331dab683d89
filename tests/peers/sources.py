"""Fetches the suites: source distributions, downloaded by pip and unpacked into the cache."""

import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

from .suites import CACHE, Suite

# The name under which a suite's folder keeps the sources of the package.
PACKAGE = "package"


def fetch(suite: Suite) -> Path:
    """The folder of the suite's unpacked source distribution."""
    unpacked = CACHE / "sources" / f"{suite.name}-{suite.version}"
    if not unpacked.exists():
        archive = _download(suite)
        # Under a name of its own until it is whole, since the name says that it is.
        partial = unpacked.with_suffix(".partial")
        shutil.rmtree(partial, ignore_errors=True)
        with tarfile.open(archive) as tar:
            tar.extractall(partial, filter="data")
        (top,) = partial.iterdir()
        package = top / suite.name
        if package.exists():
            # Out of the way of the installed one, or of what stands in for it.
            package.rename(top / PACKAGE)
        top.rename(unpacked)
        partial.rmdir()
    return unpacked


def _download(suite: Suite) -> Path:
    folder = CACHE / "downloads" / f"{suite.name}-{suite.version}"
    if not list(folder.glob("*.tar.gz")):
        print(f"Downloading the source distribution of {suite.name} {suite.version}", flush=True)
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        command += ["--no-binary", suite.name, "--dest", str(folder), suite.source or suite.package]
        subprocess.run(command, check=True)
    (archive,) = folder.glob("*.tar.gz")
    return archive
