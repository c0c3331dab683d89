"""Which crates the extension is made of, on the machines that wheels are built for.

Cargo's lock names more: crates for tests, for benchmarks and for other systems. They are told apart
by walking the graph that `cargo metadata` prints from the extension's crate downwards.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..versions import read
from .commands import run

EXTENSION = "greenloop-python"


@dataclass(frozen=True)
class Crate:
    """A crate that takes part in building the extension."""

    name: str
    version: str
    licence: str | None
    description: str | None
    repository: str | None
    checksum: str | None
    """The SHA-256 of the file in Cargo's registry; a crate of ours has none."""
    linked: bool
    """Whether its code is in the extension. If not, it ran while that was built."""
    needs: tuple[str, ...]
    """The keys of the crates that it depends on, sorted."""

    @property
    def key(self) -> str:
        """The crate's package URL, which is its name in a bill of materials."""
        return f"pkg:cargo/{self.name}@{self.version}"


def crates_of(source: Path, triples: Iterable[str]) -> list[Crate]:
    """Return the crates of a source tree's extension on all the machines, sorted by their keys."""
    checksums = {
        (package["name"], package["version"]): package.get("checksum")
        for package in read(source / "Cargo.lock")["package"]
    }
    packages: dict[str, Any] = {}
    needs: dict[str, set[str]] = {}
    linked: set[str] = set()
    for triple in triples:
        graph = _graph(source, triple)
        packages |= {package["id"]: package for package in graph["packages"]}
        nodes = {node["id"]: node for node in graph["resolve"]["nodes"]}
        (start,) = (each["id"] for each in packages.values() if each["name"] == EXTENSION)
        for identity, edges in _reached(nodes, start, {None, "build"}).items():
            needs.setdefault(identity, set()).update(edges)
        run_time = _reached(nodes, start, {None}, skip=_macros(packages))
        linked |= set(run_time)
    key = {identity: _key(package) for identity, package in packages.items()}
    found = [
        Crate(
            name=packages[identity]["name"],
            version=packages[identity]["version"],
            licence=packages[identity]["license"],
            description=packages[identity]["description"],
            repository=packages[identity]["repository"],
            checksum=checksums[packages[identity]["name"], packages[identity]["version"]],
            linked=identity in linked,
            needs=tuple(sorted(key[each] for each in edges)),
        )
        for identity, edges in needs.items()
    ]
    return sorted(found, key=lambda crate: crate.key)


def _graph(source: Path, triple: str) -> Any:
    command = ["cargo", "metadata", "--format-version", "1", "--locked"]
    return json.loads(run([*command, "--filter-platform", triple], folder=source))


def _key(package: Any) -> str:
    return f"pkg:cargo/{package['name']}@{package['version']}"


def _macros(packages: dict[str, Any]) -> set[str]:
    """Return the crates that are loaded by the compiler, and not linked."""
    return {
        identity
        for identity, package in packages.items()
        if any("proc-macro" in target["kind"] for target in package["targets"])
    }


def _reached(
    nodes: dict[str, Any], start: str, kinds: set[str | None], skip: Iterable[str] = ()
) -> dict[str, set[str]]:
    """Return what is reached over dependencies of these kinds, each with what it depends on."""
    left_out = set(skip)
    found: dict[str, set[str]] = {}
    waiting = [start]
    while waiting:
        identity = waiting.pop()
        if identity in found:
            continue
        found[identity] = {
            dependency["pkg"]
            for dependency in nodes[identity]["deps"]
            if any(kind["kind"] in kinds for kind in dependency["dep_kinds"])
        } - left_out
        waiting.extend(found[identity])
    return found
