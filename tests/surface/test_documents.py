"""What the documents point at exists: files, and the tests that hold an invariant."""

import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
DOCUMENTS = sorted({*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")})
LINK = re.compile(r"\]\(([^)#:]+)\)")
# As in `tests/surface/test_documents.py::test_every_link_leads_somewhere`.
TEST = re.compile(r"`((?:tests|crates)/[\w/-]+\.(?:py|rs))::(\w+)`")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_somewhere(document):
    targets = LINK.findall(document.read_text())
    assert [target for target in targets if not (document.parent / target).exists()] == []


def test_every_invariant_is_held_by_a_test_that_exists():
    text = (ROOT / "ARCHITECTURE.md").read_text()
    invariants = text.partition("## What never happens")[2].split("\n- ")[1:]
    assert invariants
    assert [invariant for invariant in invariants if not TEST.search(invariant)] == []
    missing = [
        f"{file}::{name}"
        for file, name in TEST.findall(text)
        if not re.search(rf"\b(?:def|fn) {name}\b", (ROOT / file).read_text())
    ]
    assert missing == []


def test_every_decision_is_listed():
    decisions = {path.name for path in (ROOT / "docs/decisions").glob("0*.md")}
    assert decisions
    assert decisions == set(LINK.findall((ROOT / "docs/decisions/README.md").read_text()))
