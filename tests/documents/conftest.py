"""The documentation site, built once for all tests that look at it."""

import importlib.util
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """The folder of the site, built as `make docs` builds it; without Sphinx its tests skip."""
    if sys.version_info < (3, 13) or importlib.util.find_spec("furo") is None:
        pytest.skip("Sphinx is absent")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "--builder", "dirhtml", "--fail-on-warning"]
    command += ["--keep-going", "--quiet", "--doctree-dir", str(folder / "doctrees")]
    result = subprocess.run(
        [*command, str(ROOT / "docs"), str(folder / "html")],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert (result.returncode, result.stderr) == (0, "")
    return folder / "html"
