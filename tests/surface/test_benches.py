"""The benchmark harness: every workload completes, and a table says what was measured.

Only asyncio competes here, so these tests need neither a rival nor Greenloop. What numbers come out
is not tested; that they are there, divided correctly and in the right cell is.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# The benches are no part of the installed package; they are run from the repository's root.
sys.path.insert(0, str(ROOT))

from benches import __main__ as command  # noqa: E402
from benches import (  # noqa: E402
    bridge,
    compare,
    document,
    latency,
    latency_probe,
    measurement,
    table,
)
from benches.contestants import CONTESTANTS, earlier  # noqa: E402
from benches.fresh_process import Outcome, run_command, run_module  # noqa: E402
from benches.tournament import Record, hold, turns  # noqa: E402
from benches.workloads import definition  # noqa: E402
from benches.workloads.catalogue import WORKLOADS  # noqa: E402

OPERATIONS = 1000
"""The fewest that every workload can divide among its tasks."""


# Workloads


@pytest.mark.parametrize("name", WORKLOADS)
def test_a_workload_completes_exactly_the_operations_asked_for(name: str) -> None:
    workload = WORKLOADS[name]
    if reason := workload.absence():
        pytest.skip(reason)
    operations = min(OPERATIONS, workload.operations)
    with asyncio.Runner() as runner:
        completed = runner.run(_completed(workload, operations))
    assert completed == operations


async def _completed(workload: definition.Workload, operations: int) -> int:
    async with workload.open() as run:
        outcome = await run(operations)
    return len(outcome) if workload.measure == "memory" else outcome


def test_a_workload_that_loses_operations_is_refused() -> None:
    async def lose_one(operations: int) -> int:
        return operations - 1

    lossy = definition.workload("lossy", "", operation="", operations=10)(lose_one)
    with pytest.raises(measurement.MiscountError, match="asked for 10 operations, 9 completed"):
        asyncio.run(measurement._time(lossy, 10, repeats=1))


def test_time_is_divided_by_the_operations_and_the_warm_up_is_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 0
    durations = iter([9000, 100, 300, 200])

    async def spend(operations: int) -> int:
        nonlocal now
        now += next(durations)
        return operations

    monkeypatch.setattr(measurement.time, "process_time_ns", lambda: now)
    monkeypatch.setattr(measurement.time, "perf_counter_ns", lambda: now * 2)
    spender = definition.workload("spender", "", operation="", operations=10)(spend)
    assert asyncio.run(measurement._time(spender, 10, repeats=3)) == {"cpu_ns": 20, "wall_ns": 40}


def test_workloads_are_chosen_by_patterns_and_by_their_group() -> None:
    every_name = list(WORKLOADS)
    assert command._asked_workloads(None, None) == every_name
    assert command._asked_workloads(["sleep0-*"], None) == ["sleep0-1", "sleep0-1000"]
    network = command._asked_workloads(None, "network")
    assert "tcp-protocol-1k-10" in network
    assert "sleep0-1" not in network
    assert command._asked_workloads(["sleep0-1", "udp-*"], "network") == ["udp-1k-10"]


def test_the_limit_is_measured_by_what_the_other_process_says() -> None:
    workload = WORKLOADS["udp-1k-10"]
    if reason := workload.absence():
        pytest.skip(reason)
    sample = measurement._time_limit(workload, 100, repeats=1)
    assert 0 < sample["cpu_ns"]
    assert 0 < sample["wall_ns"]


def test_a_row_whose_extension_is_missing_names_the_command_that_builds_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    absence = {name: WORKLOADS[name].absence() for name in ("rust-ready", "tokio-woken")}
    assert "`make example` builds it" in (absence["rust-ready"] or "")
    assert "`make tokio-bridge` builds it" in (absence["tokio-woken"] or "")


def test_the_ratios_of_the_bridge_say_whether_the_goals_are_met() -> None:
    medians = {"rust-ready": 120.0, "done-future": 64.0, "finished-future": 50.0}
    lines = bridge.render(medians, "greenloop", 3).splitlines()
    ratios = [line.split("|")[3:6] for line in lines[lines.index("") + 6 :] if line]
    assert [[cell.strip() for cell in cells] for cells in ratios][-2:] == [
        ["1.88", "at most 2", "yes"],
        ["2.40", "at most 2", "no"],
    ]


# Processes


def test_a_module_of_the_benches_runs_in_a_process_of_its_own() -> None:
    outcome = run_module(
        ["benches.measurement", "asyncio", "sleep0-1", "--repeats", "1", "--operations", "100"], 30
    )
    assert outcome.status == "measured", outcome.detail
    assert outcome.sample.keys() == {"cpu_ns", "wall_ns"}
    assert outcome.sample["cpu_ns"] > 0


@pytest.mark.parametrize(
    ("program", "status", "detail"),
    [
        ("print('noise'); print('{\"cpu_ns\": 1}')", "measured", ""),
        ("raise ValueError('no such luck')", "failed", "ValueError: no such luck"),
        ('print(\'{"error": "named"}\'); raise SystemExit(1)', "failed", "named"),
        ("raise SystemExit(3)", "failed", "exit code 3"),
        ("print('no object')", "failed", "printed no result"),
        ("import os; os.abort()", "crashed", "SIGABRT"),
        ("print('{\"cpu_ns\": 1}', flush=True); import os; os.abort()", "crashed", "SIGABRT"),
    ],
)
def test_every_end_of_a_process_has_its_status(program: str, status: str, detail: str) -> None:
    outcome = run_command([sys.executable, "-c", program], time_limit=30)
    assert (outcome.status, outcome.detail) == (status, detail)


def test_a_process_that_does_not_end_is_killed_and_called_hung() -> None:
    outcome = run_command([sys.executable, "-c", "while True: pass"], time_limit=0.2)
    assert (outcome.status, outcome.detail) == ("hung", "no end after 0.2 s")


def test_debugging_aids_of_the_caller_do_not_reach_the_measurement(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PYTHONASYNCIODEBUG", "1")
    monkeypatch.setenv("PYTHONDEVMODE", "1")
    program = "import json, sys, asyncio; print(json.dumps({'debug': sys.flags.dev_mode"
    program += " or asyncio.new_event_loop().get_debug()}))"
    assert run_command([sys.executable, "-c", program], 30).sample == {"debug": False}


# Rounds


def test_rounds_are_interleaved_and_another_contestant_starts_each() -> None:
    assert list(turns(["w", "v"], ["a", "b"], rounds=2)) == [
        ("w", "a"), ("w", "b"), ("v", "a"), ("v", "b"),
        ("w", "b"), ("w", "a"), ("v", "b"), ("v", "a"),
    ]  # fmt: skip


def test_a_bad_cell_is_not_run_again_and_does_not_end_the_run() -> None:
    measured: list[tuple[str, str]] = []

    def measure(workload: str, contestant: str) -> Outcome:
        measured.append((workload, contestant))
        if contestant == "bad":
            return Outcome("crashed", detail="SIGSEGV")
        return Outcome("measured", {"cpu_ns": 1.0})

    records = hold(turns(["w"], ["bad", "good"], rounds=3), measure, lambda *_: None)
    assert measured.count(("w", "bad")) == 1
    assert records["w", "good"].samples == [{"cpu_ns": 1.0}] * 3
    assert records["w", "bad"].failure == Outcome("crashed", detail="SIGSEGV")


# Document and table


def _document(**costs: list[float] | str) -> dict:
    """A run of one workload: a contestant's rounds, or the reason of its failure."""
    records = {}
    for name, cost in costs.items():
        if isinstance(cost, str):
            record = Record(failure=Outcome("hung", detail=cost))
        else:
            record = Record(samples=[{"cpu_ns": each, "wall_ns": each * 2} for each in cost])
        records["sleep0-1", name] = record
    return document.build(
        records,
        [WORKLOADS["sleep0-1"]],
        [CONTESTANTS[name] for name in costs],
        rounds=3,
        quick=False,
        baseline="uvloop",
        skipped={"rsloop": "not installed"},
    )


