"""A trace survives being written, and other bytes are refused with a reason."""

import json
import math
import pathlib
import re
import struct

import pytest

from greenloop.tracing import Trace
from greenloop.tracing.document import BYTES_PER_EVENT, COLUMNS, Event, columns_of
from greenloop.tracing.head import Process, Resource, Site, Task, TraceError
from greenloop.tracing.kinds import (
    DETAILS,
    Cause,
    Kind,
    Outcome,
    Wait,
    name_of_detail,
    name_of_kind,
    number_of_detail,
    number_of_kind,
)
from trace_builder import TraceBuilder

FORMAT = (pathlib.Path(__file__).resolve().parents[2] / "docs/trace-format.md").read_text()


@pytest.fixture
def builder():
    """A short trace: a task makes another one, which puts something into a queue."""
    builder = TraceBuilder()
    main = builder.task("Task-1", "main")
    orders = builder.resource("orders", "queue.get", "Queue", capacity=10)
    place = builder.site("/srv/app.py", 12, "main", "orders = Queue(10)")
    worker = builder.spawn(main, "worker", "Worker.run")
    builder.add("put", worker, orders, value=-(2**40), site=place)
    builder.add("wait-began", main, worker, "task")
    return builder


# Numbers and names


def numbers_of(table):
    """The rows `| 1 | 2 |` over `| a | b |`, or `| 1 | a | …`, of a part of the document."""
    cells = [[cell.strip(" `") for cell in row.split("|")[1:-1]] for row in table.splitlines()]
    return dict(
        pair
        for numbers, names in zip(cells, cells[2:], strict=False)
        if numbers and all(each.isdecimal() for each in numbers)
        for pair in zip(map(int, numbers), names, strict=True)
    )


def test_kinds_are_those_of_the_format():
    rows = re.findall(r"^\| (\d+) \| `([\w-]+)` \|", FORMAT, re.MULTILINE)
    assert {int(number): name for number, name in rows} == {int(k): k.label for k in Kind}


def test_kinds_of_wait_are_those_of_the_format():
    part = FORMAT.partition("Kinds of wait, the")[2].partition("Causes, the")[0]
    written = numbers_of(part)
    written |= {int(n): name for n, name in re.findall(r"(\d+) is `([\w.-]+)`", part)}
    assert written == {int(wait): wait.label for wait in Wait}


def test_causes_and_outcomes_are_those_of_the_format():
    for part, names in (("The causes are called", Cause), ("a task or job is", Outcome)):
        sentence = re.split("[;.]", FORMAT.partition(part)[2])[0]
        assert re.findall("`([a-z]+)`", sentence) == [each.label for each in names]
        assert [int(each) for each in names] == [*range(1, len(names) + 1)]


def test_every_name_leads_back_to_its_number():
    for kind in Kind:
        assert number_of_kind(name_of_kind(kind)) == kind
        for detail in DETAILS.get(kind, ()):
            assert number_of_detail(kind, name_of_detail(kind, detail)) == detail


def test_a_number_without_a_name_is_its_own_name():
    assert name_of_kind(99) == number_of_kind(99) == 99
    assert name_of_detail(Kind.WOKEN, 99) == number_of_detail(Kind.WOKEN, 99) == 99
    with pytest.raises(KeyError):
        number_of_kind("invented")
    with pytest.raises(KeyError):
        number_of_detail(Kind.PUT, "sleep")


# Events and the head


def test_events_come_back_in_their_order(builder):
    trace = builder.build()
    assert len(trace) == 3
    assert [*trace.events()] == builder.rows
    assert [*trace.rows()] == [tuple(event) for event in builder.rows]
    assert next(trace.events()) == Event(1000, Kind.TASK_CREATED, 0, 1, 3, 0, 0)


def test_a_trace_longer_than_one_piece_comes_back(monkeypatch):
    monkeypatch.setattr("greenloop.tracing.document._PIECE", 4)
    builder = TraceBuilder()
    for number in range(11):
        builder.add("put", number)
    assert [*builder.build().events()] == builder.rows


def test_the_head_says_what_numbers_stand_for(builder):
    trace = builder.build()
    assert trace.tasks[3] == Task("worker", "Worker.run", parent=1)
    assert trace.resources[2] == Resource("queue.get", "Queue", "orders", capacity=10)
    assert trace.sites == (None, Site("/srv/app.py", 12, "main", "orders = Queue(10)"))
    assert trace.process == Process(4711, ("app.py",), "3.13.0", "0.1.0", "MainThread")
    assert (trace.head.started, trace.head.lost) == (1767052800.25, 0)
    assert [trace.name_of(number) for number in (1, 2, 4)] == ["Task-1", "orders", "#4"]


