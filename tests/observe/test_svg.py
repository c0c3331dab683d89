"""The drawing of a diagram is one SVG file that needs nothing else, and nothing lies outside."""

import re
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenloop.tracing.sequence import sequence
from greenloop.tracing.svg import svg
from lesson_traces import producer_sets_pace
from trace_builder import TraceBuilder

SPACE = "{http://www.w3.org/2000/svg}"


def parsed(builder, **options):
    text = svg(sequence(builder.build(), **options))
    return ElementTree.fromstring(text)


def texts(root, style=None):
    """The texts that are shown, from above."""
    found = [
        (float(each.get("y")), "".join(each.itertext()) if len(each) == 0 else each[0].tail)
        for each in root.iter(f"{SPACE}text")
        if style is None or each.get("class") == style
    ]
    return [text for _, text in sorted(found, key=lambda pair: pair[0])]


def check_bounds(root):
    """Assert that all shapes are inside of the picture, and all notes and tabs in their frames."""
    _, _, width, height = map(float, root.get("viewBox").split())
    for each in root.iter(f"{SPACE}rect"):
        x, y = float(each.get("x", 0)), float(each.get("y", 0))
        assert x >= 0 <= y
        assert x + float(each.get("width")) <= width
        assert y + float(each.get("height")) <= height
    for each in root.iter(f"{SPACE}line"):
        for name, most in (("x1", width), ("x2", width), ("y1", height), ("y2", height)):
            assert 0 <= float(each.get(name)) <= most
    for each in root.iter(f"{SPACE}text"):
        assert 0 <= float(each.get("x")) <= width
        assert 0 <= float(each.get("y")) <= height


def boxes(root, style):
    return [
        tuple(float(each.get(name)) for name in ("x", "y", "width", "height"))
        for each in root.iter(f"{SPACE}rect")
        if each.get("class") == style
    ]


def test_the_lesson_is_drawn_downward():
    root = parsed(producer_sets_pace())
    check_bounds(root)
    assert texts(root, "name") == ["main", "Producer.run", "Consumer.run", "Producer.stop"]
    assert texts(root, "tab") == ["9 times"]
    assert [text for text in texts(root) if text not in texts(root, "time")] == [
        *("main", "Producer.run", "Consumer.run", "Producer.stop"),
        *("spawn", "spawn", "spawn", "gather 21 s", "sleep 2 s"),
        *("queue: put → get", "get(queue) 2 s", "sleep 21 s"),
        *("9 times", "sleep 2 s", "queue: put → get", "get(queue) 2 s to 3 s"),
        *("queue: put → get", "result", "result", "result"),
    ]
    times = texts(root, "time")
    assert times == [
        "6 µs",
        "7 µs",
        "8 µs",
        "9 µs",
        "13 µs",
        "16 µs",
        "17 µs",
        "20 µs",
        "2 s",
        "21 s",
    ]


def test_a_frame_is_around_its_round_and_no_other_row():
    root = parsed(producer_sets_pace())
    ((x, y, width, height),) = boxes(root, "frame")
    inside = [
        box
        for box in boxes(root, "note")
        if x <= box[0]
        and box[0] + box[2] <= x + width
        and y <= box[1]
        and box[1] + box[3] <= y + height
    ]
    beside = [box for box in boxes(root, "note") if box[1] + box[3] <= y or box[1] >= y + height]
    assert (len(inside), len(beside)) == (2, 4)


def test_arrows_lead_from_lifeline_to_lifeline():
    root = parsed(producer_sets_pace())
    lives = [
        float(each.get("x1")) for each in root.iter(f"{SPACE}line") if each.get("class") == "life"
    ]
    assert lives == sorted(lives)
    arrows = [
        (
            lives.index(float(each.get("x1"))),
            min(range(4), key=lambda i: abs(lives[i] - float(each.get("x2")))),
        )
        for each in root.iter(f"{SPACE}line")
        if each.get("class").startswith("arrow")
    ]
    assert arrows == [(0, 1), (0, 2), (0, 3), (1, 2), (1, 2), (3, 2), (1, 0), (3, 0), (2, 0)]
    dashed = [each for each in root.iter(f"{SPACE}line") if each.get("class") == "arrow dashed"]
    assert len(dashed) == 3


