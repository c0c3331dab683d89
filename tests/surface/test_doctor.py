"""The report for bugs: `greenloop.doctor` and `python -m greenloop doctor`."""

import asyncio
import json
import os
import platform
import subprocess
import sys

import pytest

import greenloop
from greenloop.diagnosis import facts, loops
from greenloop.diagnosis.report import Report


def run(*arguments, env=None):
    return subprocess.run(
        [sys.executable, "-m", "greenloop", "doctor", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, **(env or {})},
    )


def sections(*arguments, env=None):
    result = run("--json", *arguments, env=env)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stderr if arguments else result.stdout)


def in_process(statement):
    """The report of a fresh process that has run a statement."""
    program = f"import greenloop, asyncio\n{statement}\nprint(greenloop.doctor().json())"
    output = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    ).stdout
    return json.loads(output)


def test_the_report_has_the_versions_and_the_platform():
    report = greenloop.doctor().sections
    assert report["Greenloop"]["version"] == greenloop.__version__
    assert report["Python"]["version"].startswith(platform.python_version())
    assert report["Python"]["free-threaded"] is False
    assert report["Platform"]["machine"] == platform.machine()
    assert report["Platform"]["libc"].startswith(("glibc", "musl"))


def test_the_text_has_each_fact_on_a_line():
    report = Report({"One": {"a": True, "long name": ["x", "y"]}, "Two": {}, "Three": {"b": None}})
    assert str(report).splitlines() == [
        "One",
        "  a          yes",
        "  long name  x, y",
        "Two",
        "  none",
        "Three",
        "  b  unknown",
    ]
    assert json.loads(report.json())["One"] == {"a": True, "long name": ["x", "y"]}


def test_every_native_part_is_active_on_an_interpreter_that_is_known():
    parts = facts.native_parts()
    assert parts.keys() == facts._CHECKS.keys()
    assert [part for part in parts.values() if part.startswith("inactive")] == []
    assert [part for part in parts.values() if part.startswith("active")] != []


def test_a_check_that_failed_is_told(monkeypatch):
    monkeypatch.setattr(facts._native, "_layout_checks", lambda: [("await_site", False)])
    assert "check at import failed" in facts.native_parts()["await_site"]


def test_nothing_is_changed_by_asking():
    assert in_process("greenloop.doctor()")["Program"]["level"].startswith("none")


@pytest.mark.parametrize(
    ("statement", "level"),
    [
        ("", "none"),
        ("import greenloop as asyncio", "2, as asyncio in __main__"),
        ("greenloop.install()", "3, under asyncio's name"),
    ],
)
def test_the_level_is_told(statement, level):
    assert in_process(statement)["Program"]["level"].startswith(level)


def test_a_loop_that_runs_is_level_one():
    async def ask():
        return greenloop.doctor().sections

    with asyncio.Runner(loop_factory=greenloop.new_event_loop) as runner:
        report = runner.run(ask())
    assert report["Program"]["level"] == "1, as the loop"
    assert report["Loop"] == {
        "running": True,
        "loop": "greenloop.event_loop.EventLoop",
        "debug": False,
        "native": True,
        "subclass": False,
        "overridden": [],
        "handles run by": "the loop",
        "short cuts": "taken",
    }


class Loud(greenloop.EventLoop):
    def call_soon(self, *arguments, **options):
        return super().call_soon(*arguments, **options)


class Later(greenloop.EventLoop):
    def call_later(self, *arguments, **options):
        return super().call_later(*arguments, **options)


def described(loop, change=lambda loop: None):
    try:
        change(loop)
        return loops.describe(loop)
    finally:
        loop.close()


def test_an_override_in_a_subclass_is_told():
    loud = described(Loud())
    assert loud["subclass"]
    assert loud["overridden"] == ["call_soon"]
    assert loud["short cuts"] == "not taken: call_soon is overridden"
    later = described(Later())
    assert later["overridden"] == ["call_later"]
    assert later["short cuts"] == "taken, but for what is overridden"


