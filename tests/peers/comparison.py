"""Says what the results of a test mean: on asyncio, on Greenloop, and again when they differ.

A failure on Greenloop is not believed at once. A loaded machine breaks tests that measure time, and
some of these suites' tests fail now and then on asyncio as well.
"""

from collections.abc import Callable, Collection
from dataclasses import replace

from tests.cpython.record import Result

from .suites import ASYNCIO, GREENLOOP

# How often a doubtful test is run again on Greenloop: it is flaky if it passes every time.
REPEATS = 2
# And on asyncio, where it is broken if it fails once. Some tests race against a server, and lose
# in one run of three: of so many runs, one is all but certain to show it.
REPEATS_ON_ASYNCIO = 10

# Runs the tests of these names on a loop.
Rerun = Callable[[str, Collection[str]], dict[str, Result]]


def settle(
    on_asyncio: dict[str, Result], on_greenloop: dict[str, Result], rerun: Rerun, *, strict: bool
) -> dict[str, Result]:
    """The results on Greenloop, with its failures told from those that are not its own.

    The outcome `failed` remains for what passes on asyncio and not on Greenloop; if `strict`, for
    all that does not pass on Greenloop. `broken` is what asyncio fails too, `flaky` what passes
    when it is run again.
    """
    settled = dict(on_greenloop)
    doubtful = []
    for name, expected in on_asyncio.items():
        result = on_greenloop.get(name)
        if result is None and expected.outcome not in ("passed", "failed"):
            # Excluded or skipped, and by another name on Greenloop, or not there at all.
            result = expected
        elif result is None:
            result = Result(expected.name, "failed", "it did not run on Greenloop")
        elif result.outcome == "skipped" and expected.outcome == "passed":
            result = replace(result, outcome="failed", detail=f"skipped\n{result.detail}")
        if result.outcome == "failed":
            if expected.outcome == "passed" or strict:
                doubtful.append(name)
            else:
                result = replace(result, outcome="broken")
        settled[name] = result
    doubtful += [
        name
        for name, result in on_greenloop.items()
        if name not in on_asyncio and result.outcome == "failed"
    ]

    for name in _always(doubtful, rerun, GREENLOOP, "passed"):
        settled[name] = replace(settled[name], outcome="flaky")
    if not strict:
        failing = [name for name in doubtful if settled[name].outcome == "failed"]
        for name in _ever(failing, rerun, ASYNCIO, "failed"):
            settled[name] = replace(settled[name], outcome="broken")
    return settled


def _always(names: Collection[str], rerun: Rerun, loop: str, outcome: str) -> set[str]:
    """Those of the tests that end in this way every time when they are run again."""
    remaining = set(names)
    for _ in range(REPEATS):
        remaining = _with_outcome(remaining, rerun, loop, outcome)
    return remaining


def _ever(names: Collection[str], rerun: Rerun, loop: str, outcome: str) -> set[str]:
    """Those of the tests that end in this way at least once when they are run again."""
    found: set[str] = set()
    for _ in range(REPEATS_ON_ASYNCIO):
        found |= _with_outcome(set(names) - found, rerun, loop, outcome)
    return found


def _with_outcome(names: set[str], rerun: Rerun, loop: str, outcome: str) -> set[str]:
    results = rerun(loop, sorted(names)) if names else {}
    return {name for name in names if name in results and results[name].outcome == outcome}
