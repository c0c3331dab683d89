"""Takes the sections for debuggers out of a wheel's extension, and leaves its table of symbols.

Rust's standard library brings 2 MB of such sections along. Zig's linker cannot strip them alone: it
takes the table of symbols as well, by which profilers name functions. What is taken out stands
behind everything that is loaded, so no address changes.
"""

from __future__ import annotations

import base64
import hashlib
import struct
import zipfile
from pathlib import Path

from .elf import SECTION, Elf

_DEBUG = ".debug_"
_START_OF_TABLE, _COUNT = 0x28, 0x3C
"""Where the header of an ELF file says where its table of sections is, and how long."""
_SYMBOL_SIZE, _SYMBOL_SECTION, _RESERVED = 24, 6, 0xFF00
_IS_LOADED = 2


def strip(wheel: Path) -> None:
    """Strip the extension of a wheel, and write the wheel anew with all else as it was."""
    with zipfile.ZipFile(wheel) as archive:
        entries = [(entry, archive.read(entry)) for entry in archive.infolist()]
    changed = {
        entry.filename: without_debugging(data)
        for entry, data in entries
        if entry.filename.endswith(".so")
    }
    with zipfile.ZipFile(wheel, "w") as archive:
        for entry, data in entries:
            if entry.filename.endswith(".dist-info/RECORD"):
                content = _recorded(data.decode(), changed).encode()
            else:
                content = changed.get(entry.filename, data)
            archive.writestr(entry, content, zipfile.ZIP_DEFLATED, compresslevel=9)


def _recorded(record: str, changed: dict[str, bytes]) -> str:
    """Return the list of a wheel's files with the checksums and sizes of those that changed."""
    lines = []
    for line in record.splitlines():
        name = line.split(",", maxsplit=1)[0]
        if name in changed:
            digest = hashlib.sha256(changed[name]).digest()
            checksum = base64.urlsafe_b64encode(digest).decode().rstrip("=")
            line = f"{name},sha256={checksum},{len(changed[name])}"
        lines.append(f"{line}\n")
    return "".join(lines)


def without_debugging(data: bytes) -> bytes:
    """Return an ELF file without its sections for debuggers."""
    sections = Elf(data).sections
    removed = {number for number, each in enumerate(sections) if each.name.startswith(_DEBUG)}
    if not removed:
        return data
    first = min(removed)
    if any(each.flags & _IS_LOADED for each in sections[first:]):
        raise ValueError("a section for debuggers stands before one that is loaded")
    number_of = {old: new for new, old in enumerate(set(range(len(sections))) - removed)}
    # What stands before is kept as it is, with all addresses and distances.
    kept = bytearray(data[: min(each.start for each in sections[first:])])
    headers = []
    for number in number_of:
        section = sections[number]
        header = list(section.header)
        header[6] = number_of[section.link]
        if number >= first:
            kept += bytes(-len(kept) % 16)
            header[4] = len(kept)
            kept += data[section.start : section.start + section.size]
        if section.is_symbols:
            _require_no_symbol_of(data, section.start, section.size, first)
        headers.append(SECTION.pack(*header))
    kept += bytes(-len(kept) % 16)
    struct.pack_into("<Q", kept, _START_OF_TABLE, len(kept))
    names = number_of[struct.unpack_from("<H", data, _COUNT + 2)[0]]
    struct.pack_into("<HH", kept, _COUNT, len(headers), names)
    return bytes(kept) + b"".join(headers)


def _require_no_symbol_of(data: bytes, start: int, size: int, first: int) -> None:
    """Raise if a symbol stands for a section whose number changes."""
    for place in range(start, start + size, _SYMBOL_SIZE):
        (number,) = struct.unpack_from("<H", data, place + _SYMBOL_SECTION)
        if first <= number < _RESERVED:
            raise ValueError("a symbol stands for a section behind those for debuggers")
