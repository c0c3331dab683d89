"""Writing a trace into a file, in the form that the file's name asks for."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Final

from greenloop.tracing import html, json_lines, perfetto
from greenloop.tracing.document import Trace
from greenloop.tracing.mermaid import mermaid
from greenloop.tracing.sequence import sequence
from greenloop.tracing.svg import svg
from greenloop.tracing.text import text


def write(trace: Trace, path: str | os.PathLike[str]) -> None:
    """Write a trace into a file; the end of its name says in which form.

    `.html` is the viewer, one file that needs nothing else; `.json` is for Perfetto and Chrome's
    tracing; `.mmd`, `.svg` and `.txt` are the sequence diagram; `.jsonl` is the events as JSON
    lines; `.trace` is the document of `docs/trace-format.md`.

    Raises:
        ValueError: The name has another end.
        OSError: The file cannot be written.
    """
    writer = form_of(path)
    writer(trace, os.fspath(path))


def form_of(path: str | os.PathLike[str]) -> Callable[[Trace, str], None]:
    """Return the function that writes a trace in the form that the name asks for.

    Raises:
        ValueError: The end of the name stands for no form.
    """
    ending = os.path.splitext(os.fspath(path))[1].lower()
    if ending not in _FORMS:
        known = ", ".join(_FORMS)
        raise ValueError(f"{os.fspath(path)!r} names no form of a trace: its end has to be {known}")
    return _FORMS[ending]


def _write_text(path: str, text: str) -> None:
    with open(path, "w", encoding="utf-8", errors="backslashreplace") as file:
        file.write(text)


def _write_json_lines(trace: Trace, path: str) -> None:
    with open(path, "w", encoding="utf-8", errors="surrogatepass") as file:
        json_lines.write(trace, file)


def _write_perfetto(trace: Trace, path: str) -> None:
    with open(path, "w", encoding="utf-8") as file:
        perfetto.write(trace, file)


_FORMS: Final[dict[str, Callable[[Trace, str], None]]] = {
    ".html": html.write_html,
    ".json": _write_perfetto,
    ".jsonl": _write_json_lines,
    ".mmd": lambda trace, path: _write_text(path, mermaid(sequence(trace))),
    ".svg": lambda trace, path: _write_text(path, svg(sequence(trace))),
    ".txt": lambda trace, path: _write_text(path, f"{text(sequence(trace))}\n"),
    ".trace": lambda trace, path: trace.save(path),
}
