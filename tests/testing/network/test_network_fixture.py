"""The fixture `network` of the plugin of pytest: a new network for each run of a test."""

import pytest
from pytest_runs import ANYIO, ASYNCIO, failing_orders, outcomes

# They run pytest in a process.
pytestmark = pytest.mark.slow

PLUGINS = {"asyncio": ASYNCIO, "anyio": ANYIO}


RACE = """
    import asyncio

    import pytest

    networks = []

    @pytest.fixture
    async def server(network):
        networks.append(network)
        order = []

        async def note(reader, writer):
            order.append(await reader.readline())
            writer.close()

        with network.host("server"):
            async with await asyncio.start_server(note, "0.0.0.0", 80):
                yield order

    async def ask(network, name):
        with network.host(name):
            reader, writer = await asyncio.open_connection("server", 80)
            writer.write(name.encode())
            writer.write_eof()
            await reader.read()
            writer.close()

    @pytest.mark.MARK
    @pytest.mark.greenloop(seeds=50)
    async def test_race(network, server):
        network.link(latency=60)
        await asyncio.gather(ask(network, "a"), ask(network, "b"))
        assert server == [b"a", b"b"]

    @pytest.mark.MARK
    @pytest.mark.greenloop(seeds=10)
    async def test_no_race(network, server):
        assert [*network.hosts] == ["localhost", "server"]
        assert networks.count(network) == 1
        network.link("a", "server", latency=1)
        await asyncio.gather(ask(network, "a"), ask(network, "b"))
        assert server == [b"b", b"a"]
"""


@pytest.mark.parametrize("mark", PLUGINS)
def test_each_run_of_a_test_has_a_new_network(run, mark):
    source = RACE.replace("MARK", mark)
    if mark == "anyio":
        source += """
    @pytest.fixture
    def anyio_backend():
        return "asyncio"
"""
    plugins = (PLUGINS[mark],)
    output = run(source, plugins=plugins)
    assert outcomes(output) == {"failed": 1, "passed": 1}, output
    assert "AssertionError: assert [b'b', b'a'] == [b'a', b'b']" in output
    token = failing_orders(output)["test_race"]
    output = run(source, f"--greenloop-seed={token}", "-k", "test_race", plugins=plugins)
    assert f"failed in the order of {token}" in output


def test_the_fixture_wants_a_simulated_loop(run):
    source = """
        import pytest

        @pytest.mark.asyncio
        async def test_it(network):
            pass
    """
    assert "the test needs the marker greenloop" in run(source)
    assert outcomes(run(source, "--greenloop-clock=virtual")) == {"passed": 1}


def test_settings_are_given_by_parametrizing(run):
    source = """
        import asyncio

        import pytest

        @pytest.mark.asyncio
        @pytest.mark.greenloop(seeds=2)
        @pytest.mark.parametrize("network_settings", [{"latency": 1}, {"latency": 2, "seed": 3}])
        async def test_it(network, network_settings):
            await asyncio.start_server(print, "127.0.0.1", 80)
            _, writer = await asyncio.open_connection("127.0.0.1", 80)
            seconds = asyncio.get_running_loop().time()
            writer.close()
            assert seconds == 2 * network_settings["latency"]
            assert network.seed == network_settings.get("seed", 0)
    """
    assert outcomes(run(source)) == {"passed": 2}


def test_other_tests_keep_the_network_of_the_system(run):
    source = """
        import asyncio

        import pytest

        pytestmark = [pytest.mark.asyncio, pytest.mark.greenloop(seeds=2)]

        async def test_first(network):
            assert "create_server" in vars(asyncio.get_running_loop())

        async def test_second():
            assert "create_server" not in vars(asyncio.get_running_loop())
            server = await asyncio.start_server(print, "127.0.0.1", 0)
            assert "Memory" not in repr(server)
            server.close()
    """
    assert outcomes(run(source)) == {"passed": 2}


def test_a_loop_of_a_wider_fixture_has_the_network_for_one_test(run):
    source = """
        import asyncio

        import pytest

        pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.greenloop(seeds=3)]
        loops = set()

        async def test_first(network):
            loops.add(asyncio.get_running_loop())
            assert "create_server" in vars(asyncio.get_running_loop())

        async def test_second():
            loops.add(asyncio.get_running_loop())
            assert len(loops) == 1
            assert "create_server" not in vars(asyncio.get_running_loop())

        async def test_third(network):
            assert "create_server" in vars(asyncio.get_running_loop())
    """
    assert outcomes(run(source)) == {"passed": 3}
