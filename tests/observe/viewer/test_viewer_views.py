"""The views beside the timeline: sequence, graph, tables, critical path; themes, sizes, keys."""

import pytest
import synthetic

pytestmark = pytest.mark.slow

VIEWS = ["sequence", "timeline", "graph", "tables", "path"]


def test_keys_and_tabs_switch_views(opened):
    page = opened("sequence")
    for number, view in enumerate(VIEWS, 1):
        page.press(str(number))
        assert page.get("p.name") == view
        assert len(page.driver.find_elements("css selector", ".view:not([hidden])")) == 1
    for tab in page.driver.find_elements("css selector", "#views button"):
        tab.click()
        assert tab.get_attribute("aria-selected") == "true"
        assert page.get("p.name") == tab.get_attribute("data-view")


def test_the_overlay_lists_the_keys(opened):
    page = opened("timeline")
    page.press("?")
    assert page.driver.find_element("id", "keys").is_displayed()
    assert "go to the cause of the wake-up" in page.text("#keys")
    page.press("?")
    assert not page.driver.find_element("id", "keys").is_displayed()


def test_the_theme_is_the_systems_until_one_is_chosen(opened, driver):
    import chromium

    page = opened("timeline")
    page.run("localStorage.clear()")
    chromium.prefer(driver, "dark")
    driver.refresh()
    page.until("s.palette.theme === 'dark'")
    page.press("t")
    assert page.get("s.palette.theme") == "light"
    assert page.run("return document.documentElement.dataset.theme") == "light"
    page.run("localStorage.clear()")


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("size", [(1280, 800, 1), (1280, 800, 2), (3840, 2160, 1)])
def test_every_view_fills_its_place_in_the_screens_own_pixels(opened, view, size):
    width, height, ratio = size
    page = opened(view, size=size)
    page.until(f"window.innerWidth === {width}")
    page.settle()
    assert page.run("return document.documentElement.scrollWidth") <= width
    if view not in ("tables", "path"):
        canvas = page.canvas()
        stage = page.driver.find_element("id", "stage").rect
        assert canvas.rect["width"] == pytest.approx(stage["width"], abs=1)
        assert page.run("return arguments[0].width", canvas) == round(stage["width"] * ratio)


# The sequence diagram


def test_arrows_are_laid_out_below_each_other(opened):
    page = opened("sequence")
    heights = page.get("p.sequence.layout.placed.map(({ y }) => y)")
    assert len(heights) > 20
    assert heights == sorted(heights)
    texts = page.get("p.sequence.layout.placed.map(({ arrow }) => arrow.text)")
    assert any("put" in text for text in texts)
    assert any("spawn" in text for text in texts)


def test_a_search_brings_an_arrow_into_view(opened):
    page = opened("sequence")
    page.write("search", "ledger")
    assert int(page.text("#found")) > 0
    hovered = page.get("p.sequence.layout.placed[p.sequence.hovered].arrow.text")
    assert "ledger" in hovered
    y = page.get("p.sequence.yOf(p.sequence.layout.placed[p.sequence.hovered].y)")
    assert 0 < y < 800


def test_a_click_on_an_arrow_selects_where_it_arrives(opened):
    page = opened("sequence")
    row = page.get("p.sequence.layout.placed.findIndex(({ arrow }) => arrow.sort === 'pass')")
    y = page.get(f"p.sequence.yOf(p.sequence.layout.placed[{row}].y + 0.7)")
    page.click(640, y)
    task = page.get("l.task[l.lane[s.selection]]")
    lifeline = page.get(f"p.sequence.layout.placed[{row}].arrow.to")
    assert task in page.get(f"p.sequence.diagram.lifelines[{lifeline}].tasks")


def test_a_filter_leaves_out_arrows_and_lifelines(opened):
    page = opened("sequence")
    before = page.get("p.sequence.layout.columns.length")
    page.write("filter", "task:report")
    page.until("s.filter.text === 'task:report'")
    assert page.get("p.sequence.layout.columns.length") < before


# The graph


def test_the_graph_leads_from_waiters_over_resources_to_holders(opened):
    page = opened("graph")
    # An instant at which somebody waits for the lock.
    page.run(
        "const s = greenloop.session, l = s.lanes;"
        "for (let i = 0; i < l.spans; i++) if (l.state[i] === 6 && l.end[i] - l.start[i] > 2e4)"
        " { s.moveCursor(l.start[i] + 1e4); break; }"
    )
    page.settle()
    arrows = page.get("p.graph.graph.arrows.map((a) => [a.from.label, a.to.label, a.sure])")
    holders = [to for start, to, sure in arrows if start == "ledger" and sure]
    waiters = [start for start, to, _ in arrows if to == "ledger"]
    assert len(holders) == 1
    assert waiters
    assert set(waiters).isdisjoint(holders)


