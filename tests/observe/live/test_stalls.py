"""What is said about stalls: which come first, which are told of together, and where each was."""

import reports
from reports import place, report, stall

from greenloop.monitoring.report import report_of
from greenloop.monitoring.screen import Screen
from greenloop.monitoring.stalls import stalls

WIDE = Screen(None)


def test_a_stall_that_lasts_comes_first():
    found = report_of(
        report(
            stalls=[
                stall(1, over=True, began=reports.NOW - 50),
                stall(2, over=True, began=reports.NOW - 20, task=None, name=None, stack=[]),
                stall(3, kind="starved", text="", began=reports.NOW - 90),
            ]
        )
    )
    lines = list(stalls(found.stalls, WIDE))
    blocks = "\n".join(lines).split("\n\n")
    assert [block.splitlines()[0] for block in blocks] == [
        "consumer (7) was not run by the machine, with loop 1, for 350 ms: starved,"
        " at app.py:12 consume",
        "a callback kept loop 1 for 350 ms: in the system call read(7): a socket,"
        " at app.py:12 consume",
        "consumer (7) kept loop 1 for 350 ms: in the system call read(7): a socket,"
        " at app.py:12 consume",
    ]
    assert blocks[0].splitlines()[2:] == ["    /srv/app.py:40 main", "    /srv/app.py:12 consume"]
    assert blocks[1].splitlines()[2:] == []
    assert "; awaited by main" in blocks[0]
    assert list(stalls((), WIDE)) == ["no stalls"]


def test_stalls_at_one_place_are_told_of_together():
    found = report_of(
        report(
            stalls=[
                *(stall(number, over=True, length=number / 10) for number in range(1, 5)),
                stall(5, over=True, place=place(99)),
                stall(6),
                stall(7),
            ]
        )
    ).stalls
    lines = list(stalls(found, WIDE))
    titles = [line for line in lines if " loop 1 for " in line]
    assert [title.partition(":")[0] for title in titles] == [
        "consumer (7) has kept loop 1 for 350 ms",
        "consumer (7) has kept loop 1 for 350 ms",
        "consumer (7) kept loop 1 for 350 ms",
        "consumer (7) kept loop 1 for up to 400 ms",
    ]
    assert any(line.startswith("  4 times, the last at ") for line in lines)
    apart = [line for line in stalls(found, WIDE, apart=True) if " loop 1 for " in line]
    assert len(apart) == 7


def test_the_stack_of_a_stall_begins_where_the_program_does():
    stack = [
        place(198, "_run_module_as_main", "<frozen runpy>"),
        place(14, "<module>"),
        place(118, "Runner.run", "/usr/lib/python3.13/asyncio/runners.py"),
        place(8, "handle"),
        place(3, "run", "/srv/asyncio/mine/jobs.py"),
    ]
    (found,) = report_of(report(stalls=[stall(stack=stack)])).stalls
    assert list(stalls([found], Screen(100)))[2:] == [
        "    /srv/app.py:8 handle",
        "    /srv/asyncio/mine/jobs.py:3 run",
    ]
    assert len(list(stalls([found], WIDE))[2:]) == 5
