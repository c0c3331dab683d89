"""The sequence diagram says which task made, woke or gave something to which other one."""

import itertools

import pytest
from drawings import drawn

from greenloop.tracing.lifelines import MANY, MOST
from greenloop.tracing.sequence import Crowd, duration, sequence, span, title
from lesson_traces import producer_sets_pace
from trace_builder import MILLISECOND, SECOND, TraceBuilder


@pytest.fixture
def trace():
    """An empty trace."""
    return TraceBuilder()


@pytest.fixture
def pair(trace):
    """Two tasks that nobody made."""
    return trace.task("Task-1", "first"), trace.task("Task-2", "second")


# The lesson


def test_the_lesson_is_one_round_with_its_count():
    assert drawn(producer_sets_pace(rounds=10, interval=2 * SECOND)) == [
        "main -> Producer.run: spawn",
        "main -> Consumer.run: spawn",
        "main -> Producer.stop: spawn",
        "main: gather 21 s",
        "Producer.run: sleep 2 s",
        "Producer.run -> Consumer.run: queue: put → get",
        "Consumer.run: get(queue) 2 s",
        "Producer.stop: sleep 21 s",
        "times 9",
        "  Producer.run: sleep 2 s",
        "  Producer.run -> Consumer.run: queue: put → get",
        "  Consumer.run: get(queue) 2 s to 3 s",
        "Producer.stop -> Consumer.run: queue: put → get",
        "Producer.run -- main: result",
        "Producer.stop -- main: result",
        "Consumer.run -- main: result",
    ]


@pytest.mark.parametrize("rounds", [3, 100, 1000])
def test_a_longer_lesson_is_drawn_as_high_as_a_short_one(rounds):
    lines = drawn(producer_sets_pace(rounds, 20 * MILLISECOND))
    assert len(lines) == 16
    assert f"times {rounds - 1}" in lines


