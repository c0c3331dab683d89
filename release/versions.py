"""One version: the workspace's, which every crate takes, and with which all else agrees."""

from __future__ import annotations

import importlib.metadata
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def read(path: Path) -> dict[str, Any]:
    """Return what a file of TOML says."""
    with open(path, "rb") as file:
        return tomllib.load(file)


def version_of(root: Path) -> str:
    """Return the version of the tree."""
    return str(read(root / "Cargo.toml")["workspace"]["package"]["version"])


def refusals(root: Path) -> Iterator[str]:
    """Yield what disagrees with the workspace's version."""
    workspace = read(root / "Cargo.toml")["workspace"]
    version = version_of(root)
    for name, dependency in workspace["dependencies"].items():
        if "path" in dependency and dependency["version"] != version:
            yield f"Cargo.toml: {name} is wanted in {dependency['version']}, and is {version}"
    members = set()
    for member in workspace["members"]:
        package = read(root / member / "Cargo.toml")["package"]
        members.add(package["name"])
        if package["version"] != {"workspace": True}:
            yield f"{member}/Cargo.toml: its version is not the workspace's"
    for package in read(root / "Cargo.lock")["package"]:
        if package["name"] in members and package["version"] != version:
            yield f"Cargo.lock: {package['name']} is {package['version']}, and not {version}"
    project = read(root / "pyproject.toml")["project"]
    if "version" in project or "version" not in project.get("dynamic", ()):
        yield "pyproject.toml: the version has to be dynamic, from Cargo.toml"
    installed = importlib.metadata.version("greenloop")
    if installed != version:
        yield f"the installed package is {installed}, and not {version}: `make build`"
