"""A wheel asks for nothing that the oldest system of its tag does not have.

This reads the extension itself. maturin has looked at it as well, but with the same eyes as it was
built with.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

from .elf import Elf, NotElfError
from .targets import NEWEST_GLIBC, TARGETS

LARGEST = 2_000_000
"""A wheel of more bytes has something in it that nobody meant to ship."""

_LIBRARIES = {
    "libc.so.6",
    "libdl.so.2",
    "libgcc_s.so.1",
    "libm.so.6",
    "libpthread.so.0",
    "librt.so.1",
    "ld-linux-x86-64.so.2",
    "ld-linux-aarch64.so.1",
}
"""Those of the policy's libraries that Rust's standard library may use."""
_NEWEST_LIBGCC = (4, 8)
"""What the policy's system has of the library that unwinds the stack."""

_NAME = re.compile(r"greenloop-[^-]+-(cp\d+)-\1-manylinux2014_(?P<machine>\w+?)\.manylinux_2_17_")


def refusals(wheel: Path) -> Iterator[str]:
    """Yield what a wheel has that its tag forbids."""
    named = _NAME.match(wheel.name)
    if named is None or named["machine"] not in TARGETS:
        yield f"{wheel.name}: the name has no tag that wheels are built for"
        return
    if wheel.stat().st_size > LARGEST:
        yield f"{wheel.name}: {wheel.stat().st_size} bytes, more than {LARGEST}"
    with zipfile.ZipFile(wheel) as archive:
        extensions = [name for name in archive.namelist() if name.endswith(".so")]
        if len(extensions) != 1:
            yield f"{wheel.name}: {len(extensions)} extensions, and not one"
        for name in extensions:
            for refusal in of_extension(archive.read(name), named["machine"]):
                yield f"{wheel.name}: {name} {refusal}"


def of_extension(data: bytes, machine: str) -> Iterator[str]:
    """Yield what an extension for a machine asks for in vain on the oldest system, or lacks."""
    try:
        elf = Elf(data)
    except NotElfError as error:
        yield str(error)
        return
    if elf.machine != TARGETS[machine].elf_machine:
        yield f"is for the machine {elf.machine}, and not for {machine}"
    for library in sorted(set(elf.libraries) - _LIBRARIES):
        yield f"needs {library}, which the tag does not promise"
    for path in elf.search_paths:
        yield f"searches for libraries in {path}"
    for library, version in sorted(elf.versions):
        if not _is_old_enough(version):
            yield f"needs {version} of {library}, which is newer than the tag"
    if not elf.has_symbols:
        yield "has no table of symbols, by which profilers name functions"


def _is_old_enough(version: str) -> bool:
    name, _, number = version.partition("_")
    if not re.fullmatch(r"\d+(\.\d+)*", number):
        return False
    numbers = tuple(map(int, number.split(".")))
    newest = {"GLIBC": NEWEST_GLIBC, "GCC": _NEWEST_LIBGCC}.get(name)
    return newest is not None and numbers <= newest
