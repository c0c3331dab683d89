"""What is done about a deadlock: an exception for those who wait, a callback, or nothing."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
from pathlib import Path

import hangs
import pytest

import greenloop

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("runtime_folder")]

PROVABLE = [hang for hang in hangs.HANGS.values() if hang.why]

PATIENCE = 20
"""Seconds."""


def test_with_raise_the_parties_get_the_report_and_the_program_goes_on():
    """They go through all hangs one after the other."""

    async def main():
        for hang in PROVABLE:
            known = set(asyncio.all_tasks())
            program = asyncio.create_task(hang.function(), name="program")
            await asyncio.sleep(0.05)
            tasks = asyncio.all_tasks() - known
            _, pending = await asyncio.wait(tasks, timeout=PATIENCE)
            assert not pending, hang.name
            raised = [task.exception() for task in tasks if not task.cancelled()]
            texts = [str(each) for each in raised if isinstance(each, greenloop.Deadlock)]
            assert texts, hang.name
            assert texts[0].startswith("deadlock: ")
            for name in hang.waits:
                assert f"{hangs.__file__}:{hang.line(f'{name} waits')}" in texts[0]
            del program
        return "went on"

    with greenloop.watch(3600, on_deadlock="raise"):
        assert greenloop.run(main()) == "went on"


def test_a_party_can_catch_it_and_go_on():
    lock = greenloop.Lock()

    async def careful():
        async with lock:
            try:
                await lock.acquire()
            except greenloop.Deadlock as deadlock:
                return str(deadlock)

    with greenloop.watch(3600, on_deadlock="raise"):
        text = greenloop.run(careful())
    assert "which itself holds" in text
    assert not lock.locked()


def test_a_callback_that_raises_is_logged_and_the_watch_goes_on(caplog):
    told = []

    async def main():
        for hang in (hangs.HANGS["crossed_locks"], hangs.HANGS["event_nobody_sets"]):
            before = len(told)
            program = asyncio.create_task(hang.function())
            async with asyncio.timeout(PATIENCE):
                while len(told) == before:
                    await asyncio.sleep(0.05)
            program.cancel()
            await asyncio.wait([program])

    def fail(deadlock):
        told.append(deadlock["why"])
        raise ValueError("the callback failed")

    with caplog.at_level(logging.ERROR, "greenloop.watchdog"):
        with greenloop.watch(3600, on_deadlock=fail) as watch:
            greenloop.run(main())
            report = watch.report()
    assert told == ["cycle", "cycle"]
    assert report["counters"]["deadlocks"] == 2
    failures = [record for record in caplog.records if record.exc_info]
    assert [str(record.exc_info[1]) for record in failures] == ["the callback failed"] * 2


@pytest.mark.parametrize("wrong", ["shout", None, 3])
def test_what_it_cannot_be_is_refused(wrong):
    with pytest.raises(ValueError, match="on_deadlock has to be"):
        greenloop.watch(on_deadlock=wrong)


def test_the_lessons_example_of_awaiting_one_by_one_is_explained(runtime_folder):
    lesson = next(
        folder / "examples/lesson/why_gather.py"
        for folder in Path(__file__).parents
        if (folder / "examples/lesson").is_dir()
    )
    options = ["--interval", "0.01", "--rounds", "2", "--for-ever"]
    command = [sys.executable, "-m", "greenloop", "watch", lesson, *options]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as program:
        told = [program.stderr.readline() for _ in range(2)]
        program.kill()
        program.stderr.read()
    assert told[0] == (
        "deadlock: a task can never go on: only it could end its wait, and it does not get there "
        "while it waits\n"
    )
    assert "(main) waits for an item of queue 'queue' (0 items" in told[1]
    source = lesson.read_text().splitlines()
    line = next(
        at for at, text in enumerate(source, 1) if text == "            await consumer.run()"
    )
    assert "in Consumer.run, called at " in told[1]
    assert f"{lesson}:{line}" in told[1]
