"""Every block of code in the README and in the pages of the site does what the page says."""

import importlib.metadata
import json
import pathlib
import re
import shutil
import tomllib

import pytest

from blocks import Block, Reader, blocks_of, commands_of, is_like, needs_of

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted(ROOT.glob("docs/**/*.md"))]
PAGES_WITH_BLOCKS = [page for page in PAGES if blocks_of(page)]

# What nothing is run of, or what is run by other tests.
NOT_RUN = {"mermaid", "text", "rust", "toml", "json", "ini", "html"}


def name_of(page):
    return str(page.relative_to(ROOT))


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES_WITH_BLOCKS, ids=name_of)
def test_a_reader_who_follows_the_page_sees_what_it_says(page, tmp_path):
    if missing := [each for each in needs_of(page) if not is_there(each)]:
        pytest.skip(f"not installed: {', '.join(missing)}")
    reader = Reader(tmp_path)
    try:
        for block in blocks_of(page):
            reader.follow(block)
    finally:
        reader.close()


def is_there(name):
    try:
        importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return shutil.which(name) is not None
    return True


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_a_block_is_of_a_kind_that_is_tested(page):
    languages = {block.language for block in blocks_of(page)}
    assert languages <= {"python", "console", *NOT_RUN}
    # A fence without a language would be no block at all.
    assert len(re.findall(r"^```", page.read_text(), re.MULTILINE)) == 2 * len(
        re.findall(r"^```[\w{]", page.read_text(), re.MULTILINE)
    )


@pytest.mark.parametrize("page", PAGES_WITH_BLOCKS, ids=name_of)
def test_a_block_of_data_can_be_read(page):
    for block in blocks_of(page):
        match block.language:
            case "toml":
                tomllib.loads(block.text)
            case "json":
                json.loads(block.text)


RUST = [block for page in PAGES for block in blocks_of(page) if block.language == "rust"]


@pytest.mark.parametrize("block", RUST, ids=lambda block: block.text.partition("\n")[0])
def test_a_block_of_rust_stands_in_a_program_that_is_compiled(block):
    """Cargo compiles and tests the examples, so a part of one need not be compiled again."""
    if block.note.startswith("not run"):
        return
    wanted = squeezed(block.text)
    folders = ("crates/greenloop/examples", "crates/greenloop/src", "examples/bridge/src")
    sources = [path for folder in folders for path in (ROOT / folder).rglob("*.rs")]
    assert any(wanted in squeezed(path.read_text()) for path in sources), block.text


def squeezed(rust):
    """Rust without indentation and the marks of documentation."""
    lines = (
        line.strip().removeprefix("///").removeprefix("//!").strip() for line in rust.split("\n")
    )
    return "\n".join(line for line in lines if line)


def test_only_what_cannot_be_run_is_not_run():
    reasons = [b.note for p in PAGES for b in blocks_of(p) if b.note.startswith("not run")]
    assert [reason for reason in reasons if not reason.startswith("not run: ")] == []


# The reading of pages


def test_a_command_is_told_from_what_it_prints():
    block = Block("console", "$ one\na\nb\n$ two \\\n> three\n", "", 1)
    assert [*commands_of(block)] == [("one", ["a", "b"]), ("two \\\nthree", [])]


@pytest.mark.parametrize(
    ("printed", "wanted", "like"),
    [
        ("a\nb\n", ["a", "b"], True),
        ("a\nb\n", ["a"], False),
        ("a\nx\ny\nb\n", ["a", "...", "b"], True),
        ("a\nb\n", ["a", "...", "b"], True),
        ("took 12 ms\n", ["took ... ms"], True),
        ("took 12 s\n", ["took ... ms"], False),
        ("", [], True),
    ],
)
def test_three_dots_stand_for_anything(printed, wanted, like):
    assert is_like(printed, wanted) is like


def test_a_page_that_is_wrong_is_noticed(tmp_path):
    reader = Reader(tmp_path)
    reader.follow(Block("python", "# one.py\nprint(1)\n", "", 1))
    reader.follow(Block("console", "$ python one.py\n1\n", "", 1))
    with pytest.raises(AssertionError, match="wanted:\n2"):
        reader.follow(Block("console", "$ python one.py\n2\n", "", 1))
    with pytest.raises(AssertionError, match="No such file"):
        reader.follow(Block("console", "$ python two.py\n", "", 1))
    with pytest.raises(AssertionError, match="ValueError"):
        reader.follow(Block("python", "raise ValueError\n", "", 1))
