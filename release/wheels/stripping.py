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
from collections.abc import Iterator, Mapping
from pathlib import Path

from .elf import SECTION, Elf

_DEBUG = ".debug_"
_START_OF_TABLE, _COUNT = 0x28, 0x3C
"""Where the header of an ELF file says where its table of sections is, and how long."""
_START, _SIZE, _LINK, _LOCALS = 4, 5, 6, 7
"""The places of these in a section's entry of that table."""
_SYMBOL = struct.Struct("<IBBHQQ")
_RESERVED = 0xFF00
"""From here on the number of a symbol's section is none, but says that it has no section."""
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
        header[_LINK] = number_of[section.link]
        if number >= first:
            content = data[section.start : section.start + section.size]
            if section.is_symbols:
                symbols = list(_symbols(content, number_of))
                content = b"".join(symbols)
                # What went was local, and so is counted there.
                header[_LOCALS] -= section.size // _SYMBOL.size - len(symbols)
            kept += bytes(-len(kept) % 16)
            header[_START], header[_SIZE] = len(kept), len(content)
            kept += content
        headers.append(SECTION.pack(*header))
    kept += bytes(-len(kept) % 16)
    struct.pack_into("<Q", kept, _START_OF_TABLE, len(kept))
    names = number_of[struct.unpack_from("<H", data, _COUNT + 2)[0]]
    struct.pack_into("<HH", kept, _COUNT, len(headers), names)
    return bytes(kept) + b"".join(headers)


def _symbols(table: bytes, number_of: Mapping[int, int]) -> Iterator[bytes]:
    """Yield the symbols but those for sections that went, on aarch64 marks of where data begins."""
    for symbol in _SYMBOL.iter_unpack(table):
        name, kind, other, number, value, size = symbol
        if number in number_of or number >= _RESERVED:
            number = number_of.get(number, number)
            yield _SYMBOL.pack(name, kind, other, number, value, size)
        elif kind >> 4:
            raise ValueError("a symbol of a section for debuggers is not local")
