"""Widths, colours and words: what texts are made of, whatever they say."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenloop.monitoring import words
from greenloop.monitoring.columns import Column, lay_out
from greenloop.monitoring.screen import Screen, cells, cut, in_encoding, pad, screen_of, shorten


class Stream:
    """Something to write to, of which nothing is known but whether it is a terminal."""

    def __init__(self, terminal):
        self.isatty = lambda: terminal


@pytest.mark.parametrize(
    ("terminal", "environment", "screen"),
    [
        (False, {}, Screen(80, False)),
        (True, {"COLUMNS": "132"}, Screen(132, True)),
        (False, {"COLUMNS": "132"}, Screen(132, False)),
        (True, {"COLUMNS": "132", "NO_COLOR": "1"}, Screen(132, False)),
        (True, {"COLUMNS": "132", "NO_COLOR": ""}, Screen(132, True)),
        (True, {"COLUMNS": "132", "TERM": "dumb"}, Screen(132, False)),
        (True, {"COLUMNS": "3"}, Screen(20, True)),
    ],
)
def test_a_terminal_is_asked_for_its_width_and_a_file_is_not(
    terminal, environment, screen, monkeypatch
):
    for name in ("COLUMNS", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert screen_of(Stream(terminal)) == screen
    assert screen_of(Stream(terminal), wide=True) == Screen(None, screen.colour)


@pytest.mark.parametrize(
    ("text", "width", "shortened", "beginning"),
    [
        ("consumer", 8, "consumer", "consumer"),
        ("consumer", 7, "con…mer", "consum…"),
        ("consumer", 4, "co…r", "con…"),
        ("consumer", 1, "…", "…"),
        ("consumer", 0, "", ""),
        ("任务任务", 8, "任务任务", "任务任务"),
        ("任务任务", 7, "任务…务", "任务任…"),
        ("任务任务", 5, "任…务", "任务…"),
    ],
)
def test_a_text_is_shortened_by_its_columns(text, width, shortened, beginning):
    assert shorten(text, width) == shortened
    assert cut(text, width) == beginning


def test_a_text_is_filled_up():
    assert pad("ab", 4) == "ab  "
    assert pad("ab", 4, right=True) == "  ab"
    assert pad("任", 4) == "任  "


def test_a_poor_encoding_has_something_in_place_of_each_character():
    assert in_encoding("├─ × 2 … ↻ 任", "ascii") == "|- x 2 ~ @ \\u4efb"
    assert in_encoding("├─ × 2", "utf-8") == "├─ × 2"
    assert in_encoding("a", None) == "a"


@pytest.mark.slow
@given(
    st.lists(
        st.lists(st.text(max_size=30), min_size=4, max_size=4),
        max_size=5,
    ),
    st.integers(30, 120),
)
def test_columns_use_the_room_and_no_more(found, width):
    columns = (
        Column("A"),
        Column("B", narrowest=3),
        Column("C", narrowest=5, share=3),
        Column("D", right=True, narrowest=4),
    )
    found = [[cell[:8] if index == 0 else cell for index, cell in enumerate(row)] for row in found]
    lines = list(lay_out(columns, found, width))
    assert len(lines) == len(found) + 1
    assert all(cells(line) <= width for line in lines)
    unlimited = list(lay_out(columns, found, None))
    if all(cells(line) <= width for line in unlimited):
        assert lines == unlimited


# Words


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "?"),
        (-1, "0.0 ms"),
        (0.00004, "0.0 ms"),
        (0.0012, "1.2 ms"),
        (0.0349, "35 ms"),
        (0.9996, "1.0 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (59.6, "1 min 0 s"),
        (200, "3 min 20 s"),
        (7_500, "2 h 5 min"),
        (273_600, "3 d 4 h"),
        (1e300, "over 9999 d"),
    ],
)
def test_a_duration_is_short(seconds, text):
    assert words.duration(seconds) == text


@pytest.mark.parametrize("moment", [None, 1e300, -1e300, 1e12])
def test_a_moment_that_no_clock_shows_is_unknown(moment):
    assert re.fullmatch(r"\?|\d\d:\d\d:\d\d\.\d\d\d", words.clock(moment))


def test_a_moment_is_shown_to_the_millisecond():
    assert re.fullmatch(r"\d\d:\d\d:19\.650", words.clock(1764499999.65))


@pytest.mark.parametrize(
    ("number", "text"),
    [(1, "1st"), (2, "2nd"), (3, "3rd"), (4, "4th"), (11, "11th"), (112, "112th"), (21, "21st")],
)
def test_an_ordinal(number, text):
    assert words.nth(number) == text