def test_tasks_that_wait_for_each_others_locks_are_a_circle(opened):
    page = opened("graph", "deadlock", synthetic.deadlock)
    page.settle()
    graph = "p.graph.graph"
    assert page.get(f"{graph}.sure"), "a standstill is shown at its end"
    circle = page.get(f"{graph}.nodes.filter((n) => n.circle).map((n) => n.label)")
    assert sorted(circle) == ["accounts", "journal", "pay", "refund"]
    page.run("const s = greenloop.session; s.moveCursor(s.recording.begin + 2e4)")
    page.settle()
    assert page.get(f"{graph}.circles") == 0


def test_tasks_that_wait_for_the_same_are_one_node(opened):
    page = opened("graph", "crowd", lambda: synthetic.factory(3_000, producers=2, consumers=60))
    page.settle()
    nodes = page.get("p.graph.graph.nodes.map((n) => [n.label, n.tasks.length])")
    assert len(nodes) < 20
    assert any(label.startswith("consume × ") and tasks > 4 for label, tasks in nodes)


def test_arrow_keys_go_from_event_to_event(opened):
    page = opened("graph")
    page.press("\ue014")
    first = page.get("s.cursor")
    assert page.get("r.time.includes(s.cursor)")
    page.press("\ue014")
    assert page.get("s.cursor") > first
    page.press("\ue012")
    assert page.get("s.cursor") == first


# The tables


def test_tables_are_sorted_by_the_column_that_is_pressed(opened):
    page = opened("tables")
    heads = page.driver.find_elements("css selector", "#table-waits th button")
    counts = next(each for each in heads if each.text == "count")

    def column():
        cells = page.texts("#table-waits tbody td:nth-child(3)")
        return [int(each.replace("\u2009", "")) for each in cells]

    counts.click()
    assert column() == sorted(column(), reverse=True)
    counts.click()
    assert column() == sorted(column())


def test_waits_are_counted_by_resource(opened):
    page = opened("tables")
    loop = synthetic.factory(4_000)
    ledger = next(number for number, each in loop.resources.items() if each["name"] == "ledger")
    waits = sum(
        kind == 4 and other == int(ledger)
        for kind, other in zip(loop.kind, loop.other, strict=True)
    )
    row = next(text for text in page.texts("#table-waits tbody tr") if "ledger" in text)
    assert f" {waits} " in row.replace("\u2009", "")


def test_a_row_leads_to_the_timeline(opened):
    page = opened("tables")
    page.driver.find_element("css selector", "#table-waits tbody tr").click()
    assert page.get("p.name") == "timeline"
    assert page.get("s.selection") >= 0


def test_a_table_obeys_the_filter(opened):
    page = opened("tables")
    page.write("filter", "task:producer")
    page.until("s.filter.text === 'task:producer'")
    page.settle()
    assert len(page.texts("#table-tasks tbody tr")) == 3


# The critical path


@pytest.mark.parametrize("name", ["main", "report", "producer-1", "consumer-3"])
def test_the_sums_of_the_critical_path_are_the_wall_time(opened, name):
    page = opened("path")
    page.run(
        "const { session } = greenloop, { lanes, recording } = session;"
        "session.chooseTask([...lanes.task.keys()].find("
        "  (lane) => recording.nameOf(lanes.task[lane]) === arguments[0]))",
        name,
    )
    page.settle()
    path = page.get("p.path.current()")
    assert path["wall"] == path["end"] - path["begin"] > 0
    for sums in (path["own"], path["path"]):
        assert sum(each["time"] for each in sums) == pytest.approx(path["wall"], rel=0.001)
    pieces = path["pieces"]
    assert pieces[0]["begin"] == path["begin"]
    assert pieces[-1]["end"] == path["end"]
    assert all(a["end"] == b["begin"] for a, b in zip(pieces, pieces[1:], strict=False))
    shown = page.run(
        "return [...document.querySelectorAll('#path-own .sum[data-time]')]"
        ".reduce((sum, each) => sum + Number(each.dataset.time), 0)"
    )
    assert shown == pytest.approx(path["wall"], rel=0.01)


def test_the_path_goes_on_in_the_tasks_that_ended_the_waits(opened):
    page = opened("path")
    page.run("greenloop.session.chooseTask(1)")
    path = page.get("p.path.current()")
    assert len({piece["lane"] for piece in path["pieces"]}) > 2
    assert all(each["label"] != "group" for each in path["path"]), "main only waits for the others"


def test_the_path_is_shown_on_the_timeline(opened):
    page = opened("path")
    page.driver.find_element("css selector", ".quiet").click()
    assert page.get("p.name") == "timeline"
    assert page.get("p.timeline.path.length") > 0
