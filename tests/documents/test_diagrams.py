"""The diagrams of the tutorial show what its programs do now."""

import pathlib
import re
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "docs"))

import diagrams  # noqa: E402

PICTURES = [
    (page, name)
    for page in sorted((ROOT / "docs/tutorial").glob("*.md"))
    for name in diagrams.pictures_of(page)
]


def test_every_chapter_has_a_diagram():
    chapters = {page.name for page in (ROOT / "docs/tutorial").glob("[1-9]*.md")}
    assert chapters == {page.name for page, _ in PICTURES}
    assert len(chapters) == 7


@pytest.mark.slow
@pytest.mark.parametrize(
    ("page", "name"), PICTURES, ids=lambda value: getattr(value, "stem", value)
)
def test_the_diagram_is_that_of_the_program(page, name, tmp_path):
    drawn = tmp_path / f"{name}.svg"
    diagrams.draw(page, name, drawn)
    there = page.parent / "diagrams" / f"{name}.svg"
    assert words_of(there.read_text()) == words_of(drawn.read_text()), "`make diagrams` draws it"


def words_of(picture):
    """The words in a picture, without times, which differ from run to run."""
    words = set()
    for text in re.findall(r"<text[^>]*>([^<]*)</text>", picture):
        words.update(re.findall(r"[A-Za-z_]{3,}", text))
    return words
