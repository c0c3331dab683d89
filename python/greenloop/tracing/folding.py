"""Finds repetitions in a long row of things, and keeps each once with its count.

A loop of a thousand rounds becomes one round and the number 1000; a loop in a loop becomes a round
in a round. Folding loses nothing: `unfold` gives the row back.

The rows so far are a stack. After each one that is pushed, three patterns are looked for at its
top, and the row that one of them leaves is pushed in turn, so that inner loops fold before outer
ones:

    … 7[a b] a b    →  … 8[a b]      another round of the repetition below
    … 2[a] 3[a]     →  … 5[a]        two repetitions of the same
    … a b a b a b   →  … 3[a b]      the same some times

In the last pattern the last time ends where the one before does, so its length is the distance to
an earlier place of the id on top. Few of those places are tried, the nearest first, and whether
the parts are equal is asked of hashes of the stack's prefixes, as Rabin and Karp compare strings.
So a push costs the same however long a round is, and every row is taken from the stack once: the
work grows with the number of rows.

This is done twice: at first only things that come three times are a loop; then, among the rows that
are left and inside of the rounds that were found, things that come twice. Two equal things are
often the end of one round and the beginning of the next, and would hide the loop if they were
folded at once: `abaab abaab abaab` would begin with `a b 2[a] 2[b a]`.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T", bound=Hashable)
Key = TypeVar("Key", bound=Hashable)

_TRIED = 16
"""How many earlier places of the id on top are tried. An id that is in a round more often than
this ends no round that is found; another id of the round does, a few rows later."""

_MODULUS = (1 << 61) - 1
_BASE = 0x1F3D_5B79_A2C4_E681 % _MODULUS


@dataclass(slots=True)
class Once(Generic[T]):
    """One row: a thing, and the times of all its occurrences that were folded into this one.

    Times are in the unit of those that were given to `fold`: nanoseconds in a diagram.
    """

    thing: T
    start: int
    end: int
    """When the first occurrence began and ended."""
    last: int
    """When the last occurrence ended."""
    shortest: int
    longest: int
    count: int = 1


@dataclass(slots=True)
class Repeat(Generic[T]):
    """Rows that come several times, one round after the other."""

    count: int
    """How many rounds there are."""
    body: list[Row[T]]
    """One round."""


Row = Once[T] | Repeat[T]


def fold(things: Iterable[tuple[T, int, int]]) -> list[Row[T]]:
    """Return the rows with their repetitions folded.

    Args:
        things: Each thing with the times at which it began and ended.
    """
    ids = _Ids()
    stack: _Stack[T] = _Stack(ids, 3)
    for thing, start, end in things:
        stack.push(Once(thing, start, end, end, end - start, end - start), ids.of_thing(thing))
    return _fold_pairs(stack).rows


def unfold(rows: Iterable[Row[T]]) -> Iterator[T]:
    """Iterate over the things that were folded into these rows."""
    for row in rows:
        if isinstance(row, Once):
            yield row.thing
        else:
            for _ in range(row.count):
                yield from unfold(row.body)


def height(rows: Iterable[Row[T]]) -> int:
    """Return how many things are drawn for these rows: each round counts once."""
    return sum(1 if isinstance(row, Once) else height(row.body) for row in rows)


def occurrences(rows: Iterable[Row[T]]) -> Iterator[Once[T]]:
    """Iterate over the single rows at any depth, each of which stands for `Once.count` things."""
    for row in rows:
        if isinstance(row, Once):
            yield row
        else:
            yield from occurrences(row.body)


class _Ids:
    """Numbers for rows: rows with one id unfold to the same things."""

    def __init__(self) -> None:
        self._given = 0
        self._of_things: dict[Hashable, int] = {}
        self._of_rounds: dict[tuple[int, ...], int] = {}
        self._of_repetitions: dict[tuple[int, int], int] = {}
        """By the id of the round and the count. A round has an id of its own so that counting up
        does not hash a long one again."""
        self.rounds: dict[int, tuple[int, ...]] = {}
        """The ids of one round, by the id of the repetition."""

    def of_thing(self, thing: Hashable) -> int:
        return self._of_things.get(thing) or self._give(self._of_things, thing)

    def of_repetition(self, count: int, body: tuple[int, ...]) -> int:
        of_round = self._of_rounds.get(body) or self._give(self._of_rounds, body)
        key = (of_round, count)
        number = self._of_repetitions.get(key) or self._give(self._of_repetitions, key)
        self.rounds[number] = body
        return number

    def _give(self, given: dict[Key, int], key: Key) -> int:
        """Give an id, from 1, that nothing else has."""
        self._given += 1
        given[key] = self._given
        return self._given


class _Stack(Generic[T]):
    """The rows so far, among which nothing comes `times` times in a row."""

    def __init__(self, ids: _Ids, times: int) -> None:
        self.rows: list[Row[T]] = []
        self.numbers: list[int] = []
        """The id of each row."""
        self.ids = ids
        self._rounds = ids.rounds
        self._times = times
        self._hashes = [0]
        """The hash of the first ids, for each number of them."""
        self._powers = [1]
        self._highest: dict[int, int] = {}
        """The highest place of each id in the stack, -1 if it has left it."""
        self._below: list[int] = []
        """The next lower place of the same id, for each place; -1 if there is none."""
        self._due: dict[int, list[int]] = {}
        """The places of the repetitions that would have another round above them, from below, by
        the height of the stack."""

    def push(self, row: Row[T], number: int) -> None:
        rounds, highest = self._rounds, self._highest
        while True:
            place = len(self.rows)
            self.rows.append(row)
            self.numbers.append(number)
            self._hashes.append((self._hashes[-1] * _BASE + number) % _MODULUS)
            if len(self._powers) <= place + 1:
                self._powers.append(self._powers[-1] * _BASE % _MODULUS)
            below = highest.get(number, -1)
            self._below.append(below)
            highest[number] = place
            folded = None
            if number in rounds:
                folded = self._two_repetitions()
                if folded is None:
                    self._due.setdefault(place + 1 + len(rounds[number]), []).append(place)
            if folded is None and place + 1 in self._due:
                folded = self._another_round()
            if folded is None and below >= 0:
                folded = self._the_same_some_times()
            if folded is None:
                return
            row, number = folded

    def _take(self, count: int) -> list[Row[T]]:
        """Take rows from the top; they are returned in their order."""
        top = len(self.rows)
        for place in range(top - 1, top - 1 - count, -1):
            number = self.numbers.pop()
            self._highest[number] = self._below.pop()
            if number in self._rounds:
                height = place + 1 + len(self._rounds[number])
                due = self._due.get(height)
                # The top may be a repetition that nothing is due to yet.
                if due and due[-1] == place:
                    due.pop()
                    if not due:
                        del self._due[height]
        taken = self.rows[-count:]
        del self.rows[-count:], self._hashes[-count:]
        return taken

    def _another_round(self) -> tuple[Row[T], int] | None:
        ids, top = self.numbers, len(self.numbers)
        for place in reversed(self._due[top]):
            body = self._rounds[ids[place]]
            if body[-1] == ids[-1] and body == tuple(ids[place + 1 :]):
                again = self._take(top - 1 - place)
                (repeat,) = self._take(1)
                assert isinstance(repeat, Repeat)
                _merge(repeat.body, again)
                count = repeat.count + 1
                return Repeat(count, repeat.body), self.ids.of_repetition(count, body)
        return None

    def _two_repetitions(self) -> tuple[Row[T], int] | None:
        body = self._rounds.get(self.numbers[-1])
        if body is None or len(self.rows) < 2 or self._rounds.get(self.numbers[-2]) != body:
            return None
        first, second = self._take(2)
        assert isinstance(first, Repeat)
        assert isinstance(second, Repeat)
        _merge(first.body, second.body)
        count = first.count + second.count
        return Repeat(count, first.body), self.ids.of_repetition(count, body)

    def _the_same_some_times(self) -> tuple[Row[T], int] | None:
        ids, top, times = self.numbers, len(self.numbers), self._times
        place = top - 1
        for _ in range(_TRIED):
            place = self._below[place]
            length = top - 1 - place
            if place < 0 or times * length > top:
                return None
            if length > 1 and ids[-2] != ids[place - 1]:
                continue
            hashed = self._hash(top - length, top)
            if any(
                self._hash(top - part * length, top - (part - 1) * length) != hashed
                for part in range(2, times + 1)
            ):
                continue
            body = tuple(ids[top - length :])
            if body * times != tuple(ids[top - times * length :]):
                continue
            others = [self._take(length) for _ in range(times - 1)]
            first = self._take(length)
            for other in reversed(others):
                _merge(first, other)
            return Repeat(times, first), self.ids.of_repetition(times, body)
        return None

    def _hash(self, start: int, end: int) -> int:
        hashes = self._hashes
        return (hashes[end] - hashes[start] * self._powers[end - start]) % _MODULUS


def _fold_pairs(found: _Stack[T]) -> _Stack[T]:
    """Fold rows that come twice, among these and inside of each of them."""
    stack: _Stack[T] = _Stack(found.ids, 2)
    for row, number in zip(found.rows, found.numbers, strict=True):
        if isinstance(row, Repeat):
            inside: _Stack[T] = _Stack(found.ids, 2)
            inside.rows, inside.numbers = row.body, [*found.ids.rounds[number]]
            inside = _fold_pairs(inside)
            row.body = inside.rows
            number = found.ids.of_repetition(row.count, tuple(inside.numbers))
        stack.push(row, number)
    return stack


def _merge(into: Sequence[Row[T]], rows: Sequence[Row[T]]) -> None:
    """Add the times of a round to those of an equal one before it."""
    for row, other in zip(into, rows, strict=True):
        if isinstance(row, Once):
            assert isinstance(other, Once)
            row.count += other.count
            row.last = other.last
            row.shortest = min(row.shortest, other.shortest)
            row.longest = max(row.longest, other.longest)
        else:
            assert isinstance(other, Repeat)
            _merge(row.body, other.body)
