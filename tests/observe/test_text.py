"""A diagram as plain text: columns as wide as their texts, and a list where these are too wide."""

from greenloop.tracing.sequence import sequence
from greenloop.tracing.text import WIDTH, text
from lesson_traces import producer_sets_pace
from trace_builder import TraceBuilder


def text_of(builder, *arguments, **options):
    return text(sequence(builder.build()), *arguments, **options)


def test_the_lesson_is_columns_with_a_frame_around_its_rounds():
    assert (
        text_of(producer_sets_pace(), durations=False)
        == """\
  main          Producer.run            Consumer.run            Producer.stop
  │ ─ spawn ──► │                       │                       │
  │ ───────────── spawn ──────────────► │                       │
  │ ───────────────────────── spawn ──────────────────────────► │
  │ gather      │                       │                       │
  │             │ sleep                 │                       │
  │             │ ─ queue: put → get ─► │                       │
  │             │                       │ get(queue)            │
  │             │                       │                       │ sleep
┌ 9 times
│ │             │ sleep                 │                       │
│ │             │ ─ queue: put → get ─► │                       │
│ │             │                       │ get(queue)            │
  │             │                       │ ◄─ queue: put → get ─ │
  │ ◄╌ result ╌ │                       │                       │
  │ ◄╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌ result ╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌ │
  │ ◄╌╌╌╌╌╌╌╌╌╌╌╌╌ result ╌╌╌╌╌╌╌╌╌╌╌╌╌ │                       │"""
    )


def test_what_is_too_wide_is_a_list():
    diagram = sequence(producer_sets_pace().build())
    columns = text(diagram).splitlines()
    widest = max(map(len, columns))
    assert text(diagram, widest).splitlines() == columns
    listed = text(diagram, widest - 1).splitlines()
    assert len(listed) == len(columns) - 1
    assert listed[:4] == [
        "main ─► Producer.run: spawn",
        "main ─► Consumer.run: spawn",
        "main ─► Producer.stop: spawn",
        "main: gather 21 s",
    ]
    assert listed[8:11] == [
        "┌ 9 times",
        "│ Producer.run: sleep 2 s",
        "│ Producer.run ─► Consumer.run: queue: put → get",
    ]


def test_each_text_has_room_and_each_lifeline_its_column():
    trace = TraceBuilder()
    tasks = [trace.task(f"{'long ' * number}name") for number in range(3)]
    queue = trace.resource("of.<locals>.a queue\nwith a name", "queue.get", "Queue")
    for task in tasks:
        for other in tasks:
            if task != other:
                trace.add("put", task, queue)
                trace.add("get", other, queue)
                trace.add("wait-began", other, queue, "queue.get")
    lines = text_of(trace, 200).splitlines()
    columns = [index for index, sign in enumerate(lines[-1]) if sign == "│"]
    assert len(columns) == 3
    for line in lines[1:]:
        assert all(line[column] in "│─╌" or "►" in line or "◄" in line for column in columns)
        assert "<locals>" not in line
    arrows = [line for line in lines if "►" in line or "◄" in line]
    assert arrows
    for arrow in arrows:
        assert " ─" in arrow
        assert "─ " in arrow


def test_a_trace_without_events_is_no_line():
    assert text_of(TraceBuilder()) == ""
    assert WIDTH == 100
