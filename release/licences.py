"""Every dependency of the workspace has a licence that `deny.toml` allows.

Cargo tells the licences, as SPDX expressions. `cargo deny check licenses` says the same with more
detail, where it is installed; this needs nothing but Cargo.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .versions import read

_TOKEN = re.compile(r"\(|\)|[^\s()]+")


def refusals(root: Path) -> Iterator[str]:
    """Yield the packages whose licence is not allowed."""
    allowed = set(read(root / "deny.toml")["licenses"]["allow"])
    for package in packages(root):
        expression = package["license"]
        if expression is None:
            yield f"{package['name']} {package['version']} names no licence"
        elif not is_allowed(expression, allowed):
            yield f"{package['name']} {package['version']} is under {expression}"


def packages(root: Path) -> list[dict[str, Any]]:
    """Return the packages of the workspace and all that they depend on, as Cargo describes them."""
    command = ["cargo", "metadata", "--format-version", "1", "--locked"]
    result = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise RuntimeError(f"cargo metadata failed:\n{result.stderr}")
    found: list[dict[str, Any]] = json.loads(result.stdout)["packages"]
    return found


def is_allowed(expression: str, allowed: set[str]) -> bool:
    """Return whether one of the choices that an SPDX expression leaves is allowed altogether."""
    # An older form of "or", which crates still use.
    tokens = _TOKEN.findall(expression.replace("/", " OR "))
    outcome = _either(tokens, allowed)
    if tokens:
        raise ValueError(f"not a licence expression: {expression}")
    return outcome


def _either(tokens: list[str], allowed: set[str]) -> bool:
    outcome = _both(tokens, allowed)
    while tokens[:1] == ["OR"]:
        tokens.pop(0)
        # No short cut: the other side has to be read as well.
        outcome = _both(tokens, allowed) or outcome
    return outcome


def _both(tokens: list[str], allowed: set[str]) -> bool:
    outcome = _one(tokens, allowed)
    while tokens[:1] == ["AND"]:
        tokens.pop(0)
        outcome = _one(tokens, allowed) and outcome
    return outcome


def _one(tokens: list[str], allowed: set[str]) -> bool:
    token = tokens.pop(0) if tokens else ""
    if token == "(":
        outcome = _either(tokens, allowed)
        if tokens[:1] != [")"]:
            raise ValueError("a bracket of a licence expression is not closed")
        tokens.pop(0)
        return outcome
    if tokens[:1] == ["WITH"]:
        token = f"{token} WITH {tokens[1]}"
        del tokens[:2]
    return token in allowed
