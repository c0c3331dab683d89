"""Shows the signatures that stubs declare, with their types, for what is written in Rust.

Native functions know their parameters, but no types. Our stub declares what asyncio does not have;
the rest is declared by asyncio's own stubs, which mypy brings along. Docstrings are turned into
what Sphinx reads: in plain text a star or a line of dashes means nothing.
"""

from __future__ import annotations

import ast
import importlib.util
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

_STUB = Path(__file__).resolve().parents[2] / "python/greenloop/_native.pyi"
_OF_ASYNCIO = (
    "../_asyncio", "events", "futures", "locks", "mixins", "queues", "streams", "subprocess",
    "taskgroups", "tasks", "timeouts",
)  # fmt: skip
# Aliases of the stubs, as a reader knows them.
_SHORT = {
    "_Coroutine": "Coroutine",
    "_CoroutineLike": "Coroutine",
    "_Context": "Context | None",
    "_Callee": "Callable",
    "_FutureLike": "Awaitable",
    "_AwaitableLike": "Awaitable",
}
# Where a method is declared that a class does not declare itself.
_BELOW = {
    "BoundedSemaphore": ("Semaphore",),
    "LifoQueue": ("Queue",),
    "PriorityQueue": ("Queue",),
    "Task": ("Future",),
    "TimerHandle": ("Handle",),
    "EventLoop": ("AbstractEventLoop",),
}


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect with Sphinx."""
    app.connect("autodoc-process-signature", _show)
    app.connect("autodoc-process-docstring", _clean)
    app.connect("autodoc-skip-member", _skip)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


_Function = ast.FunctionDef | ast.AsyncFunctionDef


def _declarations(body: list[ast.stmt], owner: str = "") -> Iterator[tuple[str, _Function]]:
    for node in body:
        if isinstance(node, ast.If):
            holds = eval(ast.unparse(node.test), {"sys": sys})
            yield from _declarations(node.body if holds else node.orelse, owner)
        elif isinstance(node, ast.ClassDef):
            yield from _declarations(node.body, f"{node.name}.")
        elif isinstance(node, _Function) and not _is_overload(node):
            yield owner + node.name, node


def _is_overload(node: _Function) -> bool:
    # Of a function with several signatures the one that it shows itself is clearer.
    return any(getattr(each, "id", "") == "overload" for each in node.decorator_list)


def _declared() -> dict[str, _Function]:
    mypy = importlib.util.find_spec("mypy")
    if mypy is None or mypy.origin is None:
        raise ImportError("mypy is absent, whose stubs of asyncio tell the types")
    asyncio = Path(mypy.origin).parent / "typeshed/stdlib/asyncio"
    files = [*(asyncio / f"{name}.pyi" for name in _OF_ASYNCIO), _STUB]
    found = {}
    for file in files:
        found.update(_declarations(ast.parse(file.read_text(encoding="utf-8")).body))
    return found


_DECLARED = _declared()


def _show(
    _app: Sphinx, kind: str, name: str, value: Any, _options: Any, *signature: str | None
) -> tuple[str | None, str | None] | None:
    # What is written in Python has its own annotations.
    is_python = (getattr(value, "__module__", None) or "").startswith("greenloop.")
    if is_python or kind not in ("class", "function", "method"):
        return None
    name = name.removeprefix("greenloop.").removeprefix("_native.")
    if kind == "class":
        name = f"{name}.__init__"
    owner, _, method = name.rpartition(".")
    bases = (owner, *_BELOW.get(owner, ()))
    node = next(
        (_DECLARED[n] for n in (f"{b}.{method}" if b else method for b in bases) if n in _DECLARED),
        None,
    )
    if node is None:
        return None
    arguments = node.args
    if "." in name or kind == "class":
        arguments.posonlyargs = [one for one in arguments.posonlyargs if one.arg != "self"]
        arguments.args = [one for one in arguments.args if one.arg != "self"]
    returned = ast.unparse(node.returns) if node.returns and kind != "class" else None
    return f"({_readable(ast.unparse(arguments))})", returned and _readable(returned)


def _readable(text: str) -> str:
    for alias, meaning in _SHORT.items():
        text = re.sub(rf"\b{alias}\b", meaning, text)
    text = re.sub(r"\b_([A-Z]\w*)\b", r"\1", text)
    # Sphinx says `async` already.
    return re.sub(r"\ACoroutine\[(.*)\]\Z", r"\1", text)


def _clean(
    _app: Sphinx, _kind: str, name: str, _value: Any, _options: Any, lines: list[str]
) -> None:
    """Make of a docstring's text what Sphinx reads as that text."""
    cleaned = []
    for line in lines:
        if re.fullmatch(r"\s*[-=~]{3,}\s*", line):
            continue
        line = re.sub(r"(?<![\w`])(\*{1,2})(?=\w)", lambda stars: "\\*" * len(stars[1]), line)
        line = re.sub(r"`([^`]+)`(?!`)", r"``\1``", line.replace("``", "`"))
        line = re.sub(r"\b(\w+)_(?=[\s.,:;)])", r"\1\\_", line)
        cleaned.append(line)
    lines[:] = cleaned


def _skip(
    _app: Sphinx, _kind: str, name: str, value: Any, skip: bool, _options: Any
) -> bool | None:
    # What a class of the package has from asyncio is asyncio's to document.
    return True if name.startswith("_") else None
