"""The plugin of pytest: tests of other plugins in many orders, reported as if run once."""

import importlib.metadata
import io
import re
from types import SimpleNamespace

import pytest
from pytest_runs import (
    ANYIO,
    ASYNCIO,
    HYPOTHESIS,
    OURS,
    XDIST,
    failing_orders,
    outcomes,
)

from greenloop.testing.plugin import progress

# Most of them run pytest in a process.
pytestmark = pytest.mark.slow


def test_the_plugin_is_an_entry_point():
    found = importlib.metadata.entry_points(group="pytest11", name="greenloop")
    assert [each.value for each in found] == [OURS]


FAILING = """
    import asyncio
    import unittest

    import pytest
    from sleepers import ended

    async def test_asyncio():
        print("in", "the failing run")
        assert await ended() == [0, 1, 2], "it was another"

    async def test_always():
        assert len(await ended()) == 3

    class TestUnittest(unittest.IsolatedAsyncioTestCase):
        async def test_unittest(self):
            self.assertEqual(await ended(), [0, 1, 2])
"""


def test_a_failing_order_is_found_shrunk_and_replayed_by_its_token(run):
    output = run(FAILING, "--greenloop-seeds=50")
    assert outcomes(output) == {"failed": 2, "passed": 1}
    orders = failing_orders(output)
    assert orders.keys() == {"test_asyncio", "TestUnittest::test_unittest"}
    assert output.count("in the failing run") == 1
    assert "1 deviation from asyncio's order, shrunk in " in output
    token = orders["test_asyncio"]
    assert output.count(f"the same order again: --greenloop-seed={token}") >= 1

    output = run(FAILING, f"--greenloop-seed={token}", "-k", "test_asyncio")
    assert outcomes(output)["failed"] == 1
    assert f"failed in the order of {token}" in output

    # The test runs, but has fewer points than that token's.
    shorter = FAILING.replace("await ended()) == 3", "await ended(1)) == 1")
    output = run(shorter, f"--greenloop-seed={token}", "-k", "test_always")
    assert outcomes(output)["failed"] == 1
    assert "Diverged: the test passed, but the run differs" in output


def test_each_fault_is_tried_beside_the_orders(run):
    source = """
        import asyncio
        from greenloop.testing import with_faults

        async def test_nothing_is_held():
            held = []

            async def hold():
                held.append(1)
                await asyncio.sleep(1)
                held.pop()

            await with_faults(hold())
            assert not held
    """
    output = run(source, "--greenloop-seeds=5")
    assert outcomes(output) == {"failed": 1}
    assert "failed in run 2 of 7\n0 deviations from asyncio's order\n" in output
    assert re.search(r"^fault: cancellation at sleep, .*test_it\.py:10$", output, re.MULTILINE)
    assert failing_orders(output) == {"test_nothing_is_held": "g1xv4.d+f0"}

    output = run(source, "--greenloop-seed=g1xv4.d+f1")
    assert outcomes(output) == {"failed": 1}
    assert "fault: late cancellation at sleep, " in output

    mended = source.replace("held.pop()", "pass").replace("assert not held", "held.clear()")
    assert outcomes(run(mended, "--greenloop-seeds=5")) == {"passed": 1}
    output = run(mended, "--greenloop-seed=g1xv4.d+f2")
    assert outcomes(output) == {"failed": 1}
    assert "Diverged: the test passed, but the run differs from the one of g1xv4.d+f2 in" in output


def test_a_failing_order_is_drawn_and_written_if_asked(run, tmp_path):
    output = run(FAILING, "--greenloop-seeds=50", "--greenloop-html=failures", "-k", "asyncio")
    assert outcomes(output)["failed"] == 1
    [path] = (tmp_path / "failures").iterdir()
    assert path.name == "test_it.py-test_asyncio.html"
    assert "<html" in path.read_text()
    assert f"what the tasks did: {path}" in output
    [head] = [line for line in output.splitlines() if re.match(" *test_asyncio  ", line)]
    assert output.index("the same order again") < output.index(head)
    assert re.search(r"^ *│ [─ ]+ spawn [─ ]+► │", output, re.MULTILINE)
    assert re.search(r"│ sleep +│|│ sleep$", output, re.MULTILINE)

    token = failing_orders(output)["test_asyncio"]
    (tmp_path / "failures").rename(tmp_path / "earlier")
    (tmp_path / "failures").write_text("no folder")
    output = run(FAILING, f"--greenloop-seed={token}", "--greenloop-html=failures", "-k", "asyncio")
    assert outcomes(output)["failed"] == 1
    assert "what the tasks did could not be written: " in output
    # The numbers of tasks differ: there were fewer runs.
    assert re.search(re.sub(r"\d+ *", r"\\d+ *", re.escape(head)), output)


