"""The pages of synthetic traces, and how a test of the viewer opens one."""

import pathlib
import sys

import pytest

# The traces are those of the folder above, where other tests of recordings use them too.
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import synthetic

from greenloop.tracing import Trace
from greenloop.tracing.html import write_html


@pytest.fixture(scope="session")
def pages(tmp_path_factory):
    """Writes the page of a trace or of a loop that has run, once for each name."""
    folder = tmp_path_factory.mktemp("pages")

    def write(name, make):
        path = folder / f"{name}.html"
        if not path.exists():
            made = make()
            trace = made if isinstance(made, Trace) else Trace(made.head(), made.columns())
            write_html(trace, path)
        return path.as_uri()

    return write


@pytest.fixture
def opened(driver, pages):
    """Opens a page at a size, and shows a view; whatever the console says fails the test."""
    import browser

    import chromium

    shown = []

    def open_page(view, name="factory", make=lambda: synthetic.factory(4_000), size=(1280, 800)):
        chromium.resize(driver, *size)
        chromium.prefer(driver, "light")
        page = browser.Page(driver, f"{pages(name, make)}#{view}")
        page.settle()
        shown.append(page)
        return page

    yield open_page
    for page in shown:
        assert page.complaints() == []
