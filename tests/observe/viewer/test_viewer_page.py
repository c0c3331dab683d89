"""The page as a file: one text that needs nothing else, whatever the trace has in it."""

import base64
import importlib.resources
import json
import pathlib
import re
import shutil
import subprocess
import zlib

import pytest
import synthetic

from greenloop.tracing import Trace
from greenloop.tracing.html import bundle, diagram_as_json, to_html, write_html
from greenloop.tracing.sequence import sequence

ROOT = pathlib.Path(__file__).resolve().parents[3]
VIEWER = ROOT / "python/greenloop/tracing/viewer"


@pytest.fixture(scope="module")
def trace():
    loop = synthetic.factory(1_000)
    return Trace(loop.head(), loop.columns())


def part(page, name):
    return re.search(rf'<script type="[^"]+" id="{name}">(.*?)</script>', page, re.DOTALL)[1]


def test_a_page_asks_for_nothing_from_anywhere(trace):
    page = to_html(trace)
    assert re.findall(r"(?:src|href)=\"(?!data:)[^\"]*\"", page) == []
    assert not re.search(r"\b(?:fetch|XMLHttpRequest|importScripts)\(|@import url|url\(http", page)
    assert not re.search(r"^import ", page, re.MULTILINE)


def test_a_page_has_the_columns_as_they_are(trace):
    page = to_html(trace)
    columns = zlib.decompress(base64.b64decode(part(page, "trace-events")))
    assert columns == trace.to_bytes()[-len(columns) :]
    assert json.loads(part(page, "trace-head")) == trace.head_as_json()


def test_a_page_has_the_sequence_diagram(trace):
    diagram = sequence(trace)
    page = to_html(trace, diagram)
    shown = json.loads(part(page, "trace-diagram"))
    assert shown == json.loads(json.dumps(diagram_as_json(diagram)))
    assert len(shown["lifelines"]) == len(diagram.lifelines)


def test_names_in_a_trace_cannot_end_a_script():
    loop = synthetic.factory(200)
    head = loop.head()
    evil = "</script><script>alert(1)</script><!-- {{script}}"
    head["tasks"]["1"]["name"] = evil
    head["process"]["argv"] = [evil]
    page = to_html(Trace(head, loop.columns()))
    assert "alert(1)</script>" not in page
    assert page.count("<script") == page.count("</script>") == 4
    assert json.loads(part(page, "trace-head"))["tasks"]["1"]["name"] == evil


def test_names_in_a_trace_are_text_on_the_page(opened):
    def make():
        loop = synthetic.factory(200)
        for task in loop.tasks.values():
            task["name"] = "<img src=x onerror='window.hacked = 1'>"
        return loop

    page = opened("tables", "evil", make)
    for view in ("path", "timeline", "sequence", "graph"):
        page.run("greenloop.show(arguments[0])", view)
        page.settle()
    assert page.run("return window.hacked") is None


def test_a_trace_without_events_has_a_page_too(opened):
    class Empty:
        def head(self):
            return {**synthetic.Loop().head(), "events": 0}

        def columns(self):
            return b""

    page = opened("sequence", "empty", Empty)
    for view in ("timeline", "graph", "tables", "path"):
        page.run("greenloop.show(arguments[0])", view)
        page.settle()


def test_a_trace_that_is_cut_off_says_so(driver, trace, tmp_path):
    text = to_html(trace)
    events = part(text, "trace-events")
    shorter = base64.b64encode(zlib.compress(zlib.decompress(base64.b64decode(events))[:-60]))
    path = tmp_path / "cut.html"
    path.write_text(text.replace(events, shorter.decode()), encoding="utf-8")
    driver.get(path.as_uri())
    opening = driver.find_element("id", "opening")
    for _ in range(200):
        if "cannot be shown" in opening.text:
            break
        driver.execute_async_script("setTimeout(arguments[0], 20)")
    assert "cut off" in opening.text
    driver.get_log("browser")


def test_write_html_writes_the_page(trace, tmp_path):
    path = tmp_path / "trace.html"
    write_html(trace, path)
    assert path.read_text(encoding="utf-8") == to_html(trace)


# The modules


def test_every_module_of_the_viewer_is_in_the_page():
    script = bundle("main.js")
    for module in VIEWER.glob("*.js"):
        assert f'modules["{module.name}"]' in script


def test_the_package_has_the_viewers_files():
    installed = importlib.resources.files("greenloop.tracing").joinpath("viewer")
    names = {each.name for each in installed.iterdir()}
    assert {"index.html", "style.css", "pages.css"} <= names
    assert {each.name for each in VIEWER.glob("*.js")} <= names


def test_the_words_are_those_of_the_format():
    from greenloop.tracing.kinds import Kind, Wait

    text = (VIEWER / "vocabulary.js").read_text(encoding="utf-8")
    kinds = dict(re.findall(r"^  ([A-Z_]+): (\d+),$", text, re.MULTILINE))
    assert kinds == {each.name: str(int(each)) for each in Kind}
    waits = re.search(r"WAITS = Object.freeze\(\[(.*?)\]\)", text, re.DOTALL)[1]
    assert re.findall(r'"([^"]+)"', waits)[1:] == [each.label for each in Wait]


@pytest.mark.skipif(shutil.which("node") is None, reason="node is absent")
def test_the_script_is_one_that_node_can_parse(tmp_path):
    path = tmp_path / "viewer.mjs"
    path.write_text(bundle("main.js"), encoding="utf-8")
    subprocess.run(["node", "--check", str(path)], check=True, timeout=60)
