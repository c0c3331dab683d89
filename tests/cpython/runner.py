"""Runs the suite: divides the modules among workers, collects the results, and checks failures.

An unexpected failure is not believed at once. If asyncio fails the test in this environment too,
the test is `broken`. If the test passes twice when it is run alone, it is `flaky`: listed, but no
failure, since a loaded machine breaks tests that measure time.
"""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from . import implementation, modules, record
from .record import Result

ROOT = Path(__file__).resolve().parents[2]
# The slowest tests of the suite take about 4 s on an idle machine.
TIME_LIMIT = 30.0
# A worker that has been silent for this much longer than a test may take is stuck itself.
GRACE = 30.0


@dataclass(frozen=True)
class Job:
    """A share of one module's tests, for one worker process."""

    module: str
    shard: int = 0
    shards: int = 1
    only: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Options:
    loop: str = implementation.GREENLOOP
    modules: tuple[str, ...] = ()
    pattern: str | None = None
    jobs: int = 2
    time_limit: float = TIME_LIMIT
    ignore_exclusions: bool = False

    @property
    def complete(self) -> bool:
        """Whether every test of every module is asked for."""
        return not self.modules and self.pattern is None and not self.ignore_exclusions


@dataclass(frozen=True)
class Outcome:
    results: list[Result]
    # Reasons to distrust the whole run of a module: module -> what was wrong.
    problems: dict[str, list[str]]


def version() -> str:
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def run(options: Options) -> Outcome:
    """Runs what the options ask for, and settles the unexpected failures."""
    present = modules.available()
    unknown = set(options.modules) - set(present)
    if unknown:
        raise SystemExit(f"no such module here: {', '.join(sorted(unknown))}")
    chosen = options.modules or tuple(present)
    shards = {name: 1 if options.pattern else present[name] for name in chosen}
    outcome = _run_jobs(
        [Job(name, shard, count) for name, count in shards.items() for shard in range(count)],
        options,
    )
    if options.loop in (implementation.ASYNCIO, implementation.CENSUS):
        return outcome
    return replace(outcome, results=_settle(outcome.results, options))


def _settle(results: list[Result], options: Options) -> list[Result]:
    """Tells the broken and the flaky tests from those that we fail."""
    expected = (
        record.expected_failures(version()) if options.loop == implementation.GREENLOOP else ()
    )
    doubtful = [r for r in results if r.outcome == "failed" and r.name not in expected]
    if not doubtful:
        return results
    oracle = _rerun(doubtful, replace(options, loop=implementation.ASYNCIO))
    settled = {
        result.name: replace(result, outcome="broken", detail=oracle[result.name].detail)
        for result in doubtful
        if oracle.get(result.name, result).outcome == "failed"
    }
    candidates = [result for result in doubtful if result.name not in settled]
    alone = replace(options, jobs=1)
    for _ in range(2):
        again = _rerun(candidates, alone)
        candidates = [
            r for r in candidates if r.name in again and again[r.name].outcome == "passed"
        ]
    settled |= {result.name: replace(result, outcome="flaky") for result in candidates}
    return [settled.get(result.name, result) for result in results]


def _rerun(results: Iterable[Result], options: Options) -> dict[str, Result]:
    by_module: dict[str, list[str]] = {}
    for result in results:
        by_module.setdefault(result.module, []).append(result.name)
    jobs = [Job(module, only=tuple(names)) for module, names in by_module.items()]
    return {result.name: result for result in _run_jobs(jobs, options).results}


def _run_jobs(jobs: list[Job], options: Options) -> Outcome:
    results: list[Result] = []
    problems: dict[str, list[str]] = {}
    with ThreadPoolExecutor(options.jobs) as pool:
        for job, outcome in zip(jobs, pool.map(lambda job: _run_job(job, options), jobs)):
            results += outcome.results
            for problem in outcome.problems.get(job.module, ()):
                known = problems.setdefault(job.module, [])
                if problem not in known:
                    known.append(problem)
    return Outcome(results, problems)


def _run_job(job: Job, options: Options) -> Outcome:
    command = [sys.executable, "-m", "tests.cpython.worker"]
    command += ["--loop", options.loop, "--module", job.module]
    command += ["--shard", str(job.shard), "--shards", str(job.shards)]
    command += ["--time-limit", str(options.time_limit)]
    request = {
        "only": job.only,
        "pattern": options.pattern,
        "ignore_exclusions": options.ignore_exclusions,
    }
    worker = subprocess.Popen(
        command,
        cwd=ROOT,
        env=_environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    results: list[Result] = []
    problems: list[str] = []
    done = False
    with worker:
        errors: list[str] = []
        reader = threading.Thread(target=lambda: errors.append(worker.stderr.read()))
        reader.start()
        worker.stdin.write(json.dumps(request))
        worker.stdin.close()
        for message in _messages(worker, options.time_limit + GRACE):
            if "test" in message:
                results.append(_result(message))
            elif "problem" in message:
                problems.append(message["problem"])
            else:
                done = True
        reader.join()
    if not done:
        last = results[-1].name if results else "any test"
        problems.append(f"the worker ended after {last}:\n{errors[0][-4000:]}")
    return Outcome(results, {job.module: problems} if problems else {})


def _messages(worker: subprocess.Popen, patience: float) -> Iterable[dict]:
    """The worker's lines; a worker that stays silent for too long is killed."""
    while True:
        watchdog = threading.Timer(patience, worker.kill)
        watchdog.start()
        line = worker.stdout.readline()
        watchdog.cancel()
        if not line:
            return
        yield json.loads(line)


def _result(message: dict) -> Result:
    return Result(
        name=message["test"],
        outcome=message["outcome"],
        detail=message["detail"],
        seconds=message["seconds"],
        constructed=tuple(sorted(message.get("constructed", {}).items())),
    )


def _environment() -> dict[str, str]:
    """The surroundings the tests expect: without switches that alter asyncio or the warnings."""
    disturbing = ("PYTHONASYNCIODEBUG", "PYTHONDEVMODE", "PYTHONWARNINGS", "PYTHONSTARTUP")
    return {name: value for name, value in os.environ.items() if name not in disturbing}
