"""The rules of the house, which `docs/decisions/0013-the-house.md` gives the reasons for.

What does not obey them yet stands in `house_exceptions.toml`. It holds today's state exactly, so
that what was mended has to leave it and nothing new can come in.
"""

import pathlib
import re
import sys
import tomllib

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
# These facts are no part of the installed package; they are read from the repository's root.
sys.path.insert(0, str(ROOT))

from tests.house import documentation, facts, words  # noqa: E402
from tests.house.arrows import FLOORS, Tree, extension, room_of  # noqa: E402

EXCEPTIONS = tomllib.loads((ROOT / "tests/surface/house_exceptions.toml").read_text())
MOST_LINES = 500
WIDEST_LINE = 100

# What the system and other projects call so.
FOREIGN = {
    "aiomonitor",
    "IOCB_CMD_POLL",
    "io_submit",
    "nest_asyncio",
    "pdb",
    "pthread_exit",
    "tp_iternext",
    "uvloop._testbase",
}


@pytest.fixture(scope="module")
def tree():
    return extension()


@pytest.mark.parametrize(
    ("rule", "found"),
    [
        ("files_with_ffi", facts.files_with_ffi),
        ("unchecked_downcasts", facts.unchecked_downcasts),
        ("imports_of_the_package", facts.imports_of_the_package),
        ("long_files", lambda: facts.long_files(MOST_LINES)),
        ("wide_lines", lambda: facts.wide_lines(WIDEST_LINE)),
        ("files_without_header", facts.files_without_header),
    ],
)
def test_what_breaks_a_rule_is_a_known_exception(rule, found):
    assert found() == set(EXCEPTIONS[rule])


def test_an_import_that_climbs_is_a_known_exception(tree):
    assert tree.climbing() == set(EXCEPTIONS["climbing_imports"])


def test_no_circle_of_files_is_larger_than_known(tree):
    assert len(tree.circles()[0]) == EXCEPTIONS["largest_circle"]


@pytest.mark.parametrize(
    ("rule", "found"),
    [
        ("unsafe_blocks", facts.unsafe_blocks),
        ("repeated_obligations", facts.repeated_obligations),
    ],
)
def test_danger_outside_of_the_edge_only_becomes_less(rule, found):
    assert found() == EXCEPTIONS[rule]


@pytest.mark.parametrize(
    ("rule", "crate", "found"),
    [
        ("documentation_per_code", "greenloop-python", documentation.documentation_per_code),
        ("documentation_per_code", "greenloop", documentation.documentation_per_code),
        (
            "documentation_per_exported_code",
            "greenloop",
            documentation.documentation_per_exported_code,
        ),
    ],
)
def test_documentation_only_becomes_more(rule, crate, found):
    assert found(crate) >= EXCEPTIONS[rule][crate]


def test_names_in_headers_and_documents_exist():
    unknown = words.unknown_names()
    assert {name: files for name, files in unknown.items() if name not in FOREIGN} == {}
    assert unknown.keys() >= FOREIGN, "a foreign name that nobody speaks of any more"


def test_the_documentation_of_every_crate_is_linted():
    lint = "".join(re.findall(r"cargo doc .*?\n(?:\t\t.*\n)*", (ROOT / "Makefile").read_text()))
    crates = {path.name for path in (ROOT / "crates").iterdir()}
    assert set(re.findall(r"--package (\S+)", lint)) == crates


# The reading of the sources


def sources_of(**files):
    return {pathlib.Path(name.replace("__", "/") + ".rs"): text for name, text in files.items()}


def test_every_room_has_its_floor(tree):
    rooms = {room for _, rooms in FLOORS for room in rooms}
    assert {room_of(file) for file in tree.files.values()} == rooms


def test_an_import_leads_to_the_file_that_has_the_item():
    tree = Tree(
        sources_of(
            lib="mod task; mod event_loop;",
            task__mod="mod step;\npub use step::{self, run as go};\npub struct Task;",
            task__step="use super::Task; use crate::event_loop::turn::{Turn, now};",
            event_loop__mod="pub mod turn; use crate::task::go;",
            event_loop__turn="fn f() { crate::task::step::run() } // crate::task::Task",
        )
    )
    task, step = pathlib.Path("task/mod.rs"), pathlib.Path("task/step.rs")
    turn, loop = pathlib.Path("event_loop/turn.rs"), pathlib.Path("event_loop/mod.rs")
    assert tree.edges == {(step, task), (step, turn), (loop, step), (turn, step)}
    assert tree.climbing() == {"task/step.rs -> event_loop"}
    assert tree.circles() == [[turn, step]]
    assert tree.arrows() == {("task", "event_loop"): 1, ("event_loop", "task"): 2}


def test_a_module_inside_of_a_file_counts_as_the_file():
    tree = Tree(
        sources_of(
            lib="",
            task__mod="",
            task__step='mod old { use super::super::Task; const TEXT: &str = "} crate::lib"; }',
        )
    )
    assert tree.edges == {(pathlib.Path("task/step.rs"), pathlib.Path("task/mod.rs"))}


DOCUMENTED = """//! A header.

/// A type, in
/// two lines.
#[derive(Debug)]
pub struct Known {
    /// Its field.
    field: u8,
}

impl Known {
    /// Its method.
    pub fn ask(&self) -> u8 {
        self.field
    }

    /// Not exported.
    fn hide(&self) {}
}

impl Drop for Known {
    fn drop(&mut self) {}
}

/// Of another module.
pub fn ask() {}
"""


def test_an_exported_item_counts_with_its_documentation_and_its_code():
    items = {"Known", "Known::ask"}
    assert [*documentation._exported(DOCUMENTED, items)] == [(3, 3), (1, 3)]
    assert [*documentation._exported(DOCUMENTED, {"ask"})] == [(1, 1)]


@pytest.mark.parametrize(
    ("rust", "docstrings"),
    [
        ('leaf_noargs(c"get", get, c"Take an item.")', ['c"Take an item."']),
        (
            'fast(\n c"f",\n |this, it| f(it),\n c"f($self, a)\\n--\\n\\n\\\n  Do it."\n)',
            None,
        ),
        ('.doc(c"A queue.")', ['c"A queue."']),
        ('readonly(c"a", a).documented(c"An item.")', ['c"An item."']),
        ('raise(class, c"The queue is full.")', []),
    ],
)
def test_a_docstring_is_told_from_other_literals(rust, docstrings):
    found = [rust[place.start : place.stop] for place in documentation._docstrings(rust)]
    if docstrings is None:
        docstrings = [rust[rust.index('c"f($self') : rust.rindex('"') + 1]]
    assert found == docstrings
