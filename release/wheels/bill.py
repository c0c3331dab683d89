"""The bill of materials: which crates are in the extension and built it, in CycloneDX's JSON.

maturin could write one into each wheel, but names crates by the folder that it was built in, and
counts those of other systems. This one has the same bytes on any machine.
"""

from __future__ import annotations

import datetime
import importlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .dependencies import EXTENSION, Crate

SPECIFICATION = "1.6"


def document(
    version: str, crates: Sequence[Crate], tools: Mapping[str, str], epoch: int
) -> dict[str, Any]:
    """Return the bill of a release: what is in it, and the tools that built it."""
    package = f"pkg:pypi/greenloop@{version}"
    (extension,) = (crate.key for crate in crates if crate.name == EXTENSION)
    time = datetime.datetime.fromtimestamp(epoch, datetime.UTC)
    return {
        "bomFormat": "CycloneDX",
        "specVersion": SPECIFICATION,
        "version": 1,
        "metadata": {
            "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "tools": {
                "components": [
                    {"type": "application", "name": name, "version": tool}
                    for name, tool in sorted(tools.items())
                ]
            },
            "component": {
                "type": "library",
                "bom-ref": package,
                "name": "greenloop",
                "version": version,
                "purl": package,
                "licenses": [{"expression": "MIT"}],
            },
        },
        "components": [_component(crate) for crate in crates],
        "dependencies": [
            {"ref": package, "dependsOn": [extension]},
            *({"ref": crate.key, "dependsOn": list(crate.needs)} for crate in crates),
        ],
    }


def _component(crate: Crate) -> dict[str, Any]:
    found: dict[str, Any] = {
        "type": "library",
        "bom-ref": crate.key,
        "name": crate.name,
        "version": crate.version,
        # "Excluded" is CycloneDX's word for what is not in the product: it ran to build it.
        "scope": "required" if crate.linked else "excluded",
    }
    if crate.description:
        found["description"] = crate.description.strip()
    if crate.licence:
        # The slash is an older form of "or", which a licence expression does not have.
        found["licenses"] = [{"expression": crate.licence.replace("/", " OR ")}]
    if crate.checksum:
        found["hashes"] = [{"alg": "SHA-256", "content": crate.checksum}]
        # Crates of ours are in no registry under this name.
        found["purl"] = crate.key
    if crate.repository:
        found["externalReferences"] = [{"type": "vcs", "url": crate.repository}]
    return found


def write(document: Mapping[str, Any], path: Path) -> None:
    """Write a bill, and raise if CycloneDX's own library does not find it well-formed."""
    text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    # By name, for type checkers run where the library is not installed.
    schema = importlib.import_module("cyclonedx.schema").SchemaVersion.from_version(SPECIFICATION)
    validation = importlib.import_module("cyclonedx.validation.json")
    error = validation.JsonStrictValidator(schema).validate_str(text)
    if error is not None:
        raise ValueError(f"the bill of materials is not CycloneDX {SPECIFICATION}: {error}")
    path.write_text(text, encoding="utf-8")
