"""JSON lines are a trace in the open: they say the same, and errors have the line's number."""

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenloop.tracing import Trace, json_lines
from greenloop.tracing.document import Event, columns_of
from greenloop.tracing.head import TraceError
from lesson_traces import producer_sets_pace
from trace_builder import TraceBuilder


def written(trace):
    file = io.StringIO()
    json_lines.write(trace, file)
    return file.getvalue()


def test_a_line_has_names_and_no_zeros():
    builder = TraceBuilder()
    main = builder.task("Task-1", "main")
    builder.add("wait-began", main, 0, "sleep", value=17, site=3)
    builder.add("woken", 0, main, "timer")
    builder.add("put", main, 2, value=-1)
    builder.add(99, 0, 0, 98)
    head, *lines = written(builder.build()).splitlines()
    assert json.loads(head) == builder.head()
    assert lines == [
        '{"time":1000,"kind":"wait-began","detail":"sleep","task":1,"site":3,"value":17}',
        '{"time":2000,"kind":"woken","detail":"timer","other":1}',
        '{"time":3000,"kind":"put","task":1,"other":2,"value":-1}',
        '{"time":4000,"kind":99,"detail":98}',
    ]


def test_a_trace_is_read_as_it_was_written():
    trace = producer_sets_pace().build()
    assert json_lines.read(io.StringIO(written(trace))).to_bytes() == trace.to_bytes()
    assert json_lines.read(written(trace).splitlines()).to_bytes() == trace.to_bytes()


EVENTS = st.builds(
    Event,
    time=st.integers(0, 2**53),
    kind=st.integers(0, 255),
    detail=st.integers(0, 255),
    task=st.integers(0, 2**32 - 1),
    other=st.integers(0, 2**32 - 1),
    site=st.integers(0, 2**32 - 1),
    value=st.integers(-(2**53), 2**53),
)


@pytest.mark.slow
@given(st.lists(EVENTS, max_size=20), st.text())
def test_any_event_and_any_name_are_read_as_they_were_written(events, name):
    builder = TraceBuilder()
    builder.task(name)
    head = builder.head() | {"events": len(events)}
    trace = Trace(head, columns_of(events))
    read = json_lines.read(io.StringIO(written(trace)))
    assert [*read.events()] == events
    assert read.head_as_json() == head
    assert Trace.from_bytes(trace.to_bytes()).to_bytes() == read.to_bytes()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"time":1,"kind":"put"', "line 3 .* expected a JSON object"),
        ("", "line 3 .* expected a JSON object"),
        ("[1]", r"line 3 of the trace is '\[1\]', expected a JSON object"),
        ('{"time":1}', "line 3 of the trace has the kind None, expected a kind of event"),
        ('{"kind":"invented"}', "line 3 of the trace has the kind 'invented'"),
        ('{"kind":["put"]}', r"line 3 of the trace has the kind \['put'\]"),
        ('{"kind":"put","detail":"sleep"}', "has the detail 'sleep', expected one of 'put'"),
        ('{"kind":256}', "line 3 of the trace has kind 256, expected a number from 0 to 255"),
        ('{"kind":"put","task":-1}', "has task -1, expected a number from 0 to 4294967295"),
        ('{"kind":"put","other":"1"}', "has other '1', expected a number"),
        ('{"kind":"put","time":1.5}', "has time 1.5, expected a number"),
        ('{"kind":"put","value":true}', "has value True, expected a number"),
        (None, "the trace has 1 events, expected 2; the file is cut off"),
        ('{"kind":"put"}\n{"kind":"put"}', "has 3 events, expected 2; the file is longer"),
    ],
)
def test_a_line_that_is_no_event_is_refused_with_its_number(line, message):
    builder = TraceBuilder()
    builder.add("put")
    builder.add("get")
    lines = written(builder.build()).splitlines()
    lines[2:] = [] if line is None else [line] if line == "" else line.split("\n")
    with pytest.raises(TraceError, match=message):
        json_lines.read(lines)


@pytest.mark.parametrize("head", ["", "[]", '{"format":"other"}', '{"format":"greenloop-trace"}'])
def test_a_head_that_is_none_is_refused(head):
    with pytest.raises(TraceError, match=r"line 1 of the trace|not a trace|version None"):
        json_lines.read([head])
    with pytest.raises(TraceError, match="line 1 of the trace is ''"):
        json_lines.read([])
