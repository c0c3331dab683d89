"""What pip calls to build Greenloop from its sources: maturin, if there are compilers.

maturin alone would download a Rust compiler unasked, and end in a page of errors where there is no
C compiler to link with. The usual case is a machine without a wheel: one line says what to do.
"""

from __future__ import annotations

import importlib
import shutil
from collections.abc import Callable
from typing import Any

_maturin: Any = importlib.import_module("maturin")

# The hooks of PEP 517 and PEP 660 by which pip has something built.
build_editable = _maturin.build_editable
build_sdist = _maturin.build_sdist
build_wheel = _maturin.build_wheel
get_requires_for_build_sdist = _maturin.get_requires_for_build_sdist
prepare_metadata_for_build_editable = _maturin.prepare_metadata_for_build_editable
prepare_metadata_for_build_wheel = _maturin.prepare_metadata_for_build_wheel

_COMPILERS = ("cc", "gcc", "clang")

ADVICE = (
    "Greenloop is built from source here and lacks {missing}. Wheels, which need neither, are for"
    " CPython 3.11 to 3.15 on Linux with glibc 2.17 or newer, x86-64 and aarch64; a newer pip may"
    " find one. Otherwise install Rust (https://rustup.rs) and a C compiler, and try again."
)


def get_requires_for_build_wheel(settings: dict[str, Any] | None = None) -> list[str]:
    """Return what else building needs, or end with a line that says what is missing."""
    lacking = missing(shutil.which)
    if lacking:
        raise SystemExit(ADVICE.format(missing=" and ".join(lacking)))
    return list(_maturin.get_requires_for_build_wheel(settings))


get_requires_for_build_editable = get_requires_for_build_wheel


def missing(which: Callable[[str], str | None]) -> list[str]:
    """Return what a build needs and a search for programs does not find."""
    found = []
    if which("cargo") is None:
        found.append("Rust")
    if not any(map(which, _COMPILERS)):
        found.append("a C compiler")
    return found
