"""The machinery of the suites: what differs must be seen, and what flickers must not count."""

import dataclasses
import re
import socket
import sys
import textwrap

import pytest
from tests.cpython.record import Result

from . import comparison, runner, servers, session, suites
from .suites import ASYNCIO, GREENLOOP

SUITE = suites.Suite("sample", "sample==1")
ALWAYS_PASSED = ["passed"] * comparison.REPEATS_ON_ASYNCIO


def results(**outcomes):
    return {name: Result(f"s/{name}", outcome) for name, outcome in outcomes.items()}


def settle(on_asyncio, on_greenloop, again=(), strict=False):
    """Outcomes by test; `again` are the results of runs again, by loop and test."""
    later = {key: list(value) for key, value in dict(again).items()}

    def rerun(loop, names):
        return results(**{name: later[loop, name].pop(0) for name in names})

    settled = comparison.settle(on_asyncio, on_greenloop, rerun, strict=strict)
    return {name: result.outcome for name, result in settled.items()}


def test_what_passes_on_asyncio_and_not_on_greenloop_is_a_failure():
    again = {(GREENLOOP, "t"): ["passed", "failed"], (ASYNCIO, "t"): ALWAYS_PASSED}
    assert settle(results(t="passed"), results(t="failed"), again) == {"t": "failed"}


def test_what_passes_twice_when_it_is_run_again_is_flaky():
    again = {(GREENLOOP, "t"): ["passed", "passed"]}
    assert settle(results(t="passed"), results(t="failed"), again) == {"t": "flaky"}


def test_what_asyncio_fails_as_well_is_broken():
    assert settle(results(t="failed"), results(t="failed")) == {"t": "broken"}


def test_what_asyncio_fails_now_and_then_is_broken():
    again = {(GREENLOOP, "t"): ["failed"], (ASYNCIO, "t"): ["passed", "failed"]}
    assert settle(results(t="passed"), results(t="failed"), again) == {"t": "broken"}


def test_in_a_strict_suite_a_failure_counts_though_asyncio_fails_too():
    again = {(GREENLOOP, "t"): ["failed"]}
    assert settle(results(t="failed"), results(t="failed"), again, strict=True) == {"t": "failed"}


@pytest.mark.parametrize("on_greenloop", [results(), results(t="skipped")])
def test_a_test_that_does_not_run_on_greenloop_is_a_failure(on_greenloop):
    again = {(GREENLOOP, "t"): ["skipped"], (ASYNCIO, "t"): ALWAYS_PASSED}
    assert settle(results(t="passed"), on_greenloop, again) == {"t": "failed"}


def test_what_is_skipped_on_both_or_excluded_is_no_failure():
    same = results(t="skipped", e="private")
    assert settle(same, same) == {"t": "skipped", "e": "private"}
    assert settle(same, results()) == {"t": "skipped", "e": "private"}


def test_every_exclusion_belongs_to_a_suite():
    known = suites.read()
    read = runner.read_exclusions()
    assert {exclusion.pattern.partition("/")[0] for exclusion in read} <= set(known)


def test_every_server_and_every_program_is_known():
    for suite in suites.read().values():
        assert servers.missing(suite) is not None
    absent = dataclasses.replace(SUITE, programs=("sh", "no-program-of-this-name"))
    assert servers.missing(absent) == ["no-program-of-this-name"]


@pytest.mark.slow
@pytest.mark.parametrize("server", ["redis", "postgresql"])
def test_a_server_is_reached_while_it_is_needed_and_gone_afterwards(server):
    if absent := servers.missing(dataclasses.replace(SUITE, server=server)):
        pytest.skip(f"not installed: {', '.join(absent)}")
    with servers.running(server) as variables:
        port = re.search(r"\b\d{4,5}\b", " ".join(variables.values()))
        assert port is not None
        address = (servers.HOST, int(port[0]))
        socket.create_connection(address).close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address)


@pytest.mark.slow
def test_a_suite_is_told_where_its_server_is(run):
    named, _ = run(
        """
        import os
        def test_it(): assert os.environ["PLACE"] == "there"
        """,
        variables={"PLACE": "there"},
    )
    assert outcomes(named) == {"test_it": "passed"}


@pytest.fixture
def run(tmp_path):
    """Runs pytest on a file of tests, as it runs a suite."""

    def run(source, **changes):
        (tmp_path / "tests").mkdir()
        (tmp_path / "tests" / "test_it.py").write_text(textwrap.dedent(source))
        request = session.Request(SUITE, ASYNCIO, tmp_path, sys.executable, time_limit=10.0)
        report = session.run(dataclasses.replace(request, **changes))
        named = {name.rpartition("::")[2]: result for name, result in report.results.items()}
        return named, report.problems

    return run


def outcomes(named):
    return {name: result.outcome for name, result in named.items()}


@pytest.mark.slow
def test_a_crash_fails_its_test_alone(run):
    named, problems = run("""
        import os
        def test_before(): pass
        def test_crash(): os.abort()
        def test_after(): pass
    """)
    assert problems == []
    assert outcomes(named) == {
        "test_before": "passed",
        "test_crash": "failed",
        "test_after": "passed",
    }
    assert "SIGABRT" in named["test_crash"].detail


@pytest.mark.slow
def test_a_hang_that_python_cannot_end_fails_its_test_alone(run, monkeypatch):
    monkeypatch.setattr(session, "GRACE", 3.0)
    named, problems = run(
        """
        import signal, time
        def test_hang():
            signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
            time.sleep(600)
        def test_after(): pass
        """,
        time_limit=0.5,
    )
    assert problems == []
    assert outcomes(named) == {"test_hang": "failed", "test_after": "passed"}
    assert "silent" in named["test_hang"].detail


@pytest.mark.slow
def test_exclusions_errors_and_names_are_kept_apart(run):
    named, problems = run(
        """
        import pytest
        def test_left_out(): pass
        @pytest.fixture
        def broken():
            yield
            raise ValueError
        def test_teardown(broken): pass
        @pytest.mark.skip
        def test_skipped(): pass
        """,
        excluded=(("*::test_left_*", "private"),),
    )
    assert problems == []
    assert outcomes(named) == {
        "test_left_out": "private",
        "test_teardown": "failed",
        "test_skipped": "skipped",
    }


@pytest.mark.slow
def test_a_file_that_cannot_be_imported_is_a_failure(run):
    named, _ = run("import nothing_of_this_name")
    assert outcomes(named) == {"tests/test_it.py": "failed"}


@pytest.mark.slow
def test_the_wrong_loop_is_no_success(run):
    _, problems = run(
        """
        import asyncio
        class Loop(asyncio.SelectorEventLoop): pass
        Loop.__module__ = "other"
        asyncio.DefaultEventLoopPolicy._loop_factory = Loop
        def test_it(): pass
        """
    )
    assert problems == ["it ran on other instead of asyncio"]
