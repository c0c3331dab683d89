"""Which Rust compiles for a machine: the one on PATH, with a standard library for that machine.

The library is there, or rustup fetches it, or Debian has it. A library and its compiler have to be
of one build, so Debian's compiler comes with Debian's library.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from . import debian
from .commands import CommandError, run
from .targets import MissingError, Target

OLDEST_RUST = "1.85"


@dataclass(frozen=True)
class Toolchain:
    """A compiler, and the variables by which Cargo finds it."""

    version: str
    """What the compiler says of itself: its version and commit."""
    environment: Mapping[str, str] = field(default_factory=dict)


def toolchain_for(target: Target, cache: Path) -> Toolchain:
    """Return a compiler with the standard library for a machine, or raise MissingError."""
    for program in ("cargo", "rustc"):
        if shutil.which(program) is None:
            raise MissingError(
                f"{program} was not found: install Rust {OLDEST_RUST} or newer, see https://rustup.rs"
            )
    reasons = []
    ways: list[Callable[[], Toolchain]] = [
        lambda: _present(target),
        lambda: _from_rustup(target),
        lambda: _from_debian(target, cache),
    ]
    for way in ways:
        try:
            return way()
        except (MissingError, CommandError) as error:
            reasons.append(str(error).strip())
    raise MissingError(
        f"Rust's standard library for {target.triple} cannot be had here:\n"
        + "\n".join(f"- {reason}" for reason in reasons)
        + f"\nWhere it can, `rustup target add {target.triple}` is all it takes; without it,"
        " `make wheels MACHINES=...` leaves this machine out."
    )


def _present(target: Target) -> Toolchain:
    folder = run(["rustc", "--print", "target-libdir", "--target", target.triple]).strip()
    if not any(Path(folder).glob("libstd-*.rlib")):
        raise MissingError(f"the compiler on PATH has none in {folder}")
    return Toolchain(_version(["rustc", "-vV"]))


def _from_rustup(target: Target) -> Toolchain:
    if shutil.which("rustup") is None:
        raise MissingError("rustup, which fetches it, was not found")
    run(["rustup", "target", "add", target.triple], seconds=600)
    return _present(target)


def _from_debian(target: Target, cache: Path) -> Toolchain:
    compiler = debian.compiler_for(target, cache)
    return Toolchain(_version([str(compiler), "-vV"]), {"RUSTC": str(compiler)})


def _version(command: list[str]) -> str:
    said = dict(line.partition(": ")[::2] for line in run(command).splitlines())
    return f"{said['release']} ({said['commit-hash'][:9]})"
