"""The tree of who waits for whom, and what is said about deadlocks."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reports import crossed_locks, holder, report, resource, task, wait

from greenloop.monitoring.report import report_of
from greenloop.monitoring.screen import Screen
from greenloop.monitoring.tree import branch, tree

WIDE = Screen(None)


def printed(text, document, screen=WIDE, **options):
    """The lines of a text about a report."""
    return list(text(report_of(document), screen, **options))


def test_below_a_task_stand_those_it_waits_for():
    document = report(
        task(1, "main", "main", wait=wait("gather", "gather of 2 tasks", tasks=[2, 3])),
        task(2, "reader", "read", wait=wait("stream.read", "stream of 10.0.0.1:80")),
        task(3, "writer", "write", wait=None, state="ready"),
        task(4, "lonely", wait=wait("sleep", "sleep", ends_in=2.5)),
    )
    assert printed(tree, document)[3:] == [
        "main (1): waits 1.2 s for gather of 2 tasks, at /srv/app.py:12 main",
        "├─ writer (3): ready for 1.2 s, at /srv/app.py:12 write",
        "└─ reader (2): waits 1.2 s for stream of 10.0.0.1:80, at /srv/app.py:12 read",
        "lonely (4): waits 1.2 s for sleep, 2.5 s left, at /srv/app.py:12 consume",
    ]


def test_awaited_by_is_enough_for_an_edge():
    document = report(task(1, "main", "main"), task(2, "child", awaited_by=[1]))
    first, second = printed(tree, document)[3:]
    assert first.startswith("main (1)")
    assert second.startswith("└─ child (2)")


def test_a_lock_leads_to_its_holder():
    document = report(
        task(7, "pay", wait=wait("lock", "lock 'journal'", resource=12)),
        task(8, "refund", wait=wait("sleep", "sleep")),
        resources=[resource(12, "lock", "journal", holders=[holder(8, "refund")], waiters=[7])],
    )
    assert printed(tree, document)[3:] == [
        "pay (7): waits 1.2 s for lock 'journal', at /srv/app.py:12 consume",
        "└─ held by refund (8) for 1.3 s since /srv/app.py:20 take:"
        " waits 1.2 s for sleep, at /srv/app.py:12 consume",
    ]


def test_what_is_too_long_for_a_line_takes_two():
    lines = printed(tree, crossed_locks(), Screen(70))
    assert lines[-6:] == [
        "main (1): waits 1.2 s for task group of 2, at app.py:12",
        "├─ pay (7): waits 1.2 s for lock 'journal', at app.py:21",
        "│  └─ held by refund (8) for 1.3 s since app.py:20:",
        "│     │  waits 1.2 s for lock 'accounts', at app.py:31",
        "│     └─ ↻ back to pay (7): a cycle",
        "└─ refund (8): drawn above",
    ]
    short = printed(tree, crossed_locks(), Screen(40))
    assert "│     │  waits 1.2 s fo" in short[-3]


def test_a_deadlock_is_told_first_and_its_cycle_is_marked():
    lines = printed(tree, crossed_locks(), Screen(200))
    assert lines[3:] == [
        "deadlock: 2 tasks, each waits for the next one; found 3.0 s ago",
        "  pay (7) waits for lock 'journal', at app.py:21 transfer",
        "    holds lock 'accounts', taken at app.py:20 take",
        "  refund (8) waits for lock 'accounts', at app.py:31 transfer",
        "    holds lock 'journal'",
        "  1 more task waits for these: 1",
        "",
        "main (1): waits 1.2 s for task group of 2, at app.py:12",
        "├─ pay (7): waits 1.2 s for lock 'journal', at app.py:21",
        "│  └─ held by refund (8) for 1.3 s since app.py:20:"
        " waits 1.2 s for lock 'accounts', at app.py:31",
        "│     └─ ↻ back to pay (7): a cycle",
        "└─ refund (8): drawn above",
    ]


def test_what_the_process_says_about_a_deadlock_is_said():
    document = crossed_locks()
    text = "deadlock: 2 tasks\n  pay waits for lock 'journal' at /srv/app.py:21 \x1b[2J\n\n"
    document["deadlocks"][0]["text"] = text
    assert printed(tree, document)[3:6] == [
        "deadlock: 2 tasks; found 3.0 s ago",
        "  pay waits for lock 'journal' at /srv/app.py:21 \\x1b[2J",
        "",
    ]
    lines = printed(tree, document, Screen(40))
    assert lines[lines.index("") + 1 :][:4] == [
        "deadlock: 2 tasks; found 3.0 s ago",
        "  pay waits for lock 'journal' at",
        "      /srv/app.py:21 \\x1b[2J",
        "",
    ]


def test_a_cycle_that_nobody_waits_for_is_drawn_from_one_of_its_tasks():
    document = report(
        *(task(number, wait=wait("task", tasks=[number % 3 + 1])) for number in (1, 2, 3)),
        task(4, wait=wait("task", "itself", tasks=[4])),
    )
    starts = [line.partition(":")[0] for line in printed(tree, document)[3:]]
    assert starts == [
        "Task-1 (1)",
        "└─ Task-2 (2)",
        "   └─ Task-3 (3)",
        "      └─ ↻ back to Task-1 (1)",
        "Task-4 (4)",
        "└─ ↻ back to Task-4 (4)",
    ]


def test_a_task_of_another_class_and_a_lock_without_a_task_are_no_problem():
    document = report(
        task(-1, "foreign", wait=wait("lock", "lock 'a'", resource=-3)),
        task(5, "ours", wait=wait("lock", "lock 'b'", resource=4)),
        resources=[
            resource(-3, "lock", "a", holders=[holder(5, "ours")]),
            resource(4, "lock", "b", holders=[holder(None, None)]),
        ],
    )
    first, second = printed(tree, document)[3:]
    assert first.startswith("foreign (-1): waits 1.2 s for lock 'a'")
    assert second.startswith("└─ held by ours (5) for 1.3 s")


def test_what_was_left_out_is_said():
    document = report(task(1), counters={"tasks_left_out": 5_000})
    assert printed(tree, document)[-1] == "5,000 more tasks that the process has left out"
    assert "left out" not in "".join(printed(tree, report(task(1))))


def test_many_that_wait_for_one_are_a_line():
    document = report(
        *(task(number, wait=wait("lock", "lock 'db'", resource=50)) for number in range(1, 11)),
        task(11, "holder", "hold", wait=wait("sleep", "sleep")),
        resources=[resource(50, "lock", "db", holders=[holder(11, "holder")])],
    )
    first, second = printed(tree, document)[3:]
    assert first.startswith("Task-1 … Task-10 × 10: waits 1.2 s for lock 'db'")
    assert second.startswith("└─ held by holder (11)")
    assert len(printed(tree, document, apart=True)[3:]) == 20


def test_a_chain_takes_a_line_for_each_task_and_goes_on_at_the_left():
    document = report(
        *(task(number, wait=wait("task", tasks=[number + 1])) for number in range(1, 3_000))
    )
    lines = printed(tree, document, Screen(80))
    drawn = [number for line in lines for number in re.findall(r"\((\d+)\):(?: waits|$)", line)]
    assert drawn == [str(number) for number in range(1, 3_000)]
    assert len(lines) < 6_000
    assert max(map(len, lines)) <= 80


def test_the_branch_of_one_task():
    lines = list(branch(report_of(crossed_locks()), 8, Screen(100)))
    assert [line.partition(":")[0] for line in lines] == [
        "refund (8)",
        "└─ held by pay (7) for 1.3 s since app.py",
        "   └─ ↻ back to refund (8)",
    ]


@pytest.mark.slow
@given(st.lists(st.lists(st.integers(0, 30), max_size=4), max_size=30))
def test_each_task_is_drawn_and_once_if_it_waits_for_others(edges):
    found = report_of(
        report(*(task(number, wait=wait("task", tasks=to)) for number, to in enumerate(edges)))
    )
    drawn = [
        int(number)
        for line in tree(found, WIDE, apart=True)
        for number in re.findall(r"\((\d+)\): waits", line)
    ]
    assert set(drawn) == set(range(len(edges)))
    inner = [number for number, to in enumerate(edges) if any(each < len(edges) for each in to)]
    assert [drawn.count(number) for number in inner] == [1] * len(inner)