def test_columns_are_as_the_format_says(builder):
    document = builder.build().to_bytes()
    head, _, columns = document.partition(b"\n")
    assert json.loads(head) == builder.head()
    assert len(head + b"\n") % 8 == 0
    read = struct.unpack("<3d3d3I3I3I3B3B", columns)
    names = [name for name, _ in COLUMNS for _ in range(3)]
    events = [event._asdict() for event in builder.rows] * len(COLUMNS)
    assert [*read] == [event[name] for event, name in zip(events, names, strict=True)]
    assert len(columns) == 3 * BYTES_PER_EVENT
    sentence = FORMAT.partition("each of `events` entries, in this order:")[2].partition(".")[0]
    assert [name for name, _ in COLUMNS] == re.findall("`(.+?)`", sentence)


def test_a_document_is_read_as_it_was_written(builder, tmp_path):
    document = builder.build().to_bytes()
    for kind in (bytes, bytearray, memoryview):
        read = Trace.from_bytes(kind(document))
        assert [*read.events()] == builder.rows
        assert read.to_bytes() == document
    path = str(tmp_path / "recording")
    builder.build().save(path)
    assert Trace.load(path).to_bytes() == document


def test_a_trace_without_events_is_one():
    trace = Trace.from_bytes(TraceBuilder().build().to_bytes())
    assert (len(trace), [*trace.events()]) == (0, [])


def test_names_that_are_no_text_survive(builder):
    builder.tasks[1]["name"] = "line\nbreak \udc80 é"
    read = Trace.from_bytes(builder.build().to_bytes())
    assert read.name_of(1) == "line\nbreak \udc80 é"


def test_fields_of_the_head_that_are_not_known_are_kept(builder):
    head = builder.head() | {"later": [1]}
    trace = Trace(head, columns_of(builder.rows))
    assert Trace.from_bytes(trace.to_bytes()).head_as_json() == head


def test_a_number_that_does_not_fit_is_refused():
    with pytest.raises(OverflowError):
        columns_of([Event(0, 256, 0, 0, 0, 0, 0)])


# Other bytes


def damaged(builder, change):
    """The document after a change of its bytes or of its head."""
    head = builder.head()
    changed = change(head)
    if isinstance(changed, bytes):
        return changed
    return json.dumps(head).encode() + b"\n" + columns_of(builder.rows)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda _: b"", "not a trace: it begins with b'', expected a line of JSON"),
        (lambda _: b"\x7fELF\0\0", "it begins with .*ELF.*, expected a line of JSON"),
        (lambda _: b"[1, 2]\n", "its format is .*1, 2.*, expected 'greenloop-trace'"),
        (lambda _: b'{"traceEvents": []}', "its format is None, expected 'greenloop-trace'"),
        (lambda h: h.update(version=2), "a trace of version 2, expected 1"),
        (lambda h: json.dumps(h).encode(), "ends in its head, expected a line end and the columns"),
        (lambda h: json.dumps(h).encode() + b'\n{"time": 1}', "written as JSON lines"),
        (lambda h: json.dumps(h).encode() + b"\n" + bytes(89), "89 bytes, expected 90 .* cut off"),
        (lambda h: json.dumps(h).encode() + b"\n" + bytes(91), "91 bytes, expected 90 .* longer"),
        (
            lambda h: (
                json.dumps(h).encode() + b"\n" + struct.pack("<6d42x", 1, 2, 3, 4, math.inf, 6)
            ),
            "event 1 of the trace has the value inf, expected a number",
        ),
        (lambda h: h.update(events=-3), "events of the trace is -3, expected a number from 0"),
        (lambda h: h.pop("events") and None, "events of the trace is None"),
        (lambda h: h.update(lost="no"), "lost of the trace is 'no'"),
        (lambda h: h.update(started="now"), "started of the trace is 'now', expected seconds"),
        (lambda h: h.update(tasks=[]), r"tasks of the trace is \[\], expected an object"),
        (lambda h: h["tasks"].update(x={}), "tasks of the trace has the key 'x'"),
        (lambda h: h["tasks"].update({"9": {}}), r"tasks\[9\] of the trace has no field 'name'"),
        (lambda h: h["tasks"].update({"9": 1}), r"tasks\[9\] of the trace is 1, expected an obj"),
        (
            lambda h: h["tasks"].update({"9": {"name": "x", "parent": "main"}}),
            r"tasks\[9\].parent of the trace is 'main', expected a number",
        ),
        (
            lambda h: h["resources"].update({"9": {"kind": 1, "type": "Q", "name": "q"}}),
            r"resources\[9\].kind of the trace is 1, expected text",
        ),
        (lambda h: h.update(sites=[]), r"sites of the trace is \[\], expected a list that begins"),
        (lambda h: h["process"].update(argv="app.py"), "process.argv of the trace is 'app.py', ex"),
    ],
)
def test_bytes_that_are_no_trace_are_refused_with_a_reason(builder, change, message, tmp_path):
    document = damaged(builder, change)
    with pytest.raises(TraceError, match=message) as caught:
        Trace.from_bytes(document)
    path = tmp_path / "recording"
    path.write_bytes(document)
    with pytest.raises(TraceError) as named:
        Trace.load(str(path))
    assert str(named.value) == f"{path}: {caught.value}"
