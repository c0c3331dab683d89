"""The machinery of the suites in many orders: what only fails under the plugin is explained."""

import dataclasses
import sys
import textwrap
from pathlib import Path

import pytest
from tests.cpython.exclusions import Exclusion
from tests.cpython.record import Result
from tests.peers import session
from tests.peers import suites as peers
from tests.peers.suites import ASYNCIO, Suite

from . import report, runner

SUITE = Suite("sample", "sample==1")
TOKEN = "--greenloop-seed=g1xv4.d51i"


def results(**outcomes):
    return {name: Result(f"sample/{name}", outcome) for name, outcome in outcomes.items()}


def outcomes(named):
    return {name: result.outcome for name, result in named.items()}


def explanation(pattern, kind="order"):
    return Exclusion(kind, pattern, "a reason", ())


def test_a_failure_has_the_kind_of_its_explanation():
    explained = runner.explain(
        results(a="passed", b="passed", c="passed"),
        results(a="failed", b="failed", c="passed"),
        [explanation("a", "time"), explanation("c")],
    )
    assert outcomes(explained) == {"a": "time", "b": "failed", "c": "passed"}


def test_what_fails_without_the_plugin_is_not_explained():
    explained = runner.explain(
        results(a="failed"), results(a="failed"), [explanation("a", "library")]
    )
    assert outcomes(explained) == {"a": "failed"}


def test_an_explanation_of_what_passes_is_told():
    under = results(a="order", b="passed")
    assert runner.superfluous([explanation("a"), explanation("b")], under) == ["b"]


def test_every_explanation_belongs_to_a_suite_and_has_a_kind():
    known = runner.read_suites()
    read = runner.read_explanations()
    assert {each.pattern.partition("/")[0] for each in read} <= set(known)
    assert {each.category for each in read} <= set(runner.KINDS)


def test_a_suite_of_peers_says_only_what_differs(tmp_path):
    path = tmp_path / "suites.toml"
    path.write_text(
        '[sample]\ntests = ["tests/a.py", "tests/b.py"]\n[other]\npackage = "other==2"\n'
    )
    known = {"sample": dataclasses.replace(SUITE, plugins=("asyncio",))}
    read = peers.read(path, known)
    assert read["sample"].plugins == ("asyncio",)
    assert read["sample"].tests == ("tests/a.py", "tests/b.py")
    assert read["other"].version == "2"


def test_what_hangs_is_left_out_under_the_plugin_only():
    without = session.Request(SUITE, ASYNCIO, Path(), Path(), 1.0)
    explanations = [explanation("a", runner.HANGS), explanation("b")]
    under = runner.under_plugin(without, explanations, 7)
    assert (without.excluded, under.excluded) == ((), (("a", runner.HANGS),))
    assert under.suite.options == ("--greenloop-seeds=7",)


def test_the_report_names_the_order_of_each_failure():
    detail = f"AssertionError\n--- Greenloop\nexact orders\nthe same order again: {TOKEN}\n"
    under = {"a": Result("sample/a", "failed", detail), **results(b="order", c="passed")}
    listed = report.failures(under.values())
    assert listed.splitlines() == [
        "    sample/a (unexplained): AssertionError",
        f"        {TOKEN}",
        "    sample/b (order): ",
    ]
    outcome = runner.Outcome(SUITE, results(a="passed"), under, {"a": 3, "b": 20})
    assert outcome.unexplained == [under["a"]]
    assert report.table([outcome]).splitlines()[-1].split()[-2:] == ["23", "0"]


@pytest.mark.slow
def test_a_suite_runs_in_orders_in_which_it_fails(tmp_path):
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_it.py").write_text(
        textwrap.dedent("""
            import asyncio
            def ended(*delays):
                seen = []
                async def one(number, delay):
                    await asyncio.sleep(delay)
                    seen.append(number)
                async def main():
                    await asyncio.gather(*(one(*pair) for pair in enumerate(delays)))
                asyncio.run(main())
                return seen
            def test_any_order(): assert sorted(ended(60, 60)) == [0, 1]
            def test_one_order(): assert ended(60, 60) == [0, 1]
            def test_no_loop(): pass
        """)
    )
    without = session.Request(SUITE, ASYNCIO, tmp_path, Path(sys.executable), time_limit=30.0)
    under = session.run(runner.under_plugin(without, [], 5))
    assert under.problems == []
    named = {name.rpartition("::")[2]: result for name, result in under.results.items()}
    runs = {name.rpartition("::")[2]: number for name, number in under.runs.items()}
    assert outcomes(named) == {
        "test_any_order": "passed",
        "test_one_order": "failed",
        "test_no_loop": "passed",
    }
    assert (runs["test_any_order"], runs["test_no_loop"]) == (5, 1)
    assert report.token_of(named["test_one_order"])
