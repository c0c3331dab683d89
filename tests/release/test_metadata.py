"""What registries show of the package and of the crates is there, and says the same everywhere."""

import importlib.util
import pathlib
import re
import tomllib
import xml.etree.ElementTree

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
WORKSPACE = tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PUBLISHED = {"greenloop", "greenloop-bridge", "greenloop-core", "greenloop-os"}


def package_of(member):
    return tomllib.loads((ROOT / member / "Cargo.toml").read_text())["package"]


@pytest.mark.parametrize("member", WORKSPACE["members"])
def test_a_crate_says_what_it_is_and_whose(member):
    package = package_of(member)
    for field in ("authors", "repository", "homepage", "license", "version", "rust-version"):
        assert package[field] == {"workspace": True}
    assert package["description"]
    # The registry takes five of each at most.
    assert 1 <= len(package["keywords"]) <= 5
    assert 1 <= len(package["categories"]) <= 5
    assert all(re.fullmatch(r"[a-z][\w+-]{0,19}", keyword) for keyword in package["keywords"])


def test_only_the_crates_for_others_are_published():
    packages = map(package_of, WORKSPACE["members"])
    assert {each["name"] for each in packages if each.get("publish", True)} == PUBLISHED


def test_the_package_says_what_it_is_and_whose():
    assert PROJECT["authors"] == [{"name": WORKSPACE["package"]["authors"][0]}]
    assert PROJECT["license"] == WORKSPACE["package"]["license"]
    assert len(PROJECT["description"]) < 100
    assert {"asyncio", "event-loop", "uvloop"} <= {*PROJECT["keywords"]}
    assert PROJECT["urls"]["Source"] == WORKSPACE["package"]["repository"]
    assert PROJECT["urls"]["Documentation"] == WORKSPACE["package"]["homepage"]
    assert {"Documentation", "Source", "Issues", "Changelog"} <= PROJECT["urls"].keys()
    assert "dependencies" not in PROJECT, "a drop-in brings nothing else along"


def test_the_logo_is_a_small_picture_that_needs_nothing():
    path = ROOT / "docs/site/static/logo.svg"
    text = path.read_text()
    picture = xml.etree.ElementTree.fromstring(text)
    assert picture.tag.endswith("svg")
    assert len(text) < 2000
    assert "http" not in text.replace("http://www.w3.org/2000/svg", "")


def test_the_first_screen_says_what_why_and_how():
    screen = (ROOT / "README.md").read_text().split("\n")[:22]
    text = "\n".join(screen)
    assert "asyncio, written in Rust" in text
    assert "first-screen.svg" in text
    assert "pip install greenloop" in text
    assert "python -m greenloop" in text


def test_every_document_for_contributors_is_there():
    names = {"CODE_OF_CONDUCT.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "LICENSE"}
    assert names <= {path.name for path in ROOT.iterdir()}
    assert (ROOT / "docs/contributing/releasing.md").exists()


@pytest.mark.skipif(importlib.util.find_spec("trove_classifiers") is None, reason="not installed")
def test_the_classifiers_are_known_to_the_registry():
    from trove_classifiers import classifiers

    assert {*PROJECT["classifiers"]} <= {*classifiers}
