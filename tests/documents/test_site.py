"""The documentation site: it is complete, its links lead somewhere, and it needs no network."""

import html
import json
import pathlib
import re
import sys

import pytest

import greenloop
from site_pages import broken_links, foreign_sources, pages_of

ROOT = pathlib.Path(__file__).resolve().parents[2]
OWN_NAMES = {"ThreadQueue", "doctor", "install", "installed_names", "name", "native_names"}
OWN_NAMES |= {"trace", "uninstall", "EventLoop"}
# Pages that the theme makes itself.
MADE = {"genindex", "search", "404", "py-modindex"}

sys.path[:0] = [str(ROOT / "docs"), str(ROOT / "docs/site")]


@pytest.mark.slow
def test_every_link_leads_to_a_page_and_a_place(site):
    assert broken_links(site) == []


@pytest.mark.slow
def test_nothing_is_fetched_from_elsewhere(site):
    assert foreign_sources(site) == set()


@pytest.mark.slow
def test_every_page_has_a_title_and_a_description(site):
    pages = {path: page for path, page in pages_of(site).items() if path.parent.name not in MADE}
    assert len(pages) > 50
    without = {str(path) for path, page in pages.items() if not (page.title and page.description)}
    assert without == set()
    descriptions = [page.description for page in pages.values()]
    assert len(descriptions) == len(set(descriptions))


@pytest.mark.slow
def test_the_reference_has_every_name(site):
    ids = set().union(*(page.ids for page in pages_of(site).values()))
    names = {f"greenloop.{name}" for name in greenloop.native_names() | OWN_NAMES}
    assert names - ids == set()


@pytest.mark.slow
def test_the_reference_shows_the_types_of_the_stub(site):
    page = (site / "reference/primitives/index.html").read_text()
    text = html.unescape(re.sub(r"<[^>]+>", "", page))
    assert "put_nowait(item: T) → None" in text
    assert "locked() → bool" in text
    assert "class greenloop.Semaphore(value: int = 1)" in text


@pytest.mark.slow
def test_the_index_of_the_search_has_the_words_of_the_pages(site):
    index = (site / "searchindex.js").read_text()
    found = json.loads(index.removeprefix("Search.setIndex(").removesuffix(")"))
    assert {"uvloop", "barrier", "greenloop_log"} <= {*found["terms"]}


def test_the_charts_are_what_the_figures_say():
    charts = pytest.importorskip("charts", reason="Sphinx is absent")
    for chart in charts.CHARTS:
        path = ROOT / f"docs/benchmarks/{chart.name}.svg"
        assert path.read_text() == charts.draw(chart), "`make charts` draws it"


def test_a_bar_is_as_long_as_its_figure():
    charts = pytest.importorskip("charts", reason="Sphinx is absent")
    results = {
        "asyncio": {"cpu_ns": {"ratio": 0.5}},
        "greenloop": {"cpu_ns": {"ratio": 4.0}},
        "rloop": {"status": "failed"},
    }
    assert charts.cheaper(results, "greenloop") == 8
    assert charts.cheaper(results, "rloop") is None


def test_a_chart_can_be_drawn_of_what_the_benchmarks_write(tmp_path, monkeypatch):
    """The document that is transcribed here has ratios alone; that of a run has more."""
    charts = pytest.importorskip("charts", reason="Sphinx is absent")
    result = {"status": "measured", "cpu_ns": {"median": 9.0, "rounds": [9.0], "ratio": 2.0}}
    workload = {"title": "sleep", "metric": "cpu_ns", "operation": "", "results": {}}
    workload["results"] = {"asyncio": result, "greenloop": result | {"cpu_ns": {"ratio": 4.0}}}
    (tmp_path / "run.json").write_text(json.dumps({"workloads": {"sleep": workload}}))
    monkeypatch.setattr(charts, "_BENCHMARKS", tmp_path)
    names = {"asyncio": "asyncio", "greenloop": "Greenloop"}
    picture = charts.draw(charts.Chart("run", "run.json", "A title", names, ()))
    assert "2.0×" in picture
    assert "A title" in picture


def test_every_word_is_spelt_as_in_a_dictionary():
    pytest.importorskip("spellchecker")
    import spelling

    assert spelling.unknown(spelling.documents()) == {}


def test_a_misspelt_word_is_found(tmp_path):
    pytest.importorskip("spellchecker")
    import spelling

    text = "A sentense with `codde` and [a link](htps://x) and\n\n```python\nblokc\n```\n"
    assert spelling.words_of(text) >= {"sentense", "link"}
    assert spelling.words_of(text).isdisjoint({"codde", "htps", "blokc", "python"})


def test_the_list_of_words_has_no_word_that_is_not_used():
    pytest.importorskip("spellchecker")
    import spelling

    used = set().union(*(spelling.words_of(path.read_text()) for path in spelling.documents()))
    listed = spelling.WORDS.read_text().split()
    assert listed == sorted(set(listed))
    assert set(listed) - used == set()
