"""The source distribution: maturin's, with the crates it needs inside, so that it builds offline.

Cargo vendors every crate that the lock names, also those of other systems and of tests, which it
has to find though it never compiles them: of these only the manifest is kept. The archive is
written anew, sorted, with one time and one owner for all files.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import shutil
import sys
import tarfile
from collections.abc import Iterable
from pathlib import Path

from ..versions import read
from .commands import run
from .dependencies import Crate, crates_of

FOLDER = "vendor"

_CONFIGURATION = f"""\
# The crates that Greenloop needs are in this source distribution: Cargo takes them from there.
[source.crates-io]
replace-with = "vendored-sources"

[source.vendored-sources]
directory = "{FOLDER}"
"""


def unpacked(root: Path, folder: Path, triples: Iterable[str], epoch: int) -> Path:
    """Make the tree of the source distribution in a folder, and return its root."""
    made = folder / "made"
    run(
        [sys.executable, "-m", "maturin", "sdist", "--out", str(made)],
        folder=root,
        environment={**os.environ, "SOURCE_DATE_EPOCH": str(epoch)},
    )
    (archive,) = made.glob("*.tar.gz")
    with tarfile.open(archive) as file:
        file.extractall(folder, filter="data")
    shutil.rmtree(made)
    (source,) = folder.iterdir()
    run(["cargo", "vendor", "--quiet", "--versioned-dirs", FOLDER], folder=source)
    (source / ".cargo").mkdir()
    (source / ".cargo/config.toml").write_text(_CONFIGURATION)
    empty_what_is_not_needed(source / FOLDER, crates_of(source, triples))
    return source


def empty_what_is_not_needed(vendor: Path, needed: Iterable[Crate]) -> None:
    """Leave of each vendored crate that is never compiled its manifest alone."""
    kept = {(crate.name, crate.version) for crate in needed}
    for folder in sorted(vendor.iterdir()):
        package = read(folder / "Cargo.toml")["package"]
        if (package["name"], package["version"]) not in kept:
            _empty(folder)


def _empty(folder: Path) -> None:
    manifest = (folder / "Cargo.toml").read_bytes()
    checksums = json.loads((folder / ".cargo-checksum.json").read_text())
    shutil.rmtree(folder)
    (folder / "src").mkdir(parents=True)
    # A crate without a target would not be read at all.
    (folder / "src/lib.rs").touch()
    (folder / "Cargo.toml").write_bytes(manifest)
    # The checksum of the package stays: the lock names it. That of the files is not asked for.
    text = json.dumps({"files": {}, "package": checksums["package"]})
    (folder / ".cargo-checksum.json").write_text(text)


def pack(source: Path, folder: Path, epoch: int) -> Path:
    """Write a tree as `NAME.tar.gz`, of which every byte follows from the tree and the time."""
    path = folder / f"{source.name}.tar.gz"
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for file in sorted(each for each in source.rglob("*") if each.is_file()):
            entry = tarfile.TarInfo(f"{source.name}/{file.relative_to(source).as_posix()}")
            entry.size = file.stat().st_size
            entry.mode = 0o755 if file.stat().st_mode & 0o100 else 0o644
            entry.mtime = epoch
            with open(file, "rb") as data:
                archive.addfile(entry, data)
    # The name would be that of the file, and the time that of the clock.
    with open(path, "wb") as packed, gzip.GzipFile("", "wb", 9, packed, epoch) as compressed:
        compressed.write(content.getvalue())
    return path
