"""A document becomes a report whatever it holds, and its fields are those of the format."""

import dataclasses
import json
import pathlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenloop.monitoring import report as module
from greenloop.monitoring.report import FORMAT, ReportError, report_of, stalls_of
from greenloop.monitoring.untrusted import integer, lines, number, text
from greenloop.tracing.kinds import Wait as KindOfWait

DOCUMENT = (pathlib.Path(__file__).resolve().parents[3] / "docs/report-format.md").read_text()
EXAMPLE = json.loads(re.search(r"```json\n(.*?)```", DOCUMENT, re.DOTALL)[1])

# Fields whose names in Python differ from those of the document.
IN_PYTHON = {"class": "cls", "stack": "frames"}


def tables():
    """The tables of the document: for each object, the fields in their order."""
    found = {}
    for name, rows in re.findall(
        r"^\| (\w+) \| \|\n\| --- \| --- \|\n((?:\|.*\n?)+)", DOCUMENT, re.M
    ):
        cells = [row.split("|")[1] for row in rows.splitlines()]
        found[name] = [field for cell in cells for field in re.findall(r"`(\w+)`", cell)]
    return found


CLASSES = {
    each.__name__.lower(): each
    for each in vars(module).values()
    if isinstance(each, type) and dataclasses.is_dataclass(each)
}


def test_every_object_has_its_table():
    assert tables().keys() == CLASSES.keys()


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_the_fields_are_those_of_the_format(name):
    ours = {field.name for field in dataclasses.fields(CLASSES[name])}
    written = tables()[name]
    named = {each if each in ours else IN_PYTHON[each] for each in written}
    assert named == ours
    assert len(written) == len(set(written))


def objects_of(found):
    """All objects of a document, each with the name of the field that it is in."""
    for key, value in found.items():
        for each in value if isinstance(value, list) else [value]:
            if isinstance(each, dict):
                yield key, each
                yield from objects_of(each)


def test_the_example_has_all_fields_and_no_others():
    tables_of_fields = {
        **{
            f"{name}s": name for name in ("loop", "task", "resource", "deadlock", "stall", "holder")
        },
        **{name: name for name in ("stale", "lag", "wait", "place")},
        "stack": "place",
        "parties": "party",
        "holds": "held",
    }
    assert list(EXAMPLE) == ["format", *tables()["report"]]
    seen = set()
    for key, found in objects_of(EXAMPLE):
        if key != "counters":
            seen.add(tables_of_fields[key])
            assert sorted(found) == sorted(tables()[tables_of_fields[key]]), key
    assert seen | {"report"} == CLASSES.keys()


def test_the_example_is_read():
    report = report_of(EXAMPLE)
    (task,) = report.tasks
    assert (task.name, task.wait.kind, task.wait.line) == ("consumer", "queue.get", 1)
    assert task.wait.kind in {kind.label for kind in KindOfWait}
    assert [place.function for place in task.stack] == ["consume"]
    assert task.place is task.stack[0]
    assert report.resources[0].cls == "Queue"
    assert report.resources[1].holders[0].place.line == 10
    (deadlock,) = report.deadlocks
    assert deadlock.parties[0].holds[0].text == "lock 'ledger'"
    assert len(deadlock.text) == 2
    assert deadlock.parties[0].coroutine == "consume"
    assert report.stalls == stalls_of(EXAMPLE) == stalls_of({"stalls": EXAMPLE["stalls"]})
    assert report.counters == EXAMPLE["counters"]


def test_what_is_missing_says_nothing():
    report = report_of({"format": FORMAT, "tasks": [{}], "stalls": [{}], "deadlocks": [{}]})
    assert report.loops == report.resources == ()
    assert (report.tasks[0].id, report.tasks[0].stack, report.tasks[0].wait) == (0, (), None)
    assert not report.stalls[0].over
    assert report.deadlocks[0].text == ()


@pytest.mark.parametrize("found", [None, 7, "greenloop-report/2", "x\x1b[2J", [], {}])
def test_another_format_is_refused(found):
    with pytest.raises(ReportError, match="expected greenloop-report/1") as refusal:
        report_of({"format": found})
    assert str(refusal.value).isprintable()


@pytest.mark.parametrize(
    ("found", "read"),
    [
        ("orders", "orders"),
        ("naïve 任务 🦀", "naïve 任务 🦀"),
        ("\x1b]0;evil\x07", "\\x1b]0;evil\\x07"),
        ("a\nb\tc", "a\\nb\\tc"),
        ("\x9b31m\x7f", "\\x9b31m\\x7f"),
        ("a\u202eb", "a\\u202eb"),
        ("\ud800", "\\ud800"),
        (7, ""),
        (None, ""),
    ],
)
def test_a_text_cannot_steer_a_terminal(found, read):
    assert text(found) == read
    assert text(read) == read


def test_lines_stay_lines():
    assert lines("a\n\x1bb\n") == ("a", "\\x1bb", "")
    assert lines("") == lines(None) == ()


@pytest.mark.parametrize(
    ("found", "read", "whole"),
    [
        (7, 7.0, 7),
        (7.5, 7.5, None),
        (7.0, 7.0, 7),
        (True, None, None),
        ("7", None, None),
        (float("inf"), None, None),
        (float("nan"), None, None),
        (10**4000, None, None),
        (-(10**400), None, None),
    ],
)
def test_a_number_is_finite(found, read, whole):
    assert number(found) == read
    assert integer(found) == whole


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


@pytest.mark.slow
@given(st.data())
def test_any_value_in_any_field_is_read(data):
    found = json.loads(json.dumps(EXAMPLE))
    places = [found, *(each for _, each in objects_of(found))]
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.sampled_from(places))
        place[data.draw(st.sampled_from(sorted(place)))] = data.draw(anything)
    found["format"] = FORMAT
    report = report_of(found)
    for task in report.tasks:
        assert all(place.function.isprintable() for place in task.stack)
