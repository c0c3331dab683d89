"""A pytest plugin that tells the runner how every test of a suite went, while they run.

It is loaded into the pytest of a suite, in the suites' environment, and so uses nothing but pytest.
Every message is a JSON object on a line of the pipe whose number stands in GREENLOOP_PEERS_PIPE.
What to run stands in the file that GREENLOOP_PEERS_REQUEST names (see session.py).
"""

import asyncio
import gc
import json
import os
import signal
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

DETAIL_KEPT = 8000


class Reporter:
    """Selects the tests that are asked for, and reports those that are run."""

    def __init__(self, request: dict, pipe: int):
        # None means every test but those that are excluded or done.
        self._only = None if request["only"] is None else frozenset(request["only"])
        self._done = frozenset(request["done"])
        self._excluded = request["excluded"]
        self._pattern = request["pattern"]
        # Tests that are started as processes get no copy of the pipe.
        os.set_inheritable(pipe, False)
        self._pipe = pipe
        self._failures: dict[str, list[str]] = {}
        self._outcomes: dict[str, str] = {}
        self._seconds: dict[str, float] = {}
        self._runs: dict[str, int] = {}

    def _send(self, **message: object) -> None:
        os.write(self._pipe, json.dumps(message).encode() + b"\n")

    def _exclusion(self, name: str) -> str | None:
        if self._only is not None:
            return None
        return next((kind for pattern, kind in self._excluded if fnmatchcase(name, pattern)), None)

    @pytest.hookimpl(tryfirst=True)
    def pytest_ignore_collect(self, collection_path: Path, config: pytest.Config) -> bool | None:
        """Leave out whole files that are excluded: those which cannot even be imported."""
        if collection_path.suffix != ".py":
            return None
        name = collection_path.relative_to(config.rootpath).as_posix()
        kind = self._exclusion(name)
        if kind is None:
            return None
        self._send(test=name, outcome=kind, detail="")
        return True

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(
        self, config: pytest.Config, items: list[pytest.Item]
    ) -> None:
        self._send(loop=_loop_in_use())
        kept, left_out = [], []
        for item in items:
            kind = self._exclusion(item.nodeid)
            wanted = item.nodeid not in self._done and self._wanted(item.nodeid)
            if kind is not None and wanted:
                self._send(test=item.nodeid, outcome=kind, detail="")
            (kept if wanted and kind is None else left_out).append(item)
        items[:] = kept
        config.hook.pytest_deselected(items=left_out)

    def pytest_collection_finish(self) -> None:
        # Many a test collects garbage: not again what has been imported.
        gc.collect()
        gc.freeze()

    def _wanted(self, name: str) -> bool:
        if self._only is not None:
            return name in self._only
        return self._pattern is None or self._pattern in name

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed and report.nodeid not in self._done:
            self._send(test=report.nodeid, outcome="failed", detail=_text(report))

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self._failures[nodeid] = []
        self._outcomes[nodeid] = "passed"
        self._seconds[nodeid] = 0.0
        self._runs[nodeid] = 0
        self._send(start=nodeid)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        self._runs[item.nodeid] += 1

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._seconds[report.nodeid] += report.duration
        if report.failed:
            self._failures[report.nodeid].append(_text(report))
        elif report.skipped:
            self._outcomes[report.nodeid] = "skipped"
        if report.when == "teardown":
            failures = self._failures.pop(report.nodeid)
            outcome = self._outcomes.pop(report.nodeid)
            self._send(
                test=report.nodeid,
                outcome="failed" if failures else outcome,
                detail="\n".join(failures)[:DETAIL_KEPT],
                seconds=round(self._seconds.pop(report.nodeid), 3),
                runs=self._runs.pop(report.nodeid),
            )

    def pytest_sessionfinish(self) -> None:
        self._send(done=True)


def _text(report: pytest.CollectReport | pytest.TestReport) -> str:
    """What went wrong, the telling line first."""
    crash = getattr(report.longrepr, "reprcrash", None)
    told = report.longreprtext.splitlines()
    marked = [line.removeprefix("E").strip() for line in told if line.startswith("E ")]
    telling = crash.message.splitlines()[:1] if crash else marked[-1:]
    sections = [f"--- {title}\n{content}" for title, content in report.sections]
    return "\n".join([*telling, *sections, report.longreprtext])


def _loop_in_use() -> str:
    """The module of what a suite gets that makes a loop without saying which."""
    loop = asyncio.new_event_loop()
    loop.close()
    return type(loop).__module__.partition(".")[0]


def pytest_configure(config: pytest.Config) -> None:
    # Whoever starts this in the background has it ignore Ctrl-C, which tests send.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    # A suite that runs pytest in its own process would load the plugin again.
    pipe = os.environ.pop("GREENLOOP_PEERS_PIPE", None)
    if pipe is not None:
        request = json.loads(Path(os.environ["GREENLOOP_PEERS_REQUEST"]).read_text())
        config.pluginmanager.register(Reporter(request, int(pipe)))
