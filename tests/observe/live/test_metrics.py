"""The numbers of a report are what Prometheus reads, by its own parser."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reports import crossed_locks, loop, report, stall, task, wait

from greenloop.monitoring.metrics import metrics
from greenloop.monitoring.report import report_of

parser = pytest.importorskip("prometheus_client.parser")


def families(document):
    """The metrics of a report by their names, as Prometheus's parser reads them."""
    lines = list(metrics(report_of(document)))
    assert all("\n" not in line for line in lines)
    text = "".join(f"{line}\n" for line in lines)
    found = list(parser.text_string_to_metric_families(text))
    assert len({family.name for family in found}) == len(found)
    return {family.name: family for family in found}


def values(family):
    """The values of a metric by the values of their labels."""
    return {tuple(each.labels.values()): each.value for each in family.samples}


def test_tasks_are_counted_by_state_and_by_kind_of_wait():
    found = families(
        report(
            task(1, state="running", wait=None),
            task(2, wait=wait("sleep")),
            task(3, wait=wait("queue.get")),
            task(4, wait=wait("queue.get")),
            task(5, state="strange", wait=None),
        )
    )
    assert values(found["greenloop_tasks"]) == {
        ("running",): 1,
        ("ready",): 0,
        ("waiting",): 3,
        ("other",): 1,
    }
    assert values(found["greenloop_tasks_waiting"]) == {("sleep",): 1, ("queue.get",): 2}


def test_every_metric_has_its_help_and_its_type():
    found = families({**crossed_locks(), "stalls": [stall(), stall(2, over=True)]})
    assert all(family.documentation.endswith(".") for family in found.values())
    assert {family.type for family in found.values()} == {"gauge", "counter", "summary"}
    assert values(found["greenloop_current_deadlocks"]) == {(): 1}
    assert values(found["greenloop_current_stalls"]) == {(): 1}


def test_a_counter_ends_in_total():
    found = families(report(counters={"tasks_created": 12, "rings-lost": 3, "x_total": 1, "": 5}))
    counters = [
        each.name
        for family in found.values()
        if family.type == "counter"
        for each in family.samples
    ]
    assert counters == [
        "greenloop_loop_steps_total",
        "greenloop_rings_lost_total",
        "greenloop_tasks_created_total",
        "greenloop_x_total",
    ]


def test_what_may_become_less_is_no_counter():
    found = families(report(task(1), counters={"tasks": 3, "tasks_left_out": 2}))
    assert values(found["greenloop_tasks_left_out"]) == {(): 2}
    assert [name for name, family in found.items() if family.type == "counter"] == [
        "greenloop_loop_steps"
    ]


def test_no_counter_takes_the_name_of_another_metric():
    found = families(report(counters={"loop_steps": 1, "a b": 2, "a.b": 3}))
    assert values(found["greenloop_loop_steps"]) == {("1",): 123456}
    assert values(found["greenloop_a_b"]) == {(): 2}


def test_the_lag_is_a_summary():
    found = families(report(loops=[loop(), loop(id=2, lag={"count": 0, "p50": None, "max": None})]))
    samples = [
        (each.name, each.labels, each.value) for each in found["greenloop_loop_lag_seconds"].samples
    ]
    assert samples == [
        ("greenloop_loop_lag_seconds", {"loop": "1", "quantile": "0.5"}, 0.0001),
        ("greenloop_loop_lag_seconds", {"loop": "1", "quantile": "0.99"}, 0.002),
        ("greenloop_loop_lag_seconds_count", {"loop": "1"}, 10),
        ("greenloop_loop_lag_seconds_count", {"loop": "2"}, 0),
    ]
    assert values(found["greenloop_loop_lag_max_seconds"]) == {("1",): 0.02}


@pytest.mark.parametrize(
    ("written", "read"),
    [('say "hi"', 'say "hi"'), ("back\\slash", "back\\slash"), ("a\nb\x1b", "a\\nb\\x1b")],
)
def test_labels_are_escaped(written, read):
    (sample,) = families(report(program=[written]))["greenloop_info"].samples
    assert sample.labels == {"greenloop": "0.1.0", "python": "3.13.0", "program": read}


def test_the_age_of_a_report_is_said():
    assert values(families(report())["greenloop_report_age_seconds"]) == {(): 0}
    old = report(stale={"age": 3.2, "because": "native code"})
    assert values(families(old)["greenloop_report_age_seconds"]) == {(): 3.2}


@pytest.mark.slow
@given(
    st.dictionaries(st.text(max_size=12), st.floats() | st.integers()),
    st.lists(st.builds(lambda kind: task(1, wait=wait(kind)), st.text(max_size=12)), max_size=4),
    st.lists(st.builds(loop, id=st.integers(), steps=st.integers()), max_size=3),
    st.lists(st.text(), max_size=2),
)
def test_any_report_is_read(counters, tasks, loops, program):
    document = report(*tasks, counters=counters, loops=loops, program=program)
    for family in families(json.loads(json.dumps(document))).values():
        assert all(math.isfinite(each.value) for each in family.samples)
        labels = [(each.name, tuple(each.labels.items())) for each in family.samples]
        assert len(set(labels)) == len(labels)
