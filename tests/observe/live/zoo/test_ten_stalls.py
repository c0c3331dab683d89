"""Ten ways to hold a loop up are told of while they last, with the right kind and line."""

from __future__ import annotations

import asyncio
import os
import threading
import time

import pytest
import stalls

import greenloop
from greenloop import _native

THRESHOLD = 0.1
LENGTH = 0.35
"""Seconds for which a step stalls."""

NOTICED_WITHIN = THRESHOLD + 0.02

ATTEMPTS = 8
"""A machine that does other things at the time says so, and rightly: then it is tried again."""

BUSY = "the machine was busy"

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("runtime_folder")]

TIMED = [each for each in stalls.STALLS.values() if each.kind in ("python", "system-call")]


@pytest.fixture(scope="module", autouse=True)
def amounts():
    stalls.prepare(LENGTH)


class Episode:
    """A stall, and what was told of it."""

    def __init__(self, stall):
        self.told = []
        self.times = []
        self.began = self.ended = 0
        with greenloop.watch(THRESHOLD, on_stall=self._note) as watch:
            if stall.kind == "starved":
                self._run_starved(stall)
            else:
                with stalls.keepers():
                    greenloop.run(self._program(stall))
            self._await_end(watch)
            self.kept = [each for each in watch.report()["stalls"] if each["name"] == "victim"]
            numbers = [each["id"] for each in self.kept]
            self.facts = [each for each in _native._look_at_stalls() if each[0] in numbers]
        # A busy machine holds up other steps as well.
        mine = [at for at, each in enumerate(self.told) if each["id"] in numbers]
        self.told, self.times = ([one[at] for at in mine] for one in (self.told, self.times))

    async def _program(self, stall):
        await asyncio.create_task(self._step(stall), name="victim")

    async def _step(self, stall):
        if stall.kind == "gil":
            # Long enough for a look at the threads that there are.
            await asyncio.sleep(0.3)
        self.began = time.time()
        stall.function(LENGTH)
        self.ended = time.time()

    def _run_starved(self, stall):
        def run():
            with stalls.rivals(LENGTH):
                greenloop.run(self._program(stall))

        thread = threading.Thread(target=run)
        thread.start()
        thread.join()

    def _await_end(self, watch):
        end = time.monotonic() + 2
        while time.monotonic() < end:
            found = watch.report()["stalls"]
            if found and len(self.told) == 2 * len(found):
                return
            time.sleep(0.01)

    def _note(self, description):
        self.times.append(time.time())
        self.told.append(description)


def is_quiet(episode, stall):
    """Whether the machine has let the step have its way."""
    if len(episode.kept) != 1:
        return False
    if stall.kind == "starved":
        return True
    # At first it may be called innocent, until it has itself run for longer than it may.
    return episode.told[-1]["kind"] not in ("starved", "unknown")


@pytest.mark.parametrize("stall", stalls.STALLS.values(), ids=lambda stall: stall.name)
def test_a_stall_is_told_of_with_its_kind_and_line(stall):
    problems = []
    for _ in range(ATTEMPTS):
        problem = problem_of(Episode(stall), stall)
        if problem is None:
            return
        problems.append(problem)
    if all(problem.startswith(BUSY) for problem in problems):
        pytest.skip("the machine has no processor to spare")
    pytest.fail("\n".join(problems))


def problem_of(episode, stall):
    """What is not as it should be, if anything is; a busy machine may be the cause of it."""
    if not is_quiet(episode, stall):
        return f"{BUSY}: {episode.told}"
    # One report when it begins, and one when it is over.
    assert [each["over"] for each in episode.told] == [False, True]
    (kept,), ((*_, noticed, _),) = episode.kept, episode.facts
    first, last = episode.told
    assert first["id"] == last["id"] == kept["id"]
    length = episode.ended - episode.began
    if last["kind"] != stall.kind:
        return f"it was called {last['kind']}: {last}"
    if stall.text not in last["text"]:
        return f"it was not told what for: {last}"
    if not length - 0.1 < last["length"] < length + 0.3:
        return f"it took {length:.3f} s: {last}"
    if not THRESHOLD <= noticed < NOTICED_WITHIN:
        return f"it was noticed after {noticed:.3f} s"
    if stall in TIMED and not episode.times[0] < episode.ended:
        return f"it was told {episode.times[0] - episode.ended:.3f} s after its end"
    lines = [(place["file"], place["line"]) for place in last["stack"]]
    expected = {(stalls.__file__, line) for line in stall.lines()}
    if stall.kind == "starved":
        assert (last["place"], lines) == (None, [])
    elif stall.kind == "gil":
        # If its end comes before anybody else gets the lock, nobody knows where it was.
        assert not lines or expected & set(lines)
    elif not expected & set(lines):
        return f"it was at {last['place']}"
    return None


def test_a_stall_beside_others_is_that_of_its_loop():
    """Another loop, which is not held up, is not told of."""
    told = []
    ended = threading.Event()

    async def quiet():
        while not ended.is_set():
            await asyncio.sleep(0.01)

    async def stalling():
        await asyncio.sleep(0.05)
        time.sleep(0.3)

    with greenloop.watch(THRESHOLD, on_stall=told.append):
        other = threading.Thread(target=greenloop.run, args=(quiet(),))
        other.start()
        greenloop.run(stalling())
        ended.set()
        other.join()
    assert len({each["loop"] for each in told if each["kind"] != "starved"}) <= 1


def test_a_callback_that_raises_does_not_end_the_watch(caplog):
    told = []

    def fail(description):
        told.append(description["over"])
        raise ValueError("the callback failed")

    async def main():
        for _ in range(2):
            time.sleep(0.25)
            await asyncio.sleep(0.2)

    with greenloop.watch(THRESHOLD, on_stall=fail) as watch:
        greenloop.run(main())
        assert watch.report()["counters"]["stalls"] >= 2
    assert len(told) >= 3
    assert "the callback failed" in caplog.text


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system cannot bind threads")
def test_no_stall_is_told_of_below_the_threshold():
    told = []

    async def main():
        for _ in range(20):
            time.sleep(0.005)
            await asyncio.sleep(0)

    with greenloop.watch(1, on_stall=told.append):
        greenloop.run(main())
    assert [each for each in told if each["kind"] != "starved"] == []
