"""What runs pytest with the plugin, for tests of it."""

import pytest
from pytest_runs import runner


@pytest.fixture
def run(tmp_path):
    """Runs pytest on a module of tests, in a process and a folder of its own."""
    return runner(tmp_path)
