"""Repetitions are folded, nothing is lost by it, and the work grows with the number of rows."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenloop.tracing import folding
from greenloop.tracing.folding import Once, Repeat, fold, height, occurrences, unfold


def folded(things):
    """The rows, with a repetition as a pair: its count and its round."""

    def plain(rows):
        return [
            row.thing if isinstance(row, Once) else (row.count, plain(row.body)) for row in rows
        ]

    return plain(fold((thing, 0, 0) for thing in things))


@pytest.mark.parametrize(
    ("things", "rows"),
    [
        ("", []),
        ("a", ["a"]),
        ("abc", [*"abc"]),
        ("aa", [(2, ["a"])]),
        ("a" * 1000, [(1000, ["a"])]),
        ("xababy", ["x", (2, ["a", "b"]), "y"]),
        ("ab" * 1000 + "a", [(1000, ["a", "b"]), "a"]),
        ("abcd" * 333 + "xy" * 7, [(333, [*"abcd"]), (7, ["x", "y"])]),
        # A loop in a loop, in a loop.
        (("a" + "bc" * 3) * 5, [(5, ["a", (3, ["b", "c"])])]),
        ((("ab" * 3 + "c") * 2 + "d") * 9, [(9, [(2, [(3, ["a", "b"]), "c"]), "d"])]),
        # A round that repeats something at its beginning or end, also where rounds meet.
        ("aab" * 3, [(3, [(2, ["a"]), "b"])]),
        ("baa" * 3, [(3, ["b", (2, ["a"])])]),
        ("aba" * 2, ["a", "b", (2, ["a"]), "b", "a"]),
        ("aba" * 3, [(3, ["a", "b", "a"])]),
        ("abaab" * 50, [(50, ["a", "b", (2, ["a"]), "b"])]),
        # Two loops beside each other.
        ("ab" * 4 + "ac" * 4, [(4, ["a", "b"]), (4, ["a", "c"])]),
        # A loop whose inner loop differs in one round.
        ("abb" * 3 + "abbb" + "abb" * 3, None),
    ],
)
def test_a_repetition_is_kept_once_with_its_count(things, rows):
    found = folded(things)
    assert "".join(unfold(fold((thing, 0, 0) for thing in things))) == things
    if rows is not None:
        assert found == rows


def programs():
    """Rows as programs make them: sequences of loops of sequences."""
    return st.recursive(
        st.text("abc", min_size=1, max_size=4),
        lambda inner: st.one_of(
            st.tuples(st.integers(1, 5), inner).map(lambda pair: pair[0] * pair[1]),
            st.lists(inner, min_size=1, max_size=3).map("".join),
        ),
        max_leaves=12,
    )


@pytest.mark.slow
@given(programs())
def test_unfolding_gives_the_things_back(things):
    rows = fold((thing, 0, 0) for thing in things)
    assert "".join(unfold(rows)) == things
    assert height(rows) <= len(things)


@pytest.mark.slow
@given(programs())
def test_no_row_is_left_beside_its_equal(things):
    def check(rows):
        for row in rows:
            if isinstance(row, tuple):
                assert row[0] >= 2
                check(row[1])
        for length in (1, 2, 3):
            for place in range(len(rows) - 2 * length + 1):
                first = rows[place : place + length]
                assert first != rows[place + length : place + 2 * length]

    check(folded(things))


@pytest.mark.slow
@given(st.text("abc", min_size=1, max_size=8), st.integers(2, 50))
def test_a_loop_is_never_drawn_higher_than_two_rounds_of_it(body, rounds):
    assert height(fold((thing, 0, 0) for thing in body * rounds)) <= 2 * len(body)


@pytest.mark.slow
@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 9), st.integers(0, 9))))
def test_times_of_all_occurrences_are_kept(pieces):
    moment, things = 0, []
    for thing, pause, duration in pieces:
        things.append((thing, moment + pause, moment + pause + duration))
        moment += pause + duration
    found = [*occurrences(fold(things))]
    assert sum(one.count for one in found) == len(things)
    for name in "ab":
        of_name = [(start, end) for thing, start, end in things if thing == name]
        rows = [one for one in found if one.thing == name]
        if of_name:
            assert min(one.start for one in rows) == of_name[0][0]
            assert min(rows, key=lambda one: one.start).end == of_name[0][1]
            assert max(one.last for one in rows) == of_name[-1][1]
            durations = [end - start for start, end in of_name]
            assert min(one.shortest for one in rows) == min(durations)
            assert max(one.longest for one in rows) == max(durations)


def test_times_of_nested_rounds_are_merged():
    pieces = [("a", 0, 1), ("b", 1, 3), ("b", 3, 4), ("a", 5, 9), ("b", 9, 10), ("b", 10, 16)]
    assert fold(pieces) == [
        Repeat(2, [Once("a", 0, 1, 9, 1, 4, 2), Repeat(2, [Once("b", 1, 3, 16, 1, 6, 4)])])
    ]


def test_a_thing_that_a_round_has_more_often_than_is_tried_does_not_hide_it():
    body = "".join(f"a{chr(0x4E00 + number)}" for number in range(3 * folding._TRIED)) + "a"
    rows = fold((thing, 0, 0) for thing in body * 20)
    assert "".join(unfold(rows)) == body * 20
    assert height(rows) <= 2 * len(body)


def comparisons(things, monkeypatch):
    """How many hashes are asked for while these things are folded."""
    asked = 0
    of_ids = folding._Stack._hash

    def counted(*arguments):
        nonlocal asked
        asked += 1
        return of_ids(*arguments)

    monkeypatch.setattr(folding._Stack, "_hash", counted)
    rows = fold((thing, 0, 0) for thing in things)
    monkeypatch.undo()
    assert [*unfold(rows)] == [*things]
    return asked


@pytest.mark.parametrize(
    "make",
    [
        lambda count: "a" * count,
        lambda count: range(count),
        lambda count: ("abcdefg" * count)[:count],
        lambda count: random.Random(1).choices("ab", k=count),
        lambda count: random.Random(1).choices(range(50), k=count),
        lambda count: [number.bit_count() % 2 for number in range(count)],
        lambda count: [(number & -number) for number in range(1, count + 1)],
    ],
    ids=["one", "none", "seven", "two-random", "fifty-random", "thue-morse", "ruler"],
)
def test_the_work_grows_with_the_number_of_rows(make, monkeypatch):
    for count in (1_000, 4_000):
        # Three parts are compared in the first pass over the rows, two in the second.
        assert comparisons(make(count), monkeypatch) <= (3 + 2) * folding._TRIED * count
