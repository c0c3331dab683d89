"""Lets pages link to files of the repository that are no pages: sources and the documents beside.

In a page such a link is a relative path, which a forge follows. The site is another folder, so the
link there goes to the forge, whose address stands in `pyproject.toml`. A file that does not exist
is a warning, and so an error.
"""

from __future__ import annotations

import tomllib
from pathlib import Path

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx

_ROOT = Path(__file__).resolve().parents[2]


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect with Sphinx."""
    app.connect("doctree-read", _to_the_forge)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _to_the_forge(app: Sphinx, doctree: nodes.document) -> None:
    page = Path(app.env.doc2path(app.env.docname))
    # The parser takes a link to a file that is no page for a download, and one to a document in
    # another folder for a page that is missing.
    for node in list(doctree.findall(addnodes.download_reference)):
        _replace(node, _found(page, node["reftarget"]))
    for node in list(doctree.findall(addnodes.pending_xref)):
        if node.get("refdomain") == "doc" and node["reftarget"] not in app.env.found_docs:
            _replace(node, _found(page, f"{node['reftarget']}.md"))


def _found(page: Path, target: str) -> Path | None:
    path = (page.parent / target).resolve()
    return path if path.exists() and path.is_relative_to(_ROOT) else None


def _replace(node: nodes.Element, path: Path | None) -> None:
    if path is not None:
        link = nodes.reference("", "", *node.children, refuri=_address(path), internal=False)
        node.replace_self(link)


def _address(path: Path) -> str:
    with open(_ROOT / "pyproject.toml", "rb") as file:
        forge = tomllib.load(file)["project"]["urls"]["Source"]
    kind = "tree" if path.is_dir() else "blob"
    return f"{forge}/{kind}/main/{path.relative_to(_ROOT)}"
