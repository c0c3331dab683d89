"""Twenty hangs are named, each party with its line, also while the rest of the program goes on."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time

import hangs
import pytest
from serving import under_a_server

import greenloop
from greenloop.monitoring.report import report_of
from greenloop.monitoring.screen import Screen
from greenloop.monitoring.table import table
from greenloop.monitoring.tree import tree

WITHIN = 1.0
"""Seconds in which a deadlock is named, unless the process has very many objects, as one has that
has run thousands of tests: doubts about a lock are looked for among all of them."""

ATTEMPTS = 4
"""The machine may have been busy with something else."""

PATIENCE = 20
"""Seconds after which a hang is not named at all."""

PROVABLE = [hang for hang in hangs.HANGS.values() if hang.why]
OUTSIDE = [hang for hang in hangs.HANGS.values() if not hang.why]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.usefixtures("runtime_folder"),
    # Some cannot be cancelled, and are dropped.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


class Run:
    """A program that is watched while it hangs, and what was seen."""

    def __init__(self, hang, is_served, is_enough):
        self.deadlocks = []
        self.report = None
        self.seconds = None
        self._began = 0
        self._is_enough = is_enough
        self._found = threading.Event()
        with contextlib.closing(greenloop.new_event_loop()) as loop:
            with greenloop.watch(60, on_deadlock=self._note) as watch:
                observer = threading.Thread(target=self._observe, args=(watch, loop))
                program = self._program(hang, is_served)
                loop.call_soon(observer.start)
                with pytest.raises(RuntimeError, match="Event loop stopped"):
                    loop.run_until_complete(program)
                observer.join()
            _end(loop)

    async def _program(self, hang, is_served):
        asyncio.current_task().set_name("main")
        self._began = time.monotonic()
        await (under_a_server(hang.function()) if is_served else hang.function())

    def _note(self, deadlock):
        self.seconds = self.seconds or time.monotonic() - self._began
        self.deadlocks.append(deadlock)
        self._found.set()

    def _observe(self, watch, loop):
        try:
            end = time.monotonic() + PATIENCE
            while time.monotonic() < end:
                self._found.wait(0.05)
                self.report = watch.report()
                if self._is_enough(self):
                    break
        finally:
            loop.call_soon_threadsafe(loop.stop)

    def task(self, name):
        """What the report says of a task, or None."""
        return next((task for task in self.report["tasks"] if task["name"] == name), None)

    def texts(self):
        """What `ps` and `tree` print."""
        report, screen = report_of(self.report), Screen(None)
        return ["\n".join(text(report, screen)) for text in (table, tree)]


def _end(loop):
    """Let what hangs go."""
    logging.getLogger("asyncio").disabled = True
    try:
        for task in asyncio.all_tasks(loop):
            # A gather of itself cancels itself for ever.
            with contextlib.suppress(RecursionError):
                task.cancel()
        del task
        loop.call_later(0.05, loop.stop)
        loop.run_forever()
    finally:
        logging.getLogger("asyncio").disabled = False


def parties_of(run):
    return {party["name"]: party for found in run.deadlocks for party in found["parties"]}


@pytest.mark.parametrize("is_served", [False, True], ids=["alone", "served"])
@pytest.mark.parametrize("hang", PROVABLE, ids=lambda hang: hang.name)
def test_a_deadlock_is_named_with_all_parties_and_lines(hang, is_served):
    for _ in range(ATTEMPTS):
        run = Run(hang, is_served, lambda run: run.deadlocks)
        if run.seconds is not None and run.seconds < WITHIN:
            break
    assert run.seconds is not None
    (deadlock,) = run.deadlocks
    assert deadlock["why"] in hang.why
    parties, text = parties_of(run), deadlock["text"]
    for name, kind in hang.waits.items():
        party, line = parties[name], hang.line(f"{name} waits")
        assert party["wait"]["kind"] == kind
        assert hang.texts.get(name, "") in party["wait"]["text"]
        assert f"{hangs.__file__}:{line}" in text
        assert f"  {name} (" in text
        if hang.why != ("broken-hand-over",):
            assert party["place"]["line"] == line
    for name in hang.takers():
        line = hang.line(f"{name} takes")
        assert [held["place"]["line"] for held in parties[name]["holds"]] == [line]
        assert f"took at {hangs.__file__}:{line}" in text
    for printed in run.texts():
        assert all(name in printed for name in hang.waits)


@pytest.mark.parametrize("is_served", [False, True], ids=["alone", "served"])
@pytest.mark.parametrize("hang", OUTSIDE, ids=lambda hang: hang.name)
def test_a_wait_for_somebody_outside_says_for_whom(hang, is_served):
    ((name, kind),) = hang.waits.items()

    def is_named(run):
        task = run.task(name)
        wait = task and task["wait"]
        return wait and wait["kind"] == kind and hang.texts[name] in wait["text"]

    run = Run(hang, is_served, is_named)
    task = run.task(name)
    assert task["wait"]["kind"] == kind
    assert hang.texts[name] in task["wait"]["text"]
    assert task["place"]["line"] == hang.line(f"{name} waits")
    assert run.deadlocks == []
    for printed in run.texts():
        assert name in printed
        assert hang.texts[name] in printed
        assert f"hangs.py:{task['place']['line']}" in printed
