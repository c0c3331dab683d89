"""`SHA256SUMS`: the checksums of all that is published, in the form that `sha256sum -c` reads."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

NAME = "SHA256SUMS"


def write(folder: Path) -> Path:
    """Write the checksums of the files in a folder, sorted by name."""
    path = folder / NAME
    path.write_text("".join(f"{_sum(file)}  {file.name}\n" for file in _files(folder)))
    return path


def refusals(folder: Path) -> Iterator[str]:
    """Yield the files that are not those that were listed, were not listed, or are gone."""
    lines = (folder / NAME).read_text().splitlines()
    written = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
    present = {file.name: _sum(file) for file in _files(folder)}
    for name in sorted(written.keys() | present.keys()):
        if name not in present:
            yield f"{name} is listed and not there"
        elif name not in written:
            yield f"{name} is there and not listed"
        elif written[name] != present[name]:
            yield f"{name} is not the file that was listed"


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_file() and path.name != NAME)


def _sum(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
