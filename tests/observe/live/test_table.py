"""The table of tasks: what its lines say, which tasks share one, and in which order they are."""

import re

import pytest
from reports import crossed_locks, loop, place, report, stall, task, wait

from greenloop.monitoring.report import report_of
from greenloop.monitoring.screen import Screen
from greenloop.monitoring.table import processes, table
from greenloop.monitoring.tree import tree

WIDE = Screen(None)


def printed(text, document, screen=WIDE, **options):
    """The lines of a text about a report."""
    return list(text(report_of(document), screen, **options))


def rows(document, screen=WIDE, **options):
    """The cells of the table below its titles; columns are two spaces apart."""
    lines = printed(table, document, screen, **options)
    titles = next(index for index, line in enumerate(lines) if "COROUTINE" in line)
    return [re.split(r"\s{2,}", line.strip()) for line in lines[titles + 1 :]]


def test_a_task_is_a_line():
    (row,) = rows(
        report(
            task(
                7,
                "consumer",
                "Worker.consume",
                wait=wait("queue.get", "queue 'orders' (0 of 1 items)", resource=12, line=2),
                timeout=3.0,
                since=61.4,
            )
        )
    )
    assert row == [
        "7",
        "waiting",
        "1 min 1 s",
        "consumer",
        "Worker.consume",
        "queue 'orders' (0 of 1 items), 2nd in line, times out in 3.0 s",
        "/srv/app.py:12 Worker.consume",
    ]


def test_a_place_keeps_its_line_and_names_lose_their_marks():
    document = report(
        task(
            7,
            coroutine="serve.<locals>.handle",
            place=place(208, "Pool.__aenter__.<locals>.acquire_a_connection"),
            wait=wait("lock", "a long story about a lock " * 3),
        ),
        task(8, coroutine="serve.<locals>.handle", place=place(9, "serve.<locals>.handle")),
    )
    first, second = rows(document, Screen(130))
    assert first[4] == "serve.handle"
    assert re.fullmatch(r"app\.py:208 Pool\.__aenter__.*…", first[6])
    assert second[6] == "app.py:9"
    assert rows(document)[0][4] == "serve.<locals>.handle"


def test_the_process_and_its_loops_come_first():
    running = report(task(7, "consumer", state="running", wait=None), loops=[loop(task=7)])
    lines = printed(table, running)
    assert lines[0] == (
        "process 4711 · app.py --fast · Python 3.13.0, Greenloop 0.1.0 · watched for 12 s"
    )
    assert lines[1] == (
        "loop 1: idle consumer (7) · 0 ready · 3 timers · 2 descriptors · lag p99 2.0 ms, max 20 ms"
    )


def test_a_process_without_tasks_says_so():
    assert printed(table, report())[-1] == "no tasks"
    assert printed(tree, report())[-1] == "no tasks"


def test_what_is_wrong_comes_before_the_tasks():
    lines = printed(
        table,
        {
            **crossed_locks(),
            "stale": {"age": 3.2, "because": "native code holds the interpreter's lock"},
            "stalls": [stall(), stall(2, over=True)],
        },
    )
    assert lines[2:5] == [
        "this is how it was 3.2 s ago: native code holds the interpreter's lock",
        "consumer (7) has kept loop 1 for 350 ms: in the system call read(7): a socket",
        "deadlock of pay (7), refund (8); `python -m greenloop tree 4711` tells more",
    ]


def test_the_urgent_come_first_and_then_those_that_wait_the_longest():
    found = rows(
        report(
            task(1, since=1, coroutine="a"),
            task(2, since=20, coroutine="b"),
            task(3, since=None, coroutine="c"),
            task(4, since=0.1, state="ready", wait=None),
            task(5, since=0.1, state="running", wait=None),
            task(7, "pay"),
            task(9, coroutine="stalls"),
            deadlocks=crossed_locks()["deadlocks"],
            stalls=[stall(task=9)],
        )
    )
    assert [row[0] for row in found] == ["7", "9", "5", "4", "2", "1", "3"]
    assert [row[1] for row in found][:4] == ["deadlock", "stalling", "running", "ready"]


def test_tasks_that_do_the_same_are_a_line():
    document = report(
        *(task(number, f"worker-{number}", since=number / 100) for number in range(1, 1_199)),
        task(10_000, "other", place=place(13)),
    )
    first, second = rows(document)
    assert first[:4] == ["× 1,198", "waiting", "12 s", "worker-1 … worker-1198"]
    assert second[0] == "10000"
    assert len(rows(document, apart=True)) == 1_199


@pytest.mark.parametrize(
    ("kind", "lines"),
    [("queue.get", 2), ("lock", 2), ("event", 2), ("stream.read", 1), ("sleep", 1), ("future", 1)],
)
def test_a_shared_resource_tells_groups_apart_and_an_own_one_does_not(kind, lines):
    found = rows(
        report(
            *(task(number, wait=wait(kind, f"this {number}", resource=number)) for number in (1, 2))
        )
    )
    assert len(found) == lines
    if lines == 1:
        assert found[0][5] == f"{kind}, each of its own"


def test_those_in_a_deadlock_are_never_one_line():
    document = crossed_locks()
    document["tasks"][2] = {**document["tasks"][1], "id": 8}
    assert [row[0] for row in rows(document)] == ["7", "8", "1"]


def test_the_list_of_processes():
    found = [
        (4711, report_of({**crossed_locks(), "stalls": [stall()]})),
        (4712, "(process 4712 did not answer within 1 s)"),
    ]
    assert list(processes(found, WIDE)) == [
        " PID  TASKS  WATCHED  TROUBLE              PROGRAM",
        "4711      3     12 s  1 deadlock, 1 stall  app.py --fast",
        "4712      ?        ?                       (process 4712 did not answer within 1 s)",
    ]
