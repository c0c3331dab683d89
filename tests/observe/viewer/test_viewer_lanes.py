"""The states of tasks that the page reads from the events, in every order that loops write."""

import pytest

from trace_builder import MICROSECOND, TraceBuilder

pytestmark = pytest.mark.slow

SPANS = """(() => {
  const lane = l.laneOf[TASK], found = [];
  for (let i = l.first[lane]; i < l.first[lane + 1]; i++)
    found.push([l.state[i], (l.end[i] - l.start[i]) / 1000]);
  return found;
})()"""
RUNNING, READY, GET, LOCK, SLEEP, YIELD, UNKNOWN = 0, 1, 2 + 1, 2 + 4, 2 + 9, 2 + 25, 2


def spans(opened, name, make):
    """The states of task 1 and how many microseconds each took."""
    trace = TraceBuilder()
    task = trace.spawn(0, "worker")
    make(trace, task)
    page = opened("timeline", name, trace.build)
    return page, [tuple(each) for each in page.get(SPANS.replace("TASK", str(task)))]


def test_a_wait_begins_when_the_step_ends(opened):
    def make(trace, task):
        queue = trace.resource("jobs", "queue.get", "Queue")
        trace.step(task, ("wait-began", queue, "queue.get"))
        trace.advance(5 * MICROSECOND)
        trace.wake(task)
        trace.step(task, ("task-finished", 0, "returned"))

    page, found = spans(opened, "wait", make)
    assert found == [(READY, 1), (RUNNING, 2), (GET, 6), (READY, 1), (RUNNING, 2)]
    assert page.get("r.nameOf(l.other[l.first[1] + 2])") == "jobs"


def test_a_task_that_is_woken_within_its_step_only_waits_for_its_turn(opened):
    def make(trace, task):
        trace.step(task, ("wait-began", 0, "yield"), ("woken", task, "task"))
        trace.step(task)

    _, found = spans(opened, "yield", make)
    assert found == [(READY, 1), (RUNNING, 3), (READY, 1), (RUNNING, 1)]


def test_a_wait_that_is_told_after_the_step_has_its_kind_from_then_on(opened):
    def make(trace, task):
        lock = trace.resource("lock", "lock", "Lock")
        trace.step(task)
        trace.add("wait-began", task, lock, "lock")
        trace.wake(task)

    _, found = spans(opened, "late", make)
    assert found == [(READY, 1), (RUNNING, 1), (UNKNOWN, 1), (LOCK, 1)]


def test_a_task_that_is_done_has_no_state(opened):
    def make(trace, task):
        trace.step(task, ("task-finished", 0, "cancelled"))
        trace.advance(9 * MICROSECOND)
        trace.add("loop-stopped")

    page, found = spans(opened, "done", make)
    assert found == [(READY, 1), (RUNNING, 2)]
    assert page.get("l.at(1, r.end - 1)") == -1
    page.press("4")
    assert "cancelled" in page.text("#table-tasks tbody")


def test_a_task_from_before_the_recording_is_there_when_it_is_first_heard_of(opened):
    def make(trace, task):
        elder = trace.task("elder")
        trace.step(elder, ("wait-began", 0, "sleep"))
        trace.wake(elder)
        trace.advance(MICROSECOND)
        trace.step(elder)

    page, _ = spans(opened, "before", make)
    elder = [tuple(each) for each in page.get(SPANS.replace("TASK", "2"))]
    assert elder == [(RUNNING, 2), (SLEEP, 1), (READY, 2), (RUNNING, 1)]


def test_tasks_and_kinds_that_the_head_and_the_format_do_not_know_are_shown(opened):
    def make(trace, task):
        trace.step(77, ("wait-began", 78, 200))
        trace.add(250, 77, 79)

    page, _ = spans(opened, "unknown", make)
    assert page.get("r.nameOf(l.task[l.laneOf[77]])") == "#77"
    for view in ("sequence", "graph", "tables", "path", "timeline"):
        page.run("greenloop.show(arguments[0])", view)
        page.settle()


def test_an_elder_tasks_wait_is_ended_by_the_event_that_the_details_tell(opened):
    def make(trace, task):
        event = trace.resource("go", "event", "Event")
        other = trace.spawn(task, "starter")
        trace.step(task, ("wait-began", event, "event"))
        trace.step(other, ("set", event), ("woken", task, "task"))
        trace.step(task)

    page, _ = spans(opened, "set", make)
    page.run("greenloop.session.select(greenloop.session.lanes.first[1] + 2)")
    details = page.text("#details")
    assert "starter" in details
    assert "set go" in details