def test_medians_and_ratios_are_taken_against_the_baseline() -> None:
    run = _document(asyncio=[400, 900, 500], uvloop=[200, 200, 700], greenloop=[50, 40, 60])
    results = run["workloads"]["sleep0-1"]["results"]
    assert results["asyncio"]["cpu_ns"] == {"median": 500, "rounds": [400, 900, 500], "ratio": 0.4}
    assert results["uvloop"]["cpu_ns"]["ratio"] == 1
    assert results["greenloop"]["wall_ns"] == {"median": 100, "rounds": [100, 80, 120], "ratio": 4}


def test_without_a_measured_baseline_there_are_figures_but_no_ratios() -> None:
    run = _document(asyncio=[400], uvloop="no end after 60 s")
    results = run["workloads"]["sleep0-1"]["results"]
    assert results["asyncio"]["cpu_ns"] == {"median": 400, "rounds": [400], "ratio": None}
    assert results["uvloop"] == {"status": "hung", "detail": "no end after 60 s"}


def test_the_table_has_a_cell_per_contestant_and_names_what_is_missing() -> None:
    lines = table.render(_document(uvloop=[200], rloop="no end", greenloop=[50])).splitlines()
    header = next(line for line in lines if line.startswith("| CPU"))
    assert [cell.split()[0] for cell in header.strip("| ").split(" | ")[1:]] == [
        "uvloop", "rloop", "greenloop", "greenloop",
    ]  # fmt: skip
    assert "| sleep(0), 1 task | 200 (1.00×) | hung | 50 (4.00×) | 4.00× (uvloop) |" in lines
    assert "| sleep(0), 1 task | 400 (1.00×) | hung | 100 (4.00×) | 4.00× (uvloop) |" in lines
    assert "- sleep(0), 1 task on rloop: hung: no end" in lines
    assert "- rsloop: not installed" in lines


