"""The timeline: zooming, panning, clicking a wake-up, following it to its cause, filtering."""

import pytest
import synthetic

pytestmark = pytest.mark.slow

ALL = "[s.begin, s.end]"
# A wait for the queue that another task ended, and where it is on the page.
A_WAIT = """(() => {
  for (let span = 0; span < l.spans; span++) {
    const wide = l.end[span] - l.start[span];
    if (l.state[span] === 3 && s.wakerOf(span) >= 0 && wide > 3000) return span;
  }
})()"""


@pytest.fixture
def page(opened):
    return opened("timeline")


def place(page, span):
    """Where a span is drawn, after the window was moved to it."""
    page.run(
        "greenloop.session.show(...arguments[0])",
        page.get(f"[l.start[{span}] - 2e4, l.end[{span}] + 2e4]"),
    )
    page.settle()
    return page.get(
        f"[p.timeline.xOf((l.start[{span}] + l.end[{span}]) / 2),"
        f" p.timeline.yOf(p.timeline.rowOf(l.lane[{span}]))]"
    )


def test_the_whole_recording_is_shown_at_first(page):
    begin, end = page.get(ALL)
    assert begin < page.get("r.begin")
    assert end > page.get("r.end")


def test_the_wheel_zooms_to_the_instant_under_the_pointer(page):
    begin, end = page.get(ALL)
    instant = page.get("p.timeline.timeAt(700)")
    page.wheel(700, 400, -400)
    closer = page.get(ALL)
    assert closer[1] - closer[0] < (end - begin) * 0.8
    assert page.get("p.timeline.timeAt(700)") == pytest.approx(instant, abs=(end - begin) * 0.002)
    page.wheel(700, 400, 4000)
    assert page.get(ALL) == pytest.approx([begin, end])


def test_keys_zoom_pan_and_show_all(page):
    whole = page.get(ALL)
    page.press("+", "+")
    closer = page.get(ALL)
    assert closer[1] - closer[0] == pytest.approx((whole[1] - whole[0]) / 1.6**2)
    page.press("d")
    assert page.get("s.begin") > closer[0]
    page.press("a")
    assert page.get("s.begin") == pytest.approx(closer[0])
    page.press("0")
    assert page.get(ALL) == pytest.approx(whole)


def test_a_drag_pans(page):
    page.press("+", "+")
    begin = page.get("s.begin")
    page.point(700, 300).click_and_hold().move_by_offset(-200, 0).release().perform()
    assert page.get("s.begin") > begin
    assert page.get("s.selection") == -1, "a drag is no click"


def test_a_pinch_zooms(page):
    begin, end = page.get(ALL)
    page.run(
        "arguments[0].dispatchEvent(new WheelEvent('wheel',"
        " {deltaY: -60, ctrlKey: true, clientX: 700, clientY: 400, cancelable: true}))",
        page.canvas(),
    )
    closer = page.get(ALL)
    assert closer[1] - closer[0] < end - begin


def test_a_click_on_a_wait_says_what_ended_it(page):
    span = page.get(A_WAIT)
    page.click(*place(page, span))
    assert page.get("s.selection") == span
    details = page.text("#details")
    assert "queue.get" in details
    assert "orders" in details
    assert "ended by" in details
    assert "put into orders" in details


def test_a_wake_up_is_followed_to_its_cause_and_back(page):
    span = page.get(A_WAIT)
    page.click(*place(page, span))
    event = page.get(f"l.causeOf({span})")
    page.press("c")
    found = page.get("s.selection")
    assert page.get(f"l.state[{found}]") == 0, "the waker is running"
    assert page.get(f"l.task[l.lane[{found}]]") == page.get(f"r.task[{event}]")
    assert page.get(f"l.start[{found}] <= r.time[{event}] && r.time[{event}] <= l.end[{found}]")
    page.press("b")
    assert page.get("s.selection") == span


