"""The marker of the plugin of pytest: its settings, and whole tests that are disturbed."""

import pytest
from pytest_runs import ANYIO, ASYNCIO, HYPOTHESIS, XDIST, failing_orders, outcomes

from greenloop.testing.plugin.planning import plan

# Most of them run pytest in a process.
pytestmark = pytest.mark.slow


UNCHANGED_TESTS = """
    import asyncio
    import unittest

    import anyio
    import pytest
    from hypothesis import given
    from hypothesis import strategies as st

    pytestmark = pytest.mark.greenloop(seeds=1, faults=["late cancellation", OSError])
    free = 0

    @pytest.fixture(autouse=True)
    def all_is_free():
        global free
        free = 1
        yield
        assert free == 1

    async def hold():
        global free
        free -= 1
        await asyncio.sleep(1)
        free += 1

    @pytest.mark.asyncio
    async def test_asyncio():
        await hold()

    @pytest.mark.anyio
    async def test_anyio():
        await hold()

    class Case(unittest.IsolatedAsyncioTestCase):
        async def test_unittest(self):
            await hold()

    @pytest.mark.asyncio
    @given(number=st.just(3))
    async def test_hypothesis(number):
        assert number == 3
        await hold()

    def test_not_async():
        pass
"""


def test_a_marker_has_tests_disturbed_as_they_are(run):
    plugins = (ASYNCIO, ANYIO, HYPOTHESIS)
    source = (
        UNCHANGED_TESTS
        + """
    @pytest.fixture
    def anyio_backend():
        return "asyncio"
    """
    )
    output = run(source, "-o", "asyncio_mode=strict", plugins=plugins)
    asyncs = ["Case::test_unittest", "test_anyio", "test_asyncio", "test_hypothesis"]
    assert sorted(failing_orders(output)) == asyncs
    assert output.count("fault: late cancellation at sleep, ") == 4
    # The teardown of a fixture has found it.
    assert outcomes(output) == {"passed": 5, "errors": 4}

    mended = source.replace("free -= 1", "pass").replace("free += 1", "pass")
    assert outcomes(run(mended, "-o", "asyncio_mode=strict", plugins=plugins)) == {"passed": 5}


def test_a_marker_and_a_clock(run):
    source = """
        import asyncio

        import pytest
        from sleepers import ended

        runs = []

        @pytest.mark.greenloop(seeds=5, orders="hostile", late=2)
        async def test_marked():
            runs.append(type(asyncio.get_running_loop()).__module__)
            await ended()

        async def test_others_are_left_alone():
            assert runs == ["greenloop.event_loop"] * 5
            assert type(asyncio.get_running_loop()).__module__ == "asyncio.unix_events"
            assert asyncio.Queue.__module__ == "asyncio.queues"

        @pytest.mark.greenloop(orders="hostile")
        async def test_time_passes(virtual_clock):
            sleeper = asyncio.create_task(asyncio.sleep(10))
            await virtual_clock.until_idle()
            await virtual_clock.advance(9.5)
            assert (virtual_clock.time(), sleeper.done()) == (9.5, False)
            await virtual_clock.advance(0.5)
            assert (virtual_clock.time(), sleeper.done()) == (10, True)
            with pytest.raises(ValueError, match="forwards"):
                await virtual_clock.advance(-1)

        async def test_no_time(virtual_clock):
            with pytest.raises(RuntimeError, match="no virtual clock"):
                virtual_clock.time()
    """
    assert outcomes(run(source)) == {"passed": 4}


@pytest.mark.parametrize(
    ("marker", "options", "error"),
    [
        ("", ["--greenloop-seed=nothing"], "the options --greenloop-*: 'nothing' is no schedule"),
        ("3, lat=1", [], "test_it.py::test: the marker greenloop takes seeds, seed, orders"),
    ],
)
def test_wrong_settings_are_one_usage_error(run, marker, options, error):
    source = f"import pytest\n@pytest.mark.greenloop({marker})\ndef test():\n    pass\n"
    output = run(source, *options, plugins=[])
    assert output.count("ERROR: ") == 1
    assert error in output
    assert "Traceback" not in output


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"seeds": 0}, "seeds is a number of orders from 1, not 0"),
        ({"seeds": "9"}, "seeds is a number of orders from 1, not '9'"),
        ({"seed": "g1xv4.d9"}, "damaged"),
        ({"seed": 1.5}, "seed is a token or a number, not 1.5"),
        ({"orders": "any"}, "orders are 'exact' or 'hostile', not 'any'"),
        ({"clock": "sun"}, "a clock is 'virtual' or 'real', not 'sun'"),
        ({"late": "4"}, "late is a number of turns, not '4'"),
        ({"faults": "timeout"}, "faults are several, such as a list, not 'timeout'"),
        ({"faults": ["sun"]}, "a fault is 'cancellation', .* or an exception class, not 'sun'"),
    ],
)
def test_wrong_settings_are_refused_by_name(settings, error):
    with pytest.raises(ValueError, match=error):
        plan(**settings)


def test_a_wrong_marker_is_an_error_of_its_test_in_a_worker(run):
    source = "import pytest\n@pytest.mark.greenloop(seeds='9')\ndef test():\n    pass\n"
    output = run(source, "-n1", plugins=[XDIST])
    assert outcomes(output) == {"error": 1}
    assert "seeds is a number of orders from 1, not '9'" in output
