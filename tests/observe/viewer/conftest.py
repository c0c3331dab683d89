"""The browser that all tests of the viewer share, and the pages of synthetic traces."""

import importlib.util
import pathlib
import sys

import pytest

# The traces are those of the folder above, where other tests of recordings use them too.
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import synthetic

from greenloop.tracing import Trace
from greenloop.tracing.html import write_html


@pytest.fixture(scope="session")
def driver():
    """A browser; without one, the tests that need it are skipped."""
    if importlib.util.find_spec("selenium") is None:
        pytest.skip("selenium is absent")
    import browser

    if browser.CHROMIUM is None or browser.DRIVER is None:
        pytest.skip("chromium is absent")
    driver = browser.start()
    yield driver
    driver.quit()


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

    shown = []

    def open_page(view, name="factory", make=lambda: synthetic.factory(4_000), size=(1280, 800)):
        browser.resize(driver, *size)
        browser.prefer(driver, "light")
        page = browser.Page(driver, f"{pages(name, make)}#{view}")
        page.settle()
        shown.append(page)
        return page

    yield open_page
    for page in shown:
        assert page.complaints() == []
