"""Reads of an ELF file what its dynamic linker will ask for: libraries, and versions of symbols.

The format is that of the System V ABI, with the sections for symbol versions of the Linux Standard
Base. Only 64-bit little-endian files are read, which is what wheels are built for.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
SECTION = struct.Struct("<IIQQQQIIQQ")
_DYNAMIC = struct.Struct("<qQ")
_NEEDED_FILE = struct.Struct("<HHIII")
_NEEDED_VERSION = struct.Struct("<IHHII")

_IDENTITY = b"\x7fELF\x02\x01"
_SYMBOLS, _DYNAMIC_ENTRIES, _VERSIONS_NEEDED = 2, 6, 0x6FFFFFFE
_LIBRARY, _PATH_OF_OLD, _PATH = 1, 15, 29


class NotElfError(ValueError):
    """The bytes are no 64-bit little-endian ELF file."""


@dataclass(frozen=True)
class Section:
    """A part of the file."""

    name: str
    header: tuple[int, ...]
    """Its entry in the table of sections."""

    @property
    def kind(self) -> int:
        """What it contains."""
        return self.header[1]

    @property
    def flags(self) -> int:
        """What is done with it when the file is loaded."""
        return self.header[2]

    @property
    def start(self) -> int:
        """Its place in the file."""
        return self.header[4]

    @property
    def size(self) -> int:
        """Its length in bytes."""
        return self.header[5]

    @property
    def link(self) -> int:
        """The number of the section that has this one's names."""
        return self.header[6]

    @property
    def is_symbols(self) -> bool:
        """Whether it is the table of symbols that nobody links to."""
        return self.kind == _SYMBOLS


class Elf:
    """An ELF file in memory."""

    def __init__(self, data: bytes) -> None:
        if not data.startswith(_IDENTITY) or len(data) < _HEADER.size:
            raise NotElfError("not a 64-bit little-endian ELF file")
        self._data = data
        header = _HEADER.unpack_from(data)
        self.machine: int = header[2]
        start, size, count, names = header[6], header[11], header[12], header[13]
        raw = [SECTION.unpack_from(data, start + number * size) for number in range(count)]
        self.sections = [Section(self._text(raw[names][4] + each[0]), each) for each in raw]

    @property
    def libraries(self) -> list[str]:
        """The libraries that are loaded with it."""
        return [text for kind, text in self._dynamic() if kind == _LIBRARY]

    @property
    def search_paths(self) -> list[str]:
        """The folders that it wants to be searched for them."""
        return [text for kind, text in self._dynamic() if kind in (_PATH_OF_OLD, _PATH)]

    @property
    def versions(self) -> set[tuple[str, str]]:
        """The versions of symbols that it asks for, each with the library that shall have it."""
        found = set()
        for section in self._of_kind(_VERSIONS_NEEDED):
            names = self.sections[section.link].start
            place = section.start
            while True:
                _, count, file, first, following = _NEEDED_FILE.unpack_from(self._data, place)
                entry = place + first
                for _ in range(count):
                    _, _, _, name, after = _NEEDED_VERSION.unpack_from(self._data, entry)
                    found.add((self._text(names + file), self._text(names + name)))
                    entry += after
                if not following:
                    break
                place += following
        return found

    @property
    def has_symbols(self) -> bool:
        """Whether functions have names for profilers, also those that nobody links to."""
        return any(self._of_kind(_SYMBOLS))

    def _dynamic(self) -> Iterator[tuple[int, str]]:
        for section in self._of_kind(_DYNAMIC_ENTRIES):
            names = self.sections[section.link].start
            for place in range(section.start, section.start + section.size, _DYNAMIC.size):
                kind, value = _DYNAMIC.unpack_from(self._data, place)
                if kind in (_LIBRARY, _PATH_OF_OLD, _PATH):
                    yield kind, self._text(names + value)

    def _of_kind(self, kind: int) -> Iterator[Section]:
        return (section for section in self.sections if section.kind == kind)

    def _text(self, place: int) -> str:
        return self._data[place : self._data.index(b"\0", place)].decode()