@pytest.mark.slow
def test_the_command_writes_the_same_run_as_json_and_markdown(tmp_path: Path) -> None:
    ended = subprocess.run(
        [
            sys.executable, "-m", "benches", "--quick", "--rounds", "1",
            "--workload", "sleep0-1", "memory-timer", "--contestant", "asyncio",
            "--json", tmp_path / "run.json", "--markdown", tmp_path / "run.md",
        ],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    run = json.loads((tmp_path / "run.json").read_text(encoding="utf-8"))
    assert run["baseline"] == "asyncio"  # The wanted one, uvloop, did not compete.
    assert run["workloads"].keys() == {"sleep0-1", "memory-timer"}
    timing = run["workloads"]["sleep0-1"]["results"]["asyncio"]
    assert timing["cpu_ns"]["ratio"] == timing["wall_ns"]["ratio"] == 1
    assert run["workloads"]["memory-timer"]["results"]["asyncio"]["resident_bytes"]["median"] > 0
    report = (tmp_path / "run.md").read_text(encoding="utf-8")
    assert report == table.render(run)
    assert report.strip() == ended.stdout.strip()


# Comparison


@pytest.mark.parametrize(
    ("before", "after", "verdict"),
    [
        ([50, 52, 51], [50, 53, 52], "same"),
        ([50, 52, 51], [70, 72, 71], "slower"),
        ([50, 52, 51], [70, 51, 71], "same"),  # Slower in the median, but the rounds overlap.
        ([70, 72, 71], [50, 52, 51], "faster"),
        ([50, 52, 51], "crashed", "lost"),
        ("crashed", [50, 52, 51], "new"),
    ],
)
def test_a_change_is_judged_by_its_size_and_by_the_scatter_of_the_rounds(
    before: list[float] | str, after: list[float] | str, verdict: str
) -> None:
    runs = [_document(uvloop=[200, 200, 200], greenloop=cost) for cost in (before, after)]
    (change,) = compare.compare(*runs, ["greenloop"], threshold=0.1)
    assert change.verdict == verdict
    assert change.is_regression == (verdict in ("slower", "lost"))


def test_a_slower_machine_is_no_regression_unless_absolute_figures_are_compared() -> None:
    before = _document(uvloop=[200] * 3, greenloop=[50] * 3)
    after = _document(uvloop=[400] * 3, greenloop=[100] * 3)
    (relative,) = compare.compare(before, after, ["greenloop"], 0.1)
    (absolute,) = compare.compare(before, after, ["greenloop"], 0.1, absolute=True)
    assert (relative.verdict, absolute.verdict) == ("same", "slower")
    assert absolute.growth == 2


@pytest.mark.parametrize(
    ("cost_after", "changed_field", "exit_code"),
    [
        (50, {}, 0),
        (90, {}, 1),
        (50, {"baseline": "asyncio"}, 2),
        (50, {"quick": True}, 2),
        (50, {"interpreter": "CPython 3.0.0"}, 2),
        (50, {"format": 0}, 2),
    ],
)
def test_the_exit_code_of_a_comparison_tells_its_result(
    tmp_path: Path, cost_after: float, changed_field: dict, exit_code: int
) -> None:
    before, after = tmp_path / "before.json", tmp_path / "after.json"
    before.write_text(json.dumps(_document(uvloop=[200], greenloop=[50])))
    run = _document(uvloop=[200], greenloop=[cost_after]) | changed_field
    after.write_text(json.dumps(run))
    assert compare.main([str(before), str(after)]) == exit_code


def test_two_builds_of_one_run_are_compared_by_their_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    name = "greenloop-before"
    monkeypatch.setitem(CONTESTANTS, name, replace(CONTESTANTS["greenloop"], name=name))
    costs = {"uvloop": [200] * 3, "greenloop": [50, 51, 52], "greenloop-before": [40, 41, 42]}
    run = tmp_path / "run.json"
    run.write_text(json.dumps(_document(**costs)))
    assert compare.main([str(run)]) == 1
    (row,) = [line for line in capsys.readouterr().out.splitlines() if "sleep(0)" in line]
    assert row.split(" | ")[1:] == ["greenloop", "1.24", "slower |"]


def test_a_run_of_one_build_is_not_compared_with_itself(tmp_path: Path) -> None:
    run = tmp_path / "run.json"
    run.write_text(json.dumps(_document(uvloop=[200], greenloop=[50])))
    assert compare.main([str(run)]) == 2


# Latency


@pytest.mark.slow
def test_the_latency_of_a_busy_loop_is_tabulated_beside_the_machines(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    written = tmp_path / "latency.json"
    arguments = ["--contestant", "asyncio", "--rounds", "1", "--seconds", "0.1"]
    assert latency.main([*arguments, "--json", str(written)]) == 0
    results = json.loads(written.read_text(encoding="utf-8"))["contestants"]
    assert list(results) == [latency_probe.MACHINE, "asyncio"]
    for result in results.values():
        assert result["status"] == "measured", result
        for kind in ("socket", "timer"):
            for clock in ("late", "busy"):
                names = [f"{kind}_{clock}_{each}_us" for each in ("min", "p50", "p99", "max")]
                percentiles = [result[name] for name in names]
                assert percentiles == sorted(percentiles)
            assert result[f"{kind}_samples"] > 0
    rows = [line for line in capsys.readouterr().out.splitlines() if line.startswith("| asyncio")]
    assert [row.count("|") for row in rows] == [1 + 2 + len(latency._COLUMNS)]


def test_lateness_and_business_are_taken_from_their_own_clocks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(latency_probe.time, "perf_counter_ns", lambda: 1_000_000)
    monkeypatch.setattr(latency_probe.time, "thread_time_ns", lambda: 500_000)
    delays = latency_probe.Delays("timer")
    for microseconds in range(101):
        delays.add(1_000_000 - microseconds * 1000, 500_000 - microseconds * 100)
    figures = delays.summary()
    assert figures["timer_samples"] == 101
    assert [figures[f"timer_late_{each}_us"] for each in ("min", "p50", "p99", "max")] == [
        0, 50, 99, 100,
    ]  # fmt: skip
    assert figures["timer_busy_p99_us"] == 9.9


def test_a_timer_is_busy_from_the_turn_that_saw_its_deadline_pass(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wall = cpu = 0
    monkeypatch.setattr(latency_probe.time, "perf_counter_ns", lambda: wall)
    monkeypatch.setattr(latency_probe.time, "thread_time_ns", lambda: cpu)
    timers = latency_probe.TimerEvents()
    seen = timers.set()
    wall = 9000
    early = timers.set()
    wall, cpu = seen + 2000, 3000
    timers.watch()
    cpu = 7000
    timers.ring(seen)
    assert timers.delays.summary()["timer_busy_max_us"] == 4
    assert timers.delays.summary()["timer_late_max_us"] == 2
    timers.ring(early)
    assert timers.delays.summary()["timer_busy_min_us"] == 0
    assert timers.delays.summary()["timer_late_min_us"] == -7


# Contestants


def test_an_earlier_build_competes_under_a_name_of_its_own() -> None:
    if reason := CONTESTANTS["greenloop"].absence():
        pytest.skip(reason)
    contestants = earlier(sys.executable)
    assert "greenloop-before" in contestants
    assert all(name == f"{each.entrant}-before" for name, each in contestants.items())
    assert {each.python for each in contestants.values()} == {sys.executable}


@pytest.mark.parametrize(
    ("program", "words"),
    [
        ("echo 3.9.1", "is 3.9.1, and this is"),
        ("echo ModuleNotFoundError: none >&2; exit 1", "has no Greenloop: ModuleNotFoundError"),
    ],
)
def test_an_environment_that_cannot_be_compared_is_refused(
    tmp_path: Path, program: str, words: str
) -> None:
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\n{program}\n")
    python.chmod(0o755)
    with pytest.raises(ValueError, match=words):
        earlier(str(python))
    with pytest.raises(ValueError, match="does not run"):
        earlier(str(tmp_path / "none"))


@pytest.mark.parametrize("name", ["greenloop-loop", "greenloop"])
def test_our_contestants_differ_in_whose_tasks_and_futures_run(name: str) -> None:
    if reason := CONTESTANTS[name].absence():
        pytest.skip(reason)

    async def kinds() -> tuple[type, type]:
        loop = asyncio.get_running_loop()
        child = asyncio.create_task(asyncio.sleep(0))
        await child
        return type(child), type(loop.create_future())

    with asyncio.Runner(loop_factory=CONTESTANTS[name].enter()) as runner:
        task, future = runner.run(kinds())
    assert (task is asyncio.Task) == (name == "greenloop-loop")
    assert (future is asyncio.Future) == (name == "greenloop-loop")


@pytest.mark.slow
def test_an_absent_contestant_says_why_and_an_unknown_one_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert CONTESTANTS["uvloop"].absence() == "not installed"
    assert CONTESTANTS["asyncio"].absence() is None
    ended = subprocess.run(
        [sys.executable, "-m", "benches", "--contestant", "gevent"],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert ended.returncode == 2
    assert "invalid choice: 'gevent'" in ended.stderr
