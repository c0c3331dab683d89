"""The expected results in results/, and the comparison of a run with them.

`results/3.13.json` is what Greenloop reaches on CPython 3.13: whoever is not named there passes.
`results/reach/3.13.json` is the census: the tests that use nothing of what is replaced.
Both change only through `--record`, so that a difference shows in review.
"""

import json
import platform
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).with_name("results")
CAUSE_LENGTH = 160
# A whole repr of ours, addresses, the folders of source files, and clock readings.
_VARYING = re.compile(
    r"(?<=<)(?:Task|Future|Handle|TimerHandle) .*(?=>)"
    r"|0x[0-9a-fA-F]+|(?<=[ '\"])/[^ :'\"]*/|\d+\.\d{3,}"
)
# What a traceback of an exception group draws in front of its lines.
_GROUP_MARGIN = re.compile(r"^  [+|] ")


@dataclass(frozen=True)
class Result:
    """How one test went."""

    name: str
    # passed, failed, skipped, private, network, out_of_reach, broken or flaky.
    outcome: str
    # The traceback of a failure, or the reason why the test was not run.
    detail: str = ""
    seconds: float = 0.0
    # The census only: kinds of classes and functions, and how often each was made or called.
    constructed: tuple[tuple[str, int], ...] = ()

    @property
    def module(self) -> str:
        return self.name.partition(".")[0]

    @property
    def test_class(self) -> str:
        return self.name.rpartition(".")[0]

    @property
    def cause(self) -> str:
        """The line that says what went wrong: the exception, not its traceback.

        Without what differs from run to run, so that equal causes can be counted and recorded.
        """
        lines = [_GROUP_MARGIN.sub("", line) for line in self.detail.splitlines() if line.strip()]
        if not lines:
            return ""
        telling = lines[0]
        if "Traceback (most recent call last)" in telling:
            # A traceback's text is indented; the exception stands at the margin after it.
            at_margin = [
                line
                for line in lines[1:]
                if not line.startswith((" ", "Traceback", "Exception Group"))
            ]
            telling = (at_margin or lines)[0]
        return _VARYING.sub("...", telling)[:CAUSE_LENGTH]


def read_reach(version: str) -> frozenset[str]:
    """The tests that the census found to use nothing of what is replaced."""
    path = FOLDER / "reach" / f"{version}.json"
    if not path.exists():
        raise SystemExit(
            f"{path} is missing; make it with: python -m tests.cpython --loop census --record"
        )
    return frozenset(json.loads(path.read_text())["out_of_reach"])


def write_reach(version: str, results: Iterable[Result]) -> Path:
    """Records the census. A test that failed in it may have been kept from using it."""
    results = list(results)
    constructed: dict[str, Counter[str]] = {}
    for result in results:
        constructed.setdefault(result.module, Counter()).update(dict(result.constructed))
    content = {
        "interpreter": platform.python_version(),
        "constructed": {
            name: dict(sorted(count.items())) for name, count in sorted(constructed.items())
        },
        "out_of_reach": sorted(
            result.name
            for result in results
            if result.outcome in ("passed", "skipped") and not result.constructed
        ),
    }
    return _write(FOLDER / "reach" / f"{version}.json", content)


def write(version: str, results: Iterable[Result]) -> Path:
    return _write(FOLDER / f"{version}.json", _summary(results))


def regressions(version: str, results: list[Result], *, complete: bool) -> list[str]:
    """What went worse than recorded. `complete` says that no test was left out by request."""
    path = FOLDER / f"{version}.json"
    if not path.exists():
        return [f"{path.name} is missing: record the expected results with --record"]
    expected = json.loads(path.read_text())
    worse = [
        f"{result.name}: {result.cause}"
        for result in results
        if result.outcome == "failed" and result.name not in expected["failed"]
    ]
    # Another patch release may have other tests, so their number is compared on the same only.
    if complete and expected["interpreter"] == platform.python_version():
        settled = Counter(
            r.test_class for r in results if r.outcome in ("passed", "flaky", "failed")
        )
        failing = Counter(name.rpartition(".")[0] for name in expected["failed"])
        for test_class, passed in expected["passed"].items():
            missing = passed + failing[test_class] - settled[test_class]
            if missing > 0:
                worse.append(f"{test_class}: {missing} recorded tests did not run")
    return worse


def improvements(version: str, results: list[Result]) -> list[str]:
    """Tests recorded as failing that pass now."""
    path = FOLDER / f"{version}.json"
    if not path.exists():
        return []
    expected = json.loads(path.read_text())["failed"]
    return [r.name for r in results if r.outcome == "passed" and r.name in expected]


def expected_failures(version: str) -> frozenset[str]:
    path = FOLDER / f"{version}.json"
    return frozenset(json.loads(path.read_text())["failed"]) if path.exists() else frozenset()


def _summary(results: Iterable[Result]) -> dict[str, object]:
    results = sorted(results, key=lambda result: result.name)
    by_outcome = Counter(result.outcome for result in results)
    return {
        "interpreter": platform.python_version(),
        "total": dict(sorted(by_outcome.items())),
        # Flaky ones count as passed here, or the record would change from run to run.
        "passed": dict(
            sorted(
                Counter(r.test_class for r in results if r.outcome in ("passed", "flaky")).items()
            )
        ),
        "failed": {r.name: r.cause for r in results if r.outcome == "failed"},
        "broken": {r.name: r.cause for r in results if r.outcome == "broken"},
        "skipped": {r.name: r.detail for r in results if r.outcome == "skipped"},
    }


def _write(path: Path, content: dict[str, object]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1, sort_keys=False) + "\n")
    return path
