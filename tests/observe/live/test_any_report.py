"""Texts about any report: nothing in it makes one raise, harms a terminal or takes long."""

import json
import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reports import crossed_locks, holder, loop, place, report, resource, stall, task, wait

from greenloop.monitoring.metrics import metrics
from greenloop.monitoring.report import report_of
from greenloop.monitoring.screen import Screen, cells
from greenloop.monitoring.stalls import stalls
from greenloop.monitoring.table import processes, table
from greenloop.monitoring.tree import branch, tree

WIDE = Screen(None)


def printed(text, document, screen=WIDE, **options):
    """The lines of a text about a report."""
    return list(text(report_of(document), screen, **options))


EVERYTHING = [
    lambda found, screen: table(found, screen),
    lambda found, screen: table(found, screen, apart=True),
    lambda found, screen: tree(found, screen),
    lambda found, screen: tree(found, screen, apart=True),
    lambda found, screen: stalls(found.stalls, screen),
    lambda found, screen: processes([(1, found), (2, "why")], screen),
]


@pytest.mark.parametrize("width", [20, 40, 79, 80, 200])
@pytest.mark.parametrize("text", EVERYTHING)
def test_no_line_is_wider_than_the_screen(text, width):
    document = crossed_locks()
    document["stalls"] = [stall(text="in the system call read(7): " + "a long story " * 10)]
    document["program"] = ["/a/long/path/" * 5]
    document["tasks"].append(task(9, "任务" * 30, "한국어" * 20, wait=wait("lock", "鎖" * 50)))
    document["stale"] = {"age": 1, "because": "much " * 50}
    lines = list(text(report_of(document), Screen(width)))
    assert [line for line in lines if cells(line) > max(width, 45)] == []
    if width >= 79:
        assert [line for line in lines if cells(line) > width] == []


def test_colours_are_for_those_who_want_them():
    plain = printed(tree, crossed_locks(), Screen(80))
    coloured = printed(tree, crossed_locks(), Screen(80, colour=True))
    assert any("\x1b[31m" in line for line in coloured)
    assert [re.sub(r"\x1b\[\d*m", "", line) for line in coloured] == plain


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=4,
)
names = st.text(max_size=30)
numbers = st.integers(0, 6)
places = st.none() | st.builds(place, numbers, names, names)
waits = st.none() | st.builds(
    wait,
    st.sampled_from(["lock", "queue.get", "sleep", "task"]) | names,
    names,
    resource=st.none() | numbers,
    tasks=st.lists(numbers, max_size=3),
    line=st.none() | numbers,
    ends_in=st.none() | st.floats(),
)
tasks = st.builds(
    task,
    numbers,
    names,
    names,
    state=st.sampled_from(["waiting", "ready", "running"]) | names,
    since=st.none() | st.floats(),
    wait=waits,
    place=places,
    stack=st.lists(places, max_size=2),
    awaited_by=st.lists(numbers, max_size=2),
)
holders = st.builds(holder, numbers, names, since=st.none() | st.floats(), place=places)
resources = st.builds(
    resource, numbers, names, st.none() | names, holders=st.lists(holders, max_size=2)
)
random_stalls = st.builds(
    stall, numbers, over=st.booleans(), text=names, task=st.none() | numbers, length=st.floats()
)
parties = st.fixed_dictionaries(
    {"task": numbers, "name": names, "wait": waits, "place": places, "holds": anything}
)
deadlocks = st.fixed_dictionaries(
    {
        "id": numbers,
        "found": st.none() | st.floats(),
        "why": names,
        "parties": st.lists(parties, max_size=2),
        "behind": st.lists(numbers, max_size=3),
        "text": names,
    }
)
random_reports = st.builds(
    lambda found, **fields: report(*found, **fields),
    st.lists(tasks, max_size=5),
    resources=st.lists(resources, max_size=3),
    stalls=st.lists(random_stalls, max_size=2),
    deadlocks=st.lists(deadlocks, max_size=2),
    stale=anything,
    loops=st.lists(st.builds(loop, id=numbers, state=names, task=numbers, lag=anything)),
    program=st.lists(names, max_size=2),
    counters=st.dictionaries(names, st.floats() | st.integers(), max_size=3),
)


@pytest.mark.slow
@given(random_reports, st.sampled_from([None, 20, 80]))
def test_no_report_raises_or_harms_a_terminal(document, width):
    found = report_of(document)
    for text in EVERYTHING:
        for line in text(found, Screen(width)):
            assert line.isprintable(), line
    for each in found.tasks:
        assert all(line.isprintable() for line in branch(found, each.id, Screen(width)))
    assert all(line.isprintable() for line in metrics(found))


@pytest.mark.slow
@pytest.mark.parametrize("text", [table, tree])
@pytest.mark.parametrize("apart", [False, True])
def test_ten_thousand_tasks_are_printed_at_once(text, apart):
    document = json.dumps(
        report(
            *(
                task(
                    number,
                    wait=wait(resource=20_000 + number % 7, tasks=[number - 1]),
                    stack=[place(line) for line in range(6)],
                )
                for number in range(1, 10_001)
            )
        )
    )
    began = time.process_time()
    found = report_of(json.loads(document))
    read = time.process_time()
    assert sum(map(len, text(found, Screen(80), apart=apart))) > 0
    ended = time.process_time()
    # A quarter of this is usual; the rest is for machines that are busy or old.
    assert read - began < 2
    assert ended - read < 2
