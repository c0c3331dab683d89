"""The Trace Event Format holds: slices nest, arrows join them, and tracks have names.

`check` knows the demands of the format's document and of Perfetto's importer.
"""

import io
import json
from collections import Counter

import pytest

from greenloop.tracing import Trace, perfetto
from greenloop.tracing.document import columns_of
from lesson_traces import producer_sets_pace
from trace_builder import MILLISECOND, SECOND, TraceBuilder

FIELDS = {
    "B": {"ts", "name", "cat"},
    "E": {"ts"},
    "i": {"ts", "name", "cat", "s", "args"},
    "s": {"ts", "name", "cat", "id"},
    "f": {"ts", "name", "cat", "id", "bp"},
    "C": {"ts", "name", "args"},
    "M": {"name", "args"},
}


def exported(builder):
    trace = builder.build() if isinstance(builder, TraceBuilder) else builder
    file = io.StringIO()
    perfetto.write(trace, file)
    assert file.getvalue().isascii()
    events = json.loads(file.getvalue())["traceEvents"]
    check(events)
    return events


def check(events):
    """Assert that events have the form of the format, and that arrows lead from and to slices."""
    now, stacks, arrows = 0, {}, {}
    named = {event["tid"] for event in events if event.get("name") == "thread_name"}
    for event in events:
        phase = event["ph"]
        assert FIELDS[phase] | {"ph", "pid", "tid"} <= event.keys() | {"args"}
        assert type(event["pid"]) is type(event["tid"]) is int
        assert event["pid"] > 0 < event["tid"]
        if phase == "M":
            continue
        assert event["tid"] in named
        assert event["ts"] >= now, "events are in the order of their times"
        now = event["ts"]
        stack = stacks.setdefault(event["tid"], [])
        if phase == "B":
            stack.append(event["name"])
        elif phase == "E":
            stack.pop()
        elif phase == "s":
            assert event["id"] not in arrows
            assert stack[-1] == "running"
            arrows[event["id"]] = (event["name"], event["cat"])
        elif phase == "f":
            assert arrows.pop(event["id"]) == (event["name"], event["cat"])
            assert event["bp"] == "e"
            assert stack[-1] == "ready"
        elif phase == "C":
            assert all(isinstance(value, int | float) for value in event["args"].values())
        elif phase == "i":
            assert event["s"] in ("t", "p", "g")
    assert not any(stacks.values()), "every slice has an end"
    return arrows


def slices(events, track):
    """The slices of a track: name, beginning and end in microseconds."""
    found, open_ = [], []
    for event in events:
        if event["tid"] == track and event["ph"] in "BE":
            if event["ph"] == "B":
                open_.append(event)
            else:
                begin = open_.pop()
                found.append((begin["name"], begin["ts"], event["ts"]))
    return found


def tracks(events):
    """The numbers of the tracks by their names."""
    return {
        event["args"]["name"]: event["tid"]
        for event in events
        if event.get("name") == "thread_name"
    }


def test_each_task_is_a_track_with_its_states():
    events = exported(producer_sets_pace(rounds=2, interval=2 * SECOND))
    assert [*tracks(events)] == [
        "loop in MainThread",
        "Task-1 (main)",
        "Task-2 (Producer.run)",
        "Task-3 (Consumer.run)",
        "Task-4 (Producer.stop)",
    ]
    assert slices(events, tracks(events)["Task-3 (Consumer.run)"]) == [
        ("ready", 7, 15),
        ("running", 15, 18),
        ("waiting: queue.get queue", 18, 2000019),
        ("ready", 2000019, 2000022),
        ("running", 2000022, 2000025),
        ("waiting: queue.get queue", 2000025, 5000019),
        ("ready", 5000019, 5000022),
        ("running", 5000022, 5000025),
    ]
    assert slices(events, tracks(events)["loop in MainThread"]) == [
        ("poll", 22, 2000014),
        ("poll", 2000026, 4000014),
        ("poll", 4000021, 5000014),
    ]


def test_arrows_lead_from_the_waker_to_the_woken():
    events = exported(producer_sets_pace(rounds=2))
    names = {number: name for name, number in tracks(events).items()}
    starts = {event["id"]: names[event["tid"]] for event in events if event["ph"] == "s"}
    ends = {event["id"]: names[event["tid"]] for event in events if event["ph"] == "f"}
    pairs = [(starts[each], ends[each]) for each in starts]
    assert pairs == [
        ("Task-1 (main)", "Task-2 (Producer.run)"),
        ("Task-1 (main)", "Task-3 (Consumer.run)"),
        ("Task-1 (main)", "Task-4 (Producer.stop)"),
        ("Task-2 (Producer.run)", "Task-3 (Consumer.run)"),
        ("Task-4 (Producer.stop)", "Task-3 (Consumer.run)"),
    ]