def test_the_file_needs_nothing_else_and_knows_light_and_dark():
    text = svg(sequence(producer_sets_pace().build()), name="Lesson <1>")
    root = ElementTree.fromstring(text)
    assert root.find(f"{SPACE}title").text == "Lesson <1>"
    assert "@media (prefers-color-scheme: dark)" in root.find(f"{SPACE}style").text
    assert "http" not in text.replace('xmlns="http://www.w3.org/2000/svg"', "")
    assert not re.search(r"href|url\(|@import|<script|<image|<foreignObject", text)
    used = {name for each in root.iter() for name in (each.get("class") or "").split()}
    styled = set(re.findall(r"\.([a-z]\w*)", root.find(f"{SPACE}style").text))
    assert used - {"plain", "gl-sequence"} <= styled


def test_every_colour_is_given_for_light_and_for_dark():
    style = parsed(producer_sets_pace()).find(f"{SPACE}style").text
    light, dark = style.split("@media")
    given_ = re.findall(r"(--\w+):", light)
    assert given_ == re.findall(r"(--\w+):", dark.partition("} }")[0])
    assert set(re.findall(r"var\((--\w+)\)", style)) <= set(given_)


def test_a_wide_name_is_cut_and_its_title_has_all_of_it():
    trace = TraceBuilder()
    name = "a_coroutine_with_a_name_that_no_column_of_a_diagram_holds"
    trace.add("cancel-requested", trace.task(name), trace.task("b"))
    root = parsed(trace)
    (cut,) = [each for each in root.iter(f"{SPACE}text") if len(each)]
    assert cut[0].tag == f"{SPACE}title"
    assert cut[0].text == name
    assert cut[0].tail.endswith("…")
    assert name.startswith(cut[0].tail[:-1])
    assert len(cut[0].tail) > 20


def test_an_arrow_to_itself_is_drawn():
    trace = TraceBuilder()
    main = trace.task("main")
    queue = trace.resource("queue", "queue.get", "Queue")
    trace.step(main, ("put", queue), ("get", queue))
    root = parsed(trace)
    check_bounds(root)
    assert "queue: put → get" in texts(root)
    assert len([*root.iter(f"{SPACE}path")]) == 2


def test_a_task_that_is_stuck_or_fails_is_marked():
    trace = TraceBuilder()
    main, other = trace.task("main"), trace.task("other")
    trace.step(main, ("wait-began", 0, "future"))
    trace.step(other, ("task-finished", 0, "raised"))
    root = parsed(trace)
    assert (len(boxes(root, "alarm")), len(boxes(root, "note"))) == (2, 1)


def test_a_class_of_tasks_is_a_pile_of_boxes():
    trace = TraceBuilder()
    main = trace.task("main")
    for number in range(10):
        trace.spawn(main, f"Task-{number + 2}", "handle")
    assert len(boxes(parsed(trace), "box")) == 3


def test_an_empty_diagram_is_a_picture():
    root = parsed(TraceBuilder())
    check_bounds(root)
    assert texts(root) == []


@pytest.mark.slow
@given(st.text(), st.text())
def test_any_name_can_be_drawn(name, other):
    trace = TraceBuilder()
    queue = trace.resource(other, "queue.get", "Queue")
    first, second = trace.task(name, "a"), trace.task("second", "b")
    trace.add("put", first, queue)
    trace.add("get", second, queue)
    trace.step(first, ("wait-began", queue, "queue.get"))
    check_bounds(parsed(trace))


@pytest.mark.parametrize("most", [10, 1000])
def test_loops_in_loops_and_crowds_stay_inside(most):
    trace = TraceBuilder()
    tasks = [trace.task(f"task {number}") for number in range(6)]
    queue = trace.resource("queue", "queue.get", "Queue")
    for outer in range(12):
        for waker, woken in zip(tasks, tasks[1:] + tasks[:1], strict=True):
            for _ in range(2):
                for _ in range(2):
                    trace.step(waker, ("put", queue), ("wait-began", 0, "sleep"))
                    trace.step(woken, ("get", queue))
                trace.add("cancel-requested", waker, tasks[outer // 6])
    root = parsed(trace, most_rows=most)
    check_bounds(root)
    frames = boxes(root, "frame")
    assert len(frames) >= (1 if most == 10 else 8)
    # Frames and notes lie in each other or beside each other, and never cross.
    shapes = frames + boxes(root, "note")
    for x, y, width, height in frames:
        for x2, y2, width2, height2 in shapes:
            apart = y + height <= y2 or y2 + height2 <= y
            within = y <= y2 and y2 + height2 <= y + height and x <= x2 and x2 + width2 <= x + width
            around = y2 <= y and y + height <= y2 + height2 and x2 <= x and x + width <= x2 + width2
            assert apart or within or around
