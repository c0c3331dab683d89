"""Builds the wheels of one machine from the unpacked source distribution, with maturin and zig.

Zig links for any machine and against any glibc, so no container and no old system is needed, and
maturin knows how each Python was configured, so neither is any interpreter.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from .commands import run
from .targets import POLICY, Target
from .toolchain import Toolchain

PROFILE = "wheel"
"""The profile of Cargo's that is in `Cargo.toml`."""

_OWN = ("CARGO_", "PYO3_", "MATURIN_", "RUST")
"""Variables that begin so would change what is built."""
_KEPT = ("CARGO_HOME", "CARGO_NET_", "CARGO_HTTP_", "RUSTUP_")


def environment_for(
    toolchain: Toolchain, source: Path, build: Path, epoch: int, given: Mapping[str, str]
) -> dict[str, str]:
    """Return the variables of a build, in which nothing is left that could change its outcome."""
    environment = {
        name: value
        for name, value in given.items()
        if name.startswith(_KEPT) or not name.startswith(_OWN)
    }
    # Panics and debuggers name files: by their place in the source distribution, on any machine.
    remapped = [f"--remap-path-prefix={source}={source.name}"]
    remapped += [f"--remap-path-prefix={build}=target"]
    return environment | {
        "CARGO_ENCODED_RUSTFLAGS": "\x1f".join(remapped),
        "CARGO_INCREMENTAL": "0",
        "CARGO_TARGET_DIR": str(build),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{given.get('PATH', '')}",
        "SOURCE_DATE_EPOCH": str(epoch),
        **toolchain.environment,
    }


def wheel(
    source: Path,
    target: Target,
    toolchain: Toolchain,
    python: str,
    material: Path,
    build: Path,
    epoch: int,
) -> Path:
    """Build the wheel for a version of Python, with the bill of materials in it; return its path.

    Cargo compares the times of files, and those of a source distribution never change: the caller
    gives a folder in which nothing was built of other sources.
    """
    made = build / f"wheel-{python}"
    command = [sys.executable, "-m", "maturin", "build", "--quiet", "--profile", PROFILE]
    command += ["--zig", "--compatibility", POLICY, "--target", target.triple]
    command += ["--locked", "--offline", "--sbom-include", str(material)]
    command += ["--interpreter", f"python{python}", "--out", str(made)]
    environment = environment_for(toolchain, source, build, epoch, os.environ)
    run(command, folder=source, environment=environment)
    (path,) = made.glob("*.whl")
    return path