def test_an_override_in_the_instance_is_told():
    def override(loop):
        loop.call_exception_handler = print

    assert described(greenloop.new_event_loop(), override)["overridden"] == [
        "call_exception_handler"
    ]


def test_debug_mode_is_told():
    found = described(greenloop.new_event_loop(), lambda loop: loop.set_debug(True))
    assert found["short cuts"] == "not taken: debug mode shows every call"


def test_another_loop_is_told_to_be_no_native_one():
    assert described(asyncio.SelectorEventLoop()) == {
        "loop": "asyncio.unix_events._UnixSelectorEventLoop",
        "debug": False,
        "native": False,
    }


def test_a_hook_in_the_class_of_all_loops_is_told_without_a_running_one():
    statement = """
asyncio.BaseEventLoop.call_soon = (lambda call: lambda *a, **k: call(*a, **k))(
    asyncio.BaseEventLoop.call_soon)
"""
    loop = in_process(statement)["Loop"]
    assert (loop["running"], loop["overridden"]) == (False, ["call_soon"])


def test_a_monitor_that_runs_the_handles_is_told():
    statement = """
run = asyncio.Handle._run
asyncio.Handle._run = lambda handle: run(handle)
"""
    assert in_process(statement)["Loop"]["handles run by"] == "a replaced Handle._run"


def test_variables_of_ours_are_told_and_no_others():
    report = sections(env={"GREENLOOP_JOIN_WRITES": "0", "SECRET": "x"})
    assert report["Environment"]["GREENLOOP_JOIN_WRITES"] == "0"
    assert "SECRET" not in report["Environment"]


def test_the_home_of_the_user_is_not_told(monkeypatch):
    monkeypatch.setenv("HOME", "/home/somebody")
    assert facts._short("/home/somebody/bin/python") == "~/bin/python"
    assert facts._short("/home/somebodys/bin/python") == "/home/somebodys/bin/python"
    assert facts._short(None) is None


def test_packages_are_told_with_their_versions(monkeypatch):
    monkeypatch.setattr(facts, "_PACKAGES", ("pytest", "no-such-package"))
    assert facts._packages() == {"pytest": f"{pytest.__version__}, imported"}


def test_the_command_prints_text_to_paste():
    result = run()
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.startswith("Greenloop\n  version")
    assert "Native parts\n" in result.stdout


def test_the_command_explains_itself():
    result = run("--help")
    assert result.returncode == 0
    assert result.stdout.startswith("usage: python -m greenloop doctor")


@pytest.mark.parametrize("arguments", [(), ("--json",), ("--help",)])
def test_a_full_disk_gets_a_line(arguments):
    command = [sys.executable, "-m", "greenloop", "doctor", *arguments]
    with open("/dev/full", "w") as full:
        result = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60)
    problem = "greenloop doctor: the answer was not printed: No space left on device\n"
    assert (result.returncode, result.stderr) == (1, problem)


def test_a_reader_that_has_seen_enough_gets_no_complaint():
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "greenloop", "doctor"]
    result = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, timeout=60)
    os.close(writer)
    assert (result.returncode, result.stderr) == (1, b"")


def test_a_program_is_run_and_its_loops_are_told():
    program = """
import asyncio, sys, selectors
asyncio.run(asyncio.sleep(0))
with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(selectors.EpollSelector())) as r:
    r.run(asyncio.sleep(0))
print("out", sys.argv[1:])
sys.exit(3)
"""
    result = run("--json", "-c", program, "--json")
    assert (result.returncode, result.stdout) == (3, "out ['--json']\n")
    report = json.loads(result.stderr)
    assert report["Program"]["level"].startswith("3")
    assert report["Program"]["whole process"] is True
    assert report["Loop 1 that ran"]["short cuts"] == "taken"
    assert report["Loop 2 that ran"]["native"] is False