def test_what_fails_in_asyncios_order_runs_once_and_is_not_drawn(run):
    source = """
        import asyncio

        async def test_it():
            print("it", "runs")
            await asyncio.gather(asyncio.sleep(1), asyncio.sleep(1))
            assert False
    """
    output = run(source, "--greenloop-seeds=5")
    assert outcomes(output) == {"failed": 1}
    assert output.count("it runs") == 1
    assert "spawn" not in output


def test_tests_of_anyio_run_in_many_orders(run):
    source = """
        import pytest
        from sleepers import ended

        pytestmark = pytest.mark.anyio
        made = []

        @pytest.fixture(scope="module")
        def anyio_backend():
            return "asyncio"

        @pytest.fixture(scope="module")
        async def wide():
            made.append(await ended())
            yield made

        async def test_any_order(wide):
            assert await ended() == [0, 1, 2]

        async def test_wide(wide):
            assert len(await ended()) == 3
            assert wide == [[0, 1, 2]]
    """
    output = run(source, "--greenloop-seeds=20", plugins=[ANYIO])
    assert outcomes(output) == {"failed": 1, "passed": 1}
    assert [*failing_orders(output)] == ["test_any_order"]


def test_each_example_of_hypothesis_begins_the_order(run):
    source = """
        from hypothesis import given, settings, strategies
        from sleepers import ended

        @given(count=strategies.integers(0, 5))
        async def test_any_order(count):
            assert await ended(count) == [*range(count)]

        class TestClass:
            @settings(max_examples=5)
            @given(count=strategies.integers(0, 5))
            async def test_always(self, count):
                assert len(await ended(count)) == count
    """
    output = run(source, "--greenloop-seeds=30", plugins=[ASYNCIO, HYPOTHESIS])
    assert outcomes(output) == {"failed": 1, "passed": 1}
    assert "count=2" in output
    assert "Flaky" not in output
    token = failing_orders(output)["test_any_order"]
    output = run(source, f"--greenloop-seed={token}", plugins=[ASYNCIO, HYPOTHESIS])
    assert outcomes(output) == {"failed": 1, "passed": 1}


def test_workers_of_xdist_find_and_report_the_same(run):
    output = run(FAILING, "--greenloop-seeds=50", "-n2", plugins=[ASYNCIO, XDIST])
    assert outcomes(output) == {"failed": 2, "passed": 1}
    assert len(failing_orders(output)) == 2


def test_tests_are_reported_as_if_they_ran_once(run):
    source = """
        import asyncio
        import unittest

        import pytest
        from sleepers import ended

        made = []

        @pytest.fixture(scope="module")
        def wide():
            made.append("wide")
            yield
            raise ValueError("of the wide fixture")

        @pytest.fixture
        def narrow():
            made.append("narrow")

        async def test_repeated(wide, narrow):
            made.append("repeated")
            await ended()

        def test_fixtures(wide):
            made.append("sync")
            counts = [made.count(name) for name in ("wide", "narrow", "repeated", "sync")]
            assert counts == [1, 7, 7, 1]

        @pytest.mark.xfail
        async def test_xfail():
            await ended()
            assert made is None

        @pytest.mark.xfail(strict=True)
        async def test_fails_in_some_order():
            assert await ended(5) == [0, 1, 2, 3, 4]

        async def test_skipped():
            await ended()
            pytest.skip("not here")

        @pytest.fixture
        async def bad_setup():
            await ended()
            raise RuntimeError("of the setup")

        async def test_bad_setup(bad_setup):
            pass

        @pytest.fixture
        async def bad_teardown():
            yield
            await ended()
            raise RuntimeError("of the teardown")

        async def test_bad_teardown(bad_teardown):
            await ended()

        class TestClass:
            def setup_method(self):
                self.runs = 0

            @pytest.mark.parametrize("number", [1, 2])
            async def test_instance_is_new(self, number):
                self.runs += 1
                await ended()
                assert self.runs == 1
    """
    output = run(source, "--greenloop-seeds=7")
    assert outcomes(output) == {"passed": 5, "skipped": 1, "xfailed": 2, "errors": 3}
    assert "ValueError: of the wide fixture" in output
    assert failing_orders(output) == {}


def test_a_terminal_shows_which_run_it_is_and_the_words_go_away(monkeypatch):
    written = io.StringIO()
    writer = SimpleNamespace(
        fullwidth=29, width_of_current_line=13, _file=written, flush=lambda: None
    )
    config = SimpleNamespace(
        pluginmanager=SimpleNamespace(get_plugin=lambda _: SimpleNamespace(isatty=True)),
        get_verbosity=lambda: 0,
        get_terminal_writer=lambda: writer,
    )
    now = 0.0
    monkeypatch.setattr(progress, "monotonic", lambda: now)
    shown = progress.Progress(config)
    shown.show("too early")
    now = 1.0
    shown.show("order 2 of 200, which is long")
    shown.show("too soon")
    shown.clear()
    shown.clear()
    assert written.getvalue() == "\x1b7\x1b[K order 2 of 200\x1b8\x1b7\x1b[K\x1b8"
