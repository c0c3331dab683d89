"""A trace as one HTML file, which shows it in a browser: nothing is loaded from anywhere else.

The page's parts are in the folder `viewer`: a template, a style sheet, and modules of plain
JavaScript. Here they become one text. Modules are put one after the other, each behind those that
it imports; each is a function that returns what it exports, so its other names are its own.
The events stay columns, deflated and in base64; the browser unpacks them by itself.
"""

from __future__ import annotations

import base64
import html
import json
import os
import re
import zlib
from collections.abc import Iterable, Iterator
from importlib import resources
from typing import Any

from greenloop.tracing.document import BYTES_PER_EVENT, Trace
from greenloop.tracing.folding import Repeat
from greenloop.tracing.sequence import Crowd, Diagram, Drawn, sequence

MOST_ROWS = 1500
"""A page scrolls, so its sequence diagram may be longer than one that is printed."""

_STYLES = ("style.css", "pages.css")
_LEVEL = 6
"""How hard zlib tries. Beyond it a page becomes a few percent smaller in twice the time."""

_IMPORT = re.compile(r'^import \{(?P<names>[^}]*)\} from "\./(?P<file>\w+\.js)";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?:async )?(?:function|class|const) (\w+)", re.MULTILINE)
_PLACE = re.compile(r"\{\{(\w+)\}\}")


def to_html(trace: Trace, diagram: Diagram | None = None) -> str:
    """Return the page that shows a trace.

    Args:
        trace: The recording.
        diagram: Its sequence diagram, if it is already there.
    """
    if diagram is None:
        diagram = sequence(trace, MOST_ROWS)
    parts = {
        "title": html.escape(_title(trace)),
        "style": "\n".join(map(_file, _STYLES)),
        "head": _json(trace.head_as_json()),
        "diagram": _json(diagram_as_json(diagram)),
        "events": base64.b64encode(zlib.compress(_columns(trace), _LEVEL)).decode(),
        "script": bundle("main.js"),
    }
    # Each place of the template once: a text that is put in may look like a place.
    return _PLACE.sub(lambda place: parts[place[1]], _file("index.html"))


def write_html(trace: Trace, path: str | os.PathLike[str]) -> None:
    """Write the page that shows a trace into a file.

    Raises:
        OSError: The file cannot be written.
    """
    with open(path, "w", encoding="utf-8", errors="surrogatepass") as file:
        file.write(to_html(trace))


def bundle(main: str) -> str:
    """Return a module of the viewer and all that it imports as one script.

    Raises:
        ValueError: Modules import each other in a circle, or one is written in a way that would
            need a real bundler.
    """
    script = "\n".join(["const modules = {};", *_modules(main, set(), ())])
    if "</script" in script:
        raise ValueError("a module of the viewer has the end of a script in it")
    return script


def diagram_as_json(diagram: Diagram) -> dict[str, Any]:
    """Return a sequence diagram as the viewer reads it."""
    return {
        "lifelines": [
            {"label": each.name, "tasks": list(each.tasks)} for each in diagram.lifelines
        ],
        "rows": [_row(each) for each in diagram.rows],
    }


def _row(row: Drawn) -> dict[str, Any]:
    if isinstance(row, Repeat):
        return {"repeat": row.count, "rows": _rows(row.body)}
    if isinstance(row, Crowd):
        return {"crowd": row.count, "rows": _rows(row.rows)}
    return {
        "sort": row.thing.sort.name.lower(),
        "from": row.thing.source,
        "to": row.thing.target,
        "text": row.thing.text,
        "note": row.thing.is_note,
        "start": row.start,
        "end": row.end,
        "shortest": row.shortest,
        "longest": row.longest,
        "count": row.count,
    }


def _rows(rows: Iterable[Drawn]) -> list[dict[str, Any]]:
    return [_row(each) for each in rows]


def _modules(name: str, done: set[str], users: tuple[str, ...]) -> Iterator[str]:
    """Yield the modules that a module imports, each as a function, and then the module itself."""
    if name in users:
        raise ValueError(f"modules import each other: {', '.join((*users, name))}")
    if name in done:
        return
    text = _file(name)
    for match in _IMPORT.finditer(text):
        yield from _modules(match["file"], done, (*users, name))
    done.add(name)
    exports = ", ".join(_EXPORT.findall(text))
    body = _IMPORT.sub(r'const {\g<names>} = modules["\g<file>"];\n', text)
    body = re.sub(r"^export ", "", body, flags=re.MULTILINE)
    if re.search(r"^import |^const \{[^}]* as ", body, re.MULTILINE):
        raise ValueError(f"{name} has an import that is not understood")
    yield f'modules["{name}"] = (() => {{\n{body}\nreturn {{ {exports} }};\n}})();\n'


def _columns(trace: Trace) -> memoryview:
    """Return the columns as they are in a document, at whose end they stand."""
    document = memoryview(trace.to_bytes())
    return document[len(document) - len(trace) * BYTES_PER_EVENT :]


def _file(name: str) -> str:
    return resources.files(__package__).joinpath("viewer", name).read_text(encoding="utf-8")


def _json(value: Any) -> str:
    """JSON for the inside of a script element, which must not contain the element's end."""
    return json.dumps(value, separators=(",", ":")).replace("<", "\\u003c")


def _title(trace: Trace) -> str:
    program = " ".join(trace.process.argv) or "trace"
    return f"{program} · Greenloop"