def test_the_lag_of_the_loop_is_the_longest_time_that_a_ready_task_waited():
    trace = TraceBuilder()
    first, second = trace.spawn(0, "first"), trace.spawn(0, "second")
    trace.add("step-began", first)
    trace.advance(30 * MILLISECOND)
    trace.add("step-ended", first)
    trace.step(second)
    trace.add("poll-began")
    trace.add("poll-ended")
    trace.add("poll-began")
    trace.add("poll-ended")
    lag = [event for event in exported(trace) if event["ph"] == "C"]
    assert [(event["name"], event["args"]) for event in lag] == [
        ("loop lag", {"µs": 30_003}),
        ("loop lag", {"µs": 0}),
    ]


def test_moments_are_instant_events_with_their_details():
    trace = TraceBuilder()
    main = trace.task("Task-1", "main")
    lock = trace.resource("lock", "lock", "Lock")
    place = trace.site("/srv/app.py", 12, "main")
    trace.step(main, ("acquired", lock, 0, 1, place), ("task-finished", 0, "raised"))
    trace.add("lost", value=17)
    moments = [event for event in exported(trace) if event["ph"] == "i"]
    assert [(each["name"], each["s"], each["args"]) for each in moments] == [
        ("acquired", "t", {"of": "lock", "value": 1, "at": "/srv/app.py:12"}),
        ("task-finished", "t", {"detail": "raised"}),
        ("lost", "p", {"value": 17}),
    ]


def test_a_task_that_is_woken_in_its_own_step_is_ready_after_it():
    trace = TraceBuilder()
    main, other = trace.task("main"), trace.task("other")
    trace.step(main, ("wait-began", 0, "yield"), ("woken", main, "task"))
    trace.add("step-began", other)
    trace.add("step-began", main)
    trace.wake(main, other, "task")
    trace.add("step-ended", main)
    events = exported(trace)
    assert [(name, start) for name, start, _ in slices(events, main)] == [
        ("running", 1),
        ("ready", 4),
        ("running", 6),
        ("ready", 8),
    ]


def test_a_trace_that_begins_and_ends_in_the_middle_is_whole():
    trace = TraceBuilder()
    main = trace.task("main")
    trace.add("step-ended", main)
    trace.add("callback-ended")
    trace.add("poll-ended")
    trace.wake(main)
    trace.wake(main)
    trace.add("step-began", main)
    trace.add("wait-began", main, 0, "sleep")
    trace.add("callback-began")
    assert [name for name, *_ in slices(exported(trace), main)] == ["waiting", "ready", "running"]


def test_names_may_hold_anything():
    trace = TraceBuilder()
    main = trace.task('a "task"\n\udc80 é', "co")
    trace.step(main, ("wait-began", trace.resource('"q"\\', "queue.get", "Q"), "queue.get"))
    events = exported(trace)
    assert 'a "task"\n? é (co)' in tracks(events)
    assert slices(events, main)[-1][0] == 'waiting: queue.get "q"\\'


def test_a_process_without_a_number_is_not_the_idle_one():
    trace = producer_sets_pace()
    head = trace.head() | {"process": {}}
    events = exported(Trace(head, columns_of(trace.rows)))
    assert {event["pid"] for event in events} == {1}


def test_times_have_three_digits_behind_the_point():
    assert [perfetto._time(each) for each in (0, 7, 1_000, 1_001, 2**53)] == [
        "0",
        "0.007",
        "1",
        "1.001",
        "9007199254740.992",
    ]


def test_every_event_of_the_lesson_is_exported():
    counts = Counter(event["ph"] for event in exported(producer_sets_pace(rounds=1000)))
    assert counts["B"] == counts["E"]
    assert counts["s"] == counts["f"] == 3 + 999 + 1
    assert counts["C"] == 1000 + 1


def test_the_checks_of_these_tests_can_fail():
    events = exported(producer_sets_pace(rounds=2))
    flows = [event for event in events if event["ph"] == "s"]
    for broken in (
        [event for event in events if event["ph"] != "E"],
        [event for event in events if event["ph"] != "M"],
        [event for event in events if event["ph"] != "s"],
        [*events[:4], *reversed(events[4:])],
        [*events, flows[0]],
    ):
        with pytest.raises((AssertionError, KeyError, IndexError)):
            check(broken)
