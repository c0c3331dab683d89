"""What stands in a page of the built site: its links, the places that links lead to, its head."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path


class SitePage(HTMLParser):
    """One page: `links` to pages and files, the `ids` in it, its `title` and `description`."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.ids: set[str] = set()
        self.title = ""
        self.description = ""
        self._in_title = False
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attributes}
        self.ids.update(values[name] for name in ("id", "name") if name in values)
        self.links += [values[name] for name in ("href", "src") if name in values]
        if tag == "title" and not self.title:
            self._in_title = True
        if tag == "meta" and values.get("name") == "description":
            self.description = values["content"]

    def handle_endtag(self, tag: str) -> None:
        if tag == "title":
            self._in_title = False

    def handle_data(self, data: str) -> None:
        if self._in_title:
            self.title += data


def pages_of(site: Path) -> dict[Path, SitePage]:
    """All pages of a site, by their paths."""
    return {path: SitePage(path) for path in sorted(site.rglob("*.html"))}


def broken_links(site: Path) -> list[str]:
    """The links that lead to no page, no file, or no place in a page."""
    pages = pages_of(site)
    broken = []
    for path, page in pages.items():
        for link in page.links:
            target, _, place = link.partition("#")
            if "://" in target or target.startswith(("mailto:", "data:")):
                continue
            found = (path.parent / target.partition("?")[0]).resolve() if target else path
            if found.is_dir():
                found /= "index.html"
            if not found.exists():
                broken.append(f"{path.relative_to(site)}: {link}")
            elif place and found in pages and place not in pages[found].ids:
                broken.append(f"{path.relative_to(site)}: {link}")
    return broken


def foreign_sources(site: Path) -> set[str]:
    """The addresses from which a page would fetch something: there should be none."""
    found = set()
    for path in site.rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        for start in ('<script src="http', '<link rel="stylesheet" href="http', '<img src="http'):
            if start in text:
                found.add(f"{path.relative_to(site)}: {start}")
    return found