def test_a_filter_leaves_the_lanes_that_are_asked_for(page):
    lanes = page.get("s.filter.shown.length")
    page.write("filter", "task:consumer")
    page.until("s.filter.text === 'task:consumer'")
    assert page.get("[...s.filter.shown].slice(1).map((lane) => r.nameOf(l.task[lane]))") == [
        f"consumer-{number}" for number in range(1, 6)
    ]
    page.write("filter", "kind:event")
    page.until("s.filter.text === 'kind:event'")
    assert page.get("[...s.filter.shown].slice(1).map((lane) => r.nameOf(l.task[lane]))") == [
        "report"
    ]
    page.write("filter", "name:ledger task:consumer-2")
    page.until("s.filter.text.startsWith('name:')")
    assert page.get("s.filter.shown.length") == 2
    page.press("\ue00c")
    page.press("\ue00c")
    assert page.get("s.filter.shown.length") == lanes


def test_a_family_is_dimmed_in_the_legend(page):
    button = next(
        each
        for each in page.driver.find_elements("css selector", "#legend button")
        if each.text == "locks"
    )
    button.click()
    assert button.get_attribute("aria-pressed") == "false"
    assert page.get("s.filter.states[2 + 4]") == 0
    button.click()
    assert page.get("s.filter.states[2 + 4]") == 1


def test_search_goes_from_match_to_match(page):
    page.write("search", "ledger")
    first = page.get("s.selection")
    assert page.get("r.nameOf(l.other[s.selection])") == "ledger"
    assert " of " in page.text("#found")
    page.press("\ue00c")
    page.press("n")
    second = page.get("s.selection")
    assert page.get(f"l.start[{second}] >= l.start[{first}]")
    assert second != first
    page.press("N")
    assert page.get("s.selection") == first


def test_spans_of_every_lane_follow_each_other_without_gaps(page):
    assert page.get(
        "[...l.task.keys()].slice(1).every((lane) => {"
        "  for (let i = l.first[lane] + 1; i < l.first[lane + 1]; i++)"
        "    if (l.start[i] !== l.end[i - 1]) return false;"
        "  return true; })"
    )


OPACITIES = """
const { session: { lanes, palette, filter, recording }, timeline: { raster } } = greenloop;
const [begin, end, width] = arguments;
const opacity = new Float32Array(filter.states.length).fill(1);
const drawn = [], expected = [];
for (let lane = 1; lane < lanes.count; lane++) {
  raster.begin(width, 1);
  raster.lane(lane, 0, begin, end, palette.pixel, opacity, 1e9);
  for (let column = 0; column < width; column++) {
    const left = begin + (column * (end - begin)) / width;
    const right = left + (end - begin) / width;
    const times = [0, 0, 0];
    for (let i = lanes.first[lane]; i < lanes.first[lane + 1]; i++) {
      const inside = Math.min(lanes.end[i], right) - Math.max(lanes.start[i], left);
      if (inside > 0) times[Math.max(0, 2 - lanes.state[i])] += inside;
    }
    for (let row = 0; row < 3; row++) {
      drawn.push(raster.pixels[row * width + column] >>> 24);
      expected.push(times[row] > 1e-6 ? 255 * (0.3 + 0.7 * times[row] / (right - left)) : 0);
    }
  }
}
return [drawn, expected];
"""


@pytest.mark.parametrize("share", [(0, 1), (0.1, 0.6), (0.3, 0.302), (-0.2, 1.3)])
@pytest.mark.parametrize("width", [7, 150, 1100])
def test_a_column_has_the_shares_of_the_spans_in_it(opened, share, width):
    page = opened("timeline", "long", lambda: synthetic.factory(6_000))
    begin, end = page.get("[r.begin, r.end]")
    window = [begin + part * (end - begin) for part in share]
    drawn, expected = page.run(OPACITIES, *window, width)
    wrong = [
        (place, was, should)
        for place, (was, should) in enumerate(zip(drawn, expected, strict=True))
        # Edges may be in one column or in the one beside it, by the rounding of numbers.
        if abs(was - should) > 3 and (was > 90 or should > 90)
    ]
    assert len(wrong) <= len(drawn) / 500, wrong[:10]
