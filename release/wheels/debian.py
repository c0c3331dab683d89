"""Debian's Rust compiler with a standard library for another machine, unpacked into a folder.

Nothing is installed, and nobody has to be root: apt downloads the packages with lists and a state
of its own and checks their signatures, and they are unpacked side by side. The compiler needs a
newer C library than the machine may have, so the dynamic loader of its folder starts it. What it
compiles is linked for the C library of the machine, and the extension for that of the tag.
"""

from __future__ import annotations

import os
import platform
import shutil
from pathlib import Path

from .commands import run
from .targets import MissingError, Target

SUITE = "testing"
"""Stable's compiler may be older than the oldest that Greenloop is built with."""
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_HOST = "x86_64-linux-gnu"

_APT = """\
APT::Architecture "amd64";
APT::Architectures {{ "amd64"; "{other}"; }};
APT::Install-Recommends "false";
APT::Sandbox::User "";
Acquire::Languages "none";
// A mirror of an earlier day is signed as well; only its promise of newness has run out.
Acquire::Check-Valid-Until "false";
Dir::State "{folder}/state";
Dir::State::status "{folder}/status";
Dir::Cache "{folder}/cache";
Dir::Etc::main "/dev/null";
Dir::Etc::parts "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::sourcelist "{folder}/sources.list";
"""

_LAUNCHER = """\
#!/bin/sh
# The compiler of this folder, with the dynamic loader and the libraries of this folder.
exec '{root}/usr/lib/{host}/ld-linux-x86-64.so.2' --library-path '{root}/usr/lib/{host}' \\
    --argv0 rustc '{root}/usr/bin/rustc' --sysroot '{root}/usr' "$@"
"""


def compiler_for(target: Target, cache: Path) -> Path:
    """Return a `rustc` that compiles for the machine, unpacked below a folder if it was not yet."""
    folder = cache / f"debian-rust-{target.debian}"
    launcher = folder / "rustc"
    if not launcher.exists():
        _require_this_machine()
        shutil.rmtree(folder, ignore_errors=True)
        _download(folder, target)
        for package in sorted(folder.rglob("*.deb")):
            run(["dpkg-deb", "--extract", str(package), str(folder / "root")])
            package.unlink()
        # The last step, so that what was interrupted is begun anew.
        launcher.write_text(_LAUNCHER.format(root=folder / "root", host=_HOST))
        launcher.chmod(0o755)
    return launcher


def _require_this_machine() -> None:
    if platform.machine() != "x86_64":
        raise MissingError("Debian's compiler is unpacked on x86-64 only")
    for program in ("apt-get", "dpkg-deb"):
        if shutil.which(program) is None:
            raise MissingError(f"{program}, which fetches Debian's compiler, was not found")
    if not KEYRING.exists():
        raise MissingError(f"{KEYRING} was not found; the package debian-archive-keyring has it")


def _download(folder: Path, target: Target) -> None:
    """Have apt fetch the compiler with all it runs on, and the library for the other machine."""
    for each in ("state/lists/partial", "cache/archives/partial", "root"):
        (folder / each).mkdir(parents=True)
    (folder / "status").touch()
    (folder / "apt.conf").write_text(_APT.format(folder=folder, other=target.debian))
    source = f"deb [signed-by={KEYRING}] {_mirror()} {SUITE} main\n"
    (folder / "sources.list").write_text(source)
    environment = {**os.environ, "APT_CONFIG": str(folder / "apt.conf")}
    library = "libstd-rust-dev"
    for command in (
        ["update", "--error-on=any"],
        ["install", "--yes", "--download-only", f"{library}:amd64"],
        # Their own dependencies are a C compiler and a second set of libraries, which nobody runs.
        ["download", "rustc:amd64", f"{library}:{target.debian}"],
    ):
        run(["apt-get", "--quiet", *command], folder=folder, environment=environment, seconds=900)


def _mirror() -> str:
    """Return the address from which this machine's apt takes Debian's packages."""
    listed = run(["apt-get", "indextargets", "--format", "$(REPO_URI)"]).splitlines()
    mirrors = sorted({line for line in listed if line.rstrip("/").endswith("/debian")})
    if not mirrors:
        raise MissingError("this machine's apt has no mirror of Debian among its sources")
    return mirrors[0]
