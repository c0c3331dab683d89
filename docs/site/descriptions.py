"""Gives each page a description, for search engines and for previews of links.

It is what the page's front matter says, or else the page's first paragraph. A page without either
is a warning, and so an error.
"""

from __future__ import annotations

import html
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util import logging

_LONGEST = 200
_OF_SPHINX = {"genindex", "search", "py-modindex"}

_logger = logging.getLogger(__name__)


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect with Sphinx."""
    app.connect("html-page-context", _describe)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _describe(
    app: Sphinx, page: str, _template: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    if page in _OF_SPHINX or doctree is None:
        return
    text = app.env.metadata[page].get("description") or _first_paragraph(doctree)
    if not text:
        _logger.warning("the page has no description", location=page)
        return
    context["metatags"] = (
        context.get("metatags", "")
        + f'<meta name="description" content="{html.escape(text, quote=True)}">\n'
    )


def _first_paragraph(doctree: nodes.document) -> str:
    for paragraph in doctree.findall(nodes.paragraph):
        text = " ".join(paragraph.astext().split())
        return text if len(text) <= _LONGEST else text[: _LONGEST - 1].rpartition(" ")[0] + "…"
    return ""
