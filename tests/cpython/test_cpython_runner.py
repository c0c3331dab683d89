"""The suite's own machinery: a failure, a hang and a crash must all be seen, and recorded."""

import asyncio
import dataclasses
import os
import time
import types

import pytest

from . import exclusions, implementation, record, selection, swap, worker
from .record import Result


def in_child(work, time_limit=10.0):
    return worker._in_child(work, time_limit)


def test_a_child_hands_back_its_answer_and_its_output():
    def work():
        os.write(1, b"spoken")
        return {"answer": 42}

    assert in_child(work) == ({"answer": 42}, "spoken")


def test_a_crash_is_reported_with_its_signal_and_its_stack():
    answer, output = in_child(os.abort)
    assert answer == "crashed by SIGABRT"
    assert "Fatal Python error: Aborted" in output


def test_a_hang_ends_at_the_time_limit_and_shows_where_it_hung():
    answer, output = in_child(lambda: time.sleep(60), time_limit=0.2)
    assert answer == "timed out after 0.2 s"
    assert "test_cpython_runner.py" in output


def test_leaving_the_process_early_is_reported():
    answer, _ = in_child(lambda: os._exit(0))
    assert answer == "the process ended early with exit code 0"


def test_an_exception_outside_of_the_test_is_reported_with_its_traceback():
    answer, output = in_child(lambda: 1 / 0)
    assert answer == "the process ended early with exit code 1"
    assert "ZeroDivisionError" in output


@pytest.mark.parametrize(
    ("detail", "cause"),
    [
        ("", ""),
        ("timed out after 30 s\nstack", "timed out after 30 s"),
        (
            "Traceback (most recent call last):\n  File x\n    boom()\nValueError: 1\nmore",
            "ValueError: 1",
        ),
        (
            "Traceback (most recent call last):\n  File x\nKeyError: <T at 0x7f00ab>",
            "KeyError: <T at ...>",
        ),
        (
            "Traceback (most recent call last):\n  File x\nTypeError: <Task pending name='T'> is",
            "TypeError: <...> is",
        ),
        (
            "  + Exception Group Traceback (most recent call last):\n  |   File x\n  | EG: two\n",
            "EG: two",
        ),
        (
            "Traceback (most recent call last):\n  File x\nE: c() at /usr/lib/t.py:3",
            "E: c() at ...t.py:3",
        ),
    ],
)
def test_the_cause_is_the_telling_line_without_what_varies(detail, cause):
    assert Result("m.C.t", "failed", detail).cause == cause


@pytest.fixture
def recorded(tmp_path, monkeypatch):
    monkeypatch.setattr(record, "FOLDER", tmp_path)
    record.write("3.0", [Result("m.C.good", "passed"), Result("m.C.bad", "failed", "ValueError")])
    return lambda results: record.regressions("3.0", results, complete=True)


def test_the_recorded_results_are_no_regression(recorded):
    assert recorded([Result("m.C.good", "passed"), Result("m.C.bad", "failed", "other")]) == []


def test_a_new_failure_is_a_regression(recorded):
    worse = recorded([Result("m.C.good", "failed", "KeyError"), Result("m.C.bad", "failed")])
    assert worse == ["m.C.good: KeyError"]


def test_a_test_that_no_longer_runs_is_a_regression(recorded):
    worse = recorded([Result("m.C.good", "network"), Result("m.C.bad", "failed")])
    assert worse == ["m.C: 1 recorded tests did not run"]


def test_a_missing_record_is_no_success(recorded):
    assert record.regressions("2.9", [], complete=True) != []


def test_the_census_leaves_a_failed_test_within_reach(tmp_path, monkeypatch):
    monkeypatch.setattr(record, "FOLDER", tmp_path)
    record.write_reach(
        "3.0",
        [
            Result("m.C.reaching", "passed", constructed=(("task", 1),)),
            Result("m.C.apart", "passed"),
            Result("m.C.unknown", "failed"),
        ],
    )
    assert record.read_reach("3.0") == {"m.C.apart"}


def test_what_a_test_module_has_left_of_asyncio_is_found():
    module = types.ModuleType("test_nothing")
    module.Taken = asyncio.Event
    module.taken = asyncio.gather
    ours = {"Event": object, "gather": print}
    replacing = dataclasses.replace(implementation.load("asyncio"), primitives=ours)
    found = swap.leftovers(module, replacing)
    assert {"test_nothing.Taken", "test_nothing.taken", "asyncio.locks.Event"} <= {*found}
    assert swap.leftovers(module, implementation.load("asyncio")) == []


def test_the_census_counts_primitives_made_and_called():
    census = implementation.load("census")
    assert isinstance(census.primitives["Lock"](), asyncio.Lock)
    census.primitives["sleep"](0).close()
    assert census.constructed == {"Lock": 1, "sleep": 1}


def test_an_exclusion_without_a_reason_is_refused(tmp_path):
    file = tmp_path / "exclusions.toml"
    file.write_text('[[private]]\nreason = " "\ntests = ["m.C.t"]\n')
    with pytest.raises(ValueError, match="no reason"):
        exclusions.read(file, selection.CATEGORIES)


def test_an_exclusion_of_another_kind_is_refused(tmp_path):
    file = tmp_path / "exclusions.toml"
    file.write_text('[[difficult]]\nreason = "hard"\ntests = ["m.C.t"]\n')
    with pytest.raises(ValueError, match="unknown tables"):
        exclusions.read(file, selection.CATEGORIES)


def test_an_exclusion_applies_to_its_versions_only():
    exclusion = exclusions.Exclusion("private", "m.C.*", "why", ("3.12",))
    assert exclusion.applies_to("m.C.t", "3.12")
    assert not exclusion.applies_to("m.C.t", "3.13")
    assert not exclusion.applies_to("m.D.t", "3.12")