def test_rows_know_when_they_were():
    diagram = sequence(producer_sets_pace(rounds=10, interval=2 * SECOND).build())
    first, last = diagram.rows[0], diagram.rows[-1]
    assert first.end == 6_000
    assert 20 * SECOND < last.end < 22 * SECOND
    round_ = diagram.rows[8]
    assert (round_.count, [row.count for row in round_.body]) == (9, [9, 9, 9])
    assert [row.start // SECOND for row in round_.body] == [2, 2, 2]
    assert round_.body[1].last // SECOND == 18
    assert diagram.duration == producer_sets_pace().now


# Arrows


def test_an_item_goes_from_its_putter_to_its_getter_first_in_first_out(trace, pair):
    first, second = pair
    third = trace.task("Task-3", "third")
    one, other = (
        trace.resource("one", "queue.get", "Queue"),
        trace.resource("two", "queue.get", "Q"),
    )
    trace.step(first, ("put", one), ("put", other))
    trace.step(second, ("put", one))
    trace.step(third, ("get", one), ("get", other), ("get", one))
    assert drawn(trace) == [
        "first -> third: one: put → get",
        "first -> third: two: put → get",
        "second -> third: one: put → get",
    ]


def test_a_lifo_queue_gives_the_last_item_first(trace, pair):
    first, second = pair
    third = trace.task("Task-3", "third")
    stack = trace.resource("stack", "queue.get", "LifoQueue")
    trace.add("put", first, stack)
    trace.add("put", second, stack)
    trace.add("get", third, stack)
    assert drawn(trace) == ["second -> third: stack: put → get"]


def test_a_get_without_its_put_is_no_arrow(trace, pair):
    queue = trace.resource("queue", "queue.get", "Queue")
    trace.add("get", pair[0], queue)
    assert drawn(trace) == []


def test_a_put_outside_of_tasks_has_a_lifeline_of_its_own(trace, pair):
    queue = trace.resource("queue", "queue.get", "Queue")
    trace.add("put", 0, queue)
    trace.add("get", pair[1], queue)
    assert drawn(trace) == ["outside of tasks -> second: queue: put → get"]


@pytest.mark.parametrize(
    ("wait", "type", "note", "arrow"),
    [
        ("event", "Event", "wait(it)", "it: set → wait"),
        ("lock", "Lock", "acquire(it)", "it: release → acquire"),
        ("semaphore", "Semaphore", "acquire(it)", "it: release → acquire"),
        ("condition", "Condition", "wait(it)", "it: notify → wait"),
        ("barrier", "Barrier", "barrier it", "it: wait → wait"),
        ("queue.put", "Queue", "put(it)", "it: get → put"),
        ("queue.join", "Queue", "join(it)", "it: task_done → join"),
        ("future", "Future", "future it", "it: set → await"),
        ("foreign", "Thing", "foreign it", "it: wakes"),
    ],
)
def test_the_end_of_a_wait_is_an_arrow_from_the_task_that_ended_it(
    trace, pair, wait, type, note, arrow
):
    first, second = pair
    it = trace.resource("it", wait, type)
    trace.step(second, ("wait-began", it, wait))
    trace.advance(3 * MILLISECOND)
    trace.step(first, ("woken", second, "task"))
    trace.step(second)
    assert drawn(trace) == [f"second: {note} 3 ms", f"first -> second: {arrow}"]


@pytest.mark.parametrize("cause", ["timer", "descriptor", "thread", "signal", "callback"])
def test_a_wait_that_no_task_ended_is_a_note_alone(trace, pair, cause):
    first, _ = pair
    trace.step(first, ("wait-began", 0, "sleep"))
    trace.advance(MILLISECOND)
    trace.wake(first, 0, cause)
    trace.step(first)
    assert drawn(trace) == ["first: sleep 1 ms"]


def test_giving_way_once_is_not_drawn(trace, pair):
    trace.step(pair[0], ("wait-began", 0, "yield"), ("woken", pair[0], "task"))
    trace.step(pair[0])
    assert drawn(trace) == []


def test_a_wait_whose_end_was_lost_ends_with_the_next_step(trace, pair):
    trace.step(pair[0], ("wait-began", 0, "sleep"))
    trace.advance(MILLISECOND)
    trace.step(pair[0])
    trace.advance(SECOND)
    trace.add("loop-stopped")
    assert drawn(trace) == ["first: sleep 1 ms"]


def test_a_task_that_waits_to_the_end_is_told_from_others(trace, pair):
    queue = trace.resource("queue", "queue.get", "Queue")
    trace.step(pair[0], ("wait-began", queue, "queue.get"))
    trace.advance(2 * SECOND)
    trace.add("loop-stopped")
    assert drawn(trace) == [
        "first: get(queue) 2 s",
        "first: get(queue): still waiting after 2 s",
    ]


def test_tasks_that_wait_to_the_end_part_no_round(trace):
    main = trace.task("Task-1", "main")
    for number in range(100):
        child = trace.spawn(main, f"Task-{number + 2}", "handle")
        trace.step(child, ("wait-began", 0, "sleep"))
        if number % 7:
            trace.wake(child)
    trace.advance(SECOND)
    trace.add("loop-stopped")
    assert drawn(trace) == [
        "times 100",
        "  main -> handle ×100: spawn",
        "  handle ×100: sleep 2 µs to 1 s",
        "handle ×100: sleep: still waiting after 1 s ×15",
    ]


def test_a_cancellation_goes_from_the_requester_to_the_task(trace, pair):
    first, second = pair
    lock = trace.resource("lock", "lock", "Lock")
    trace.step(second, ("wait-began", lock, "lock"))
    trace.step(first, ("cancel-requested", second), ("woken", second, "cancellation"))
    trace.step(second, ("task-finished", 0, "cancelled"))
    trace.step(first, ("task-done-seen", second))
    assert drawn(trace) == [
        "second: acquire(lock) 4 µs",
        "first -> second: cancel",
        "second -- first: cancelled",
    ]


def test_a_result_goes_to_every_task_that_takes_it_once(trace):
    main = trace.task("Task-1", "main")
    child, other = trace.spawn(main, "Task-2", "child"), trace.spawn(main, "Task-3", "other")
    trace.step(main, ("wait-began", child, "task"))
    trace.step(child, ("task-finished", 0, "raised"))
    trace.wake(main, child, "task")
    trace.step(main, ("task-done-seen", child))
    trace.step(other, ("task-done-seen", child))
    assert drawn(trace)[-3:] == [
        "main: task child 5 µs",
        "child -- main: exception",
        "child -- other: exception",
    ]


def test_an_exception_that_nobody_takes_is_a_note(trace):
    main = trace.task("Task-1", "main")
    for name, outcome in (("good", "returned"), ("bad", "raised"), ("gone", "cancelled")):
        child = trace.spawn(main, name)
        trace.step(child, ("task-finished", 0, outcome))
    assert drawn(trace) == [
        "main -> good: spawn",
        "main -> bad: spawn",
        "bad: exception",
        "main -> gone: spawn",
        "gone: cancelled",
    ]


def test_a_group_takes_the_results_of_tasks_that_finish_while_it_waits(trace):
    main = trace.task("Task-1", "main")
    early, late = trace.spawn(main, "early"), trace.spawn(main, "late")
    trace.step(early, ("task-finished", 0, "returned"))
    trace.step(main, ("wait-began", 0, "task-group"))
    trace.step(late, ("task-finished", 0, "returned"))
    trace.wake(main, 0, "callback")
    assert drawn(trace)[2:] == ["main: task-group 5 µs", "late -- main: result"]


def test_bytes_go_to_the_network_and_come_from_it(trace, pair):
    line = trace.resource("client", "stream.read", "StreamReader")
    trace.step(pair[0], ("sent", line, 0, 10), ("wait-began", line, "stream.read"))
    trace.wake(pair[0], 0, "descriptor")
    trace.step(pair[0], ("received", line, 0, 20))
    assert drawn(trace) == [
        "first -> network: client: send",
        "first: read(client) 2 µs",
        "network -> first: client: receive",
    ]


def test_bytes_go_from_sender_to_receiver_if_both_ends_are_in_the_trace(trace, pair):
    first, second = pair
    third = trace.task("Task-3", "third")
    near = trace.resource("near", "stream.read", "StreamReader", peer=5)
    far = trace.resource("far", "stream.read", "StreamReader", peer=near)
    assert (near, far) == (4, 5)
    trace.step(first, ("sent", near, 0, 10))
    trace.step(third, ("sent", near, 0, 10))
    trace.step(second, ("received", far, 0, 4), ("received", far, 0, 16), ("received", far, 0, 1))
    assert drawn(trace) == [
        "first -> second: far: send → receive ×2",
        "third -> second: far: send → receive",
    ]


# Lifelines


def many(trace, count, coroutine="handle"):
    main = trace.task("Task-1", "main")
    for number in range(count):
        trace.spawn(main, f"Task-{number + 2}", coroutine)


def test_many_tasks_of_one_coroutine_are_one_lifeline(trace):
    many(trace, 1000)
    assert drawn(trace) == ["main -> handle ×1000: spawn ×1000"]


def test_a_few_tasks_of_one_coroutine_are_told_apart(trace):
    many(trace, 2)
    assert drawn(trace) == [
        "main -> handle (Task-2): spawn",
        "main -> handle (Task-3): spawn",
    ]


def test_a_name_that_the_program_gave_is_shown(trace):
    main = trace.task("the boss", "main")
    trace.spawn(main, "worker-1", "work")
    assert drawn(trace) == ["the boss -> worker-1: spawn"]


def test_a_task_that_the_head_does_not_have_is_its_number(trace):
    trace.add("cancel-requested", 7, 8)
    assert drawn(trace) == ["#7 -> #8: cancel"]


def test_smaller_classes_are_joined_when_lifelines_are_many(trace):
    main = trace.task("Task-1", "main")
    for number in range(MOST):
        trace.spawn(main, f"Task-{number + 2}", f"handle_{number // 2}")
    assert drawn(trace)[0] == "main -> handle_0 ×2: spawn ×2"
    assert 2 < MANY


def test_tasks_with_the_fewest_arrows_are_joined_last(trace):
    main = trace.task("Task-1", "main")
    tasks = [trace.spawn(main, f"task {number}") for number in range(30)]
    trace.add("cancel-requested", main, tasks[29])
    lifelines = sequence(trace.build()).lifelines
    assert [each.name for each in lifelines[:2]] == ["main", "task 0"]
    assert lifelines[-2].name == "task 29"
    assert lifelines[-1].name == "others ×20"
    assert len(lifelines) == MOST
    assert sorted(task for each in lifelines for task in each.tasks) == [main, *tasks]


def test_many_resources_of_one_place_have_one_name(trace):
    main = trace.task("Task-1", "main")
    for number in range(MANY):
        queue = trace.resource(f"Queue-{number}", "queue.get", "Queue")
        trace.step(main, ("wait-began", queue, "queue.get"), ("woken", main, "timer"))
    assert drawn(trace) == [f"main: get(Queue) 1 µs ×{MANY}"]


# Rows


def test_loops_in_loops_are_drawn_once(trace, pair):
    first, second = pair
    queue = trace.resource("queue", "queue.get", "Queue")
    for _ in range(100):
        for _ in range(10):
            trace.step(first, ("put", queue))
            trace.step(second, ("get", queue))
        trace.step(first, ("wait-began", 0, "sleep"))
        trace.wake(first)
    assert drawn(trace) == [
        "times 100",
        "  first -> second: queue: put → get ×10",
        "  first: sleep 2 µs",
    ]


def mixed(trace, pair, count):
    first, second = pair
    locks = [trace.resource(f"lock {number}", "lock", "Lock") for number in range(7)]
    trace.spawn(first, "child")
    for number in range(count):
        # The gaps between squares never repeat.
        lock = locks[number * number * 7919 % 101 % 7]
        trace.step(first, ("wait-began", lock, "lock"))
        trace.step(second, ("woken", first, "task"))
    trace.spawn(second, "last")
    return trace


def test_rows_that_do_not_repeat_are_shortened_in_the_middle(trace, pair):
    mixed(trace, pair, 150)
    whole = drawn(trace, most_rows=10_000)
    short = drawn(trace, most_rows=20)
    assert "mixed" not in " ".join(whole)
    assert short[0] == whole[0] == "first -> child: spawn"
    assert short[-1] == whole[-1] == "second -> last: spawn"
    crowd = short.index(next(line for line in short if line.startswith("mixed")))
    inside = [*itertools.takewhile(lambda line: line.startswith("  "), short[crowd + 1 :])]
    assert sum("times" not in line for line in short) - len(inside) - 1 <= 20
    assert 5 < crowd < 15
    counts = [int(line.partition("×")[2] or 1) for line in inside]
    assert sum(counts) == int(short[crowd].split()[1])
    assert len({line.partition(" ×")[0] for line in inside}) == len(inside)


def test_a_loop_with_a_long_round_is_shortened_in_its_round(trace, pair):
    first, second = pair
    locks = [trace.resource(f"lock {number}", "lock", "Lock") for number in range(60)]
    for _ in range(5):
        for lock in locks:
            trace.step(first, ("wait-began", lock, "lock"))
            trace.step(second, ("woken", first, "task"))
    lines = drawn(trace, most_rows=20)
    assert lines[0] == "times 5"
    assert lines[1] == "  first: acquire(lock 0) 3 µs"
    assert lines[-1] == "  second -> first: lock 59: release → acquire"
    assert "  mixed 100" in lines


def test_a_long_round_among_other_rows_keeps_its_loop(trace, pair):
    first, second = pair
    locks = [trace.resource(f"lock {number}", "lock", "Lock") for number in range(60)]
    trace.spawn(first, "third")
    for _ in range(5):
        for lock in locks:
            trace.step(first, ("wait-began", lock, "lock"))
            trace.step(second, ("woken", first, "task"))
    trace.spawn(second, "fourth")
    lines = drawn(trace, most_rows=22)
    assert lines[:2] == ["first -> third: spawn", "times 5"]
    assert "  mixed 100" in lines
    assert lines[-1] == "second -> fourth: spawn"


def test_a_crowd_has_the_most_frequent_arrows(trace, pair):
    first, second = pair
    locks = [trace.resource(f"lock {number}", "lock", "Lock") for number in range(300)]
    for number in range(2000):
        lock = locks[0] if number % 3 == 0 else locks[number * number * 31 % 299]
        trace.step(first, ("wait-began", lock, "lock"))
        trace.step(second, ("woken", first, "task"))
    diagram = sequence(trace.build(), most_rows=20)
    (crowd,) = [row for row in diagram.rows if isinstance(row, Crowd)]
    assert (len(crowd.rows), crowd.whole) == (20, False)
    assert title(crowd) == f"{crowd.count} in changing order, the most frequent"
    assert crowd.count > 3900
    assert crowd.rows[0].count > 600
    assert min(row.count for row in crowd.rows) > 1
    assert [row.start for row in crowd.rows] == sorted(row.start for row in crowd.rows)


# Durations


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [
        (0, "0 ns"),
        (999, "999 ns"),
        (1_000, "1 µs"),
        (1_250, "1.25 µs"),
        (999_900, "1 ms"),
        (12_345_678, "12.3 ms"),
        (2 * SECOND, "2 s"),
        (1234 * SECOND, "1234 s"),
    ],
)
def test_durations_have_three_digits_and_a_unit(nanoseconds, text):
    assert duration(nanoseconds) == text


def test_a_span_has_two_ends_if_they_differ():
    assert span(2 * SECOND, 2 * SECOND + MILLISECOND) == "2 s"
    assert span(MILLISECOND, SECOND) == "1 ms to 1 s"


def test_an_empty_trace_is_an_empty_diagram(trace):
    diagram = sequence(trace.build())
    assert (diagram.lifelines, diagram.rows, diagram.duration) == ([], [], 0)
