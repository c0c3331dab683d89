"""The names that headers and documents put in backticks, and whether anything is called so.

A name is known if a file of the repository has it outside of its comments, or a file or folder is
called so, or Python has it: a module of the standard library that asyncio's users meet, or an
attribute of one. What belongs to the system or to other projects is listed in `FOREIGN`.
"""

from __future__ import annotations

import builtins
import functools
import importlib
import keyword
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

from .rust import ROOT

STANDARD = (
    "asyncio asyncio.base_events asyncio.base_futures asyncio.base_subprocess asyncio.base_tasks"
    " asyncio.constants asyncio.coroutines asyncio.events asyncio.exceptions asyncio.format_helpers"
    " asyncio.futures asyncio.locks asyncio.log asyncio.proactor_events asyncio.protocols"
    " asyncio.queues asyncio.runners asyncio.selector_events asyncio.sslproto asyncio.staggered"
    " asyncio.streams asyncio.subprocess asyncio.taskgroups asyncio.tasks asyncio.threads"
    " asyncio.timeouts asyncio.transports asyncio.trsock asyncio.unix_events"
    " builtins collections collections.abc concurrent.futures contextlib contextvars copy errno gc"
    " inspect logging multiprocessing os pickle select selectors signal site socket ssl subprocess"
    " sys threading time traceback types typing unittest.mock warnings weakref"
).split()

_SPAN = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
_FENCE = re.compile(r"^([ \t]*(?://[/!] ?)?)```.*?^\1```", re.MULTILINE | re.DOTALL)
_NAME = re.compile(r"[A-Za-z_]\w*(?:(?:\.|::)\w+)*(?:\(\))?!?")
_WORD = re.compile(r"[A-Za-z_]\w*")


_NOT_OURS = {"target", "dist", "__pycache__"}
"""Folders with what is built. So are those whose name begins with a dot, but for `.ci`."""


@functools.cache
def _files() -> tuple[Path, ...]:
    """The files of the repository, by their paths from its root.

    They are those that git tracks; without git, all that are there.
    """
    try:
        listed = subprocess.run(
            ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        found = []
        for folder, folders, names in os.walk(ROOT):
            folders[:] = [
                each
                for each in folders
                if each not in _NOT_OURS and (each == ".ci" or not each.startswith("."))
            ]
            found += [Path(folder, name).relative_to(ROOT) for name in names]
        return tuple(sorted(found))
    return tuple(Path(line) for line in listed.stdout.splitlines() if (ROOT / line).is_file())


def tracked(*patterns: str) -> list[Path]:
    """Files whose names match one of the patterns, all without any."""
    return [path for path in _files() if any(map(path.match, patterns or ("*",)))]


def headers() -> Iterator[tuple[Path, str]]:
    """The `//!` comments of Rust files and the docstrings of Python files, and whole documents."""
    for path in tracked("*.rs"):
        lines = (ROOT / path).read_text(encoding="utf-8").splitlines()
        yield path, "\n".join(line for line in lines if line.lstrip().startswith("//!"))
    for path in tracked("*.py"):
        match = re.match(r'r?"""(.*?)"""', (ROOT / path).read_text(encoding="utf-8"), re.DOTALL)
        yield path, match[1] if match else ""
    for path in tracked("*.md"):
        yield path, (ROOT / path).read_text(encoding="utf-8")


def unknown_names() -> dict[str, set[str]]:
    """The names that nothing has, with the files that speak of them."""
    found: dict[str, set[str]] = {}
    known = _known()
    for path, text in headers():
        for match in _SPAN.finditer(_FENCE.sub("", text)):
            name = match[1]
            if not _NAME.fullmatch(name):
                continue
            if not set(_WORD.findall(name)) <= known:
                found.setdefault(name, set()).add(str(path))
    return found


@functools.cache
def _known() -> frozenset[str]:
    words = set(keyword.kwlist) | set(dir(builtins))
    for path in tracked():
        words.update(_WORD.findall(" ".join(path.parts)))
        if path.suffix in (".rs", ".py", ".pyi", ".toml") or path.name == "Makefile":
            text = (ROOT / path).read_text(encoding="utf-8")
            words.update(_WORD.findall(_without_comments(path, text)))
    for name in STANDARD:
        module = importlib.import_module(name)
        words.update(_WORD.findall(name))
        for attribute in dir(module):
            words.add(attribute)
            words.update(dir(getattr(module, attribute)))
    return frozenset(words)


def _without_comments(path: Path, text: str) -> str:
    if path.suffix == ".rs":
        # Literals stay: they hold the names of Python's attributes.
        return re.sub(r"(?m)^\s*//.*$", "", text)
    if path.suffix == ".py":
        # A name is not known because the list of foreign names spells it out.
        text = re.sub(r"(?ms)^FOREIGN = \{.*?^\}", "FOREIGN", text)
        return re.sub(r'(?ms)^\s*#.*?$|^\s*r?""".*?"""', "", text)
    return text
