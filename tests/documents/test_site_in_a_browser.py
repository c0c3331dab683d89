"""Every page of the site in Chromium, on a telephone and on large screens, light and dark."""

import functools
import http.server
import pathlib
import threading

import pytest

from site_pages import pages_of

WIDTHS = (390, 1280, 1920)

# What stands out of the page, where nothing around it can be scrolled.
OVERFLOW = """
const wide = document.documentElement.scrollWidth - window.innerWidth;
if (wide <= 1) return [];
return [...document.querySelectorAll('article *')]
  .filter(e => e.getBoundingClientRect().right > window.innerWidth + 1)
  .filter(e => !e.closest('pre, .table-wrapper, table, dt.sig'))
  .map(e => `${e.tagName} ${e.textContent.slice(0, 40)}`).concat([`${wide} pixels too wide`]);
"""
# Text whose colour can hardly be told from what is behind it.
PALE = """
function luminance(colour) {
  const [r, g, b] = colour.match(/[\\d.]+/g).map(Number).map(
    v => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
function behind(element) {
  for (let e = element; e; e = e.parentElement) {
    const colour = getComputedStyle(e).backgroundColor;
    if (!/rgba\\(.*, 0\\)|transparent/.test(colour)) return colour;
  }
  return 'rgb(255, 255, 255)';
}
return [...document.querySelectorAll('article p, article li, article td, article h1, article a')]
  .filter(e => e.textContent.trim() && e.offsetParent)
  .filter(e => {
    const [a, b] = [luminance(getComputedStyle(e).color), luminance(behind(e))];
    return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05) < 4.5;
  }).map(e => `${e.tagName} ${e.textContent.slice(0, 40)}`).slice(0, 3);
"""


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        pass


@pytest.fixture(scope="module")
def address(site):
    handler = functools.partial(Quiet, directory=str(site))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.mark.slow
def test_no_page_is_too_wide_or_pale_or_complains(driver, site, address):
    import chromium

    wrong = []
    for path in pages_of(site):
        page = str(path.relative_to(site)).removesuffix("index.html")
        driver.get_log("browser")
        for width in WIDTHS:
            chromium.resize(driver, width, 900)
            if width == WIDTHS[0]:
                driver.get(f"{address}/{page}")
            wrong += [f"{page} at {width}: {each}" for each in driver.execute_script(OVERFLOW)]
        for theme in ("light", "dark"):
            chromium.prefer(driver, theme)
            wrong += [f"{page}, {theme}, is pale: {each}" for each in driver.execute_script(PALE)]
        wrong += [f"{page}: {each['message']}" for each in driver.get_log("browser")]
    assert wrong == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "page"),
    [("threadqueue", "how-to/threads/"), ("hang", "tutorial/7-when-it-hangs/")],
)
def test_the_search_finds_a_page(driver, address, words, page):
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.wait import WebDriverWait

    import chromium

    chromium.resize(driver, 1280, 900)
    driver.get(f"{address}/search/?q={words}")

    def found(_):
        links = driver.find_elements(By.CSS_SELECTOR, "#search-results li a")
        return [link.get_attribute("href") for link in links]

    links = WebDriverWait(driver, 30, 0.1).until(found)
    assert any(pathlib.PurePosixPath(page).name in link for link in links), links
