"""`shrink`: fewer and smaller deviations with which a program still fails in the same way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Generic, Protocol, TypeAlias, TypeVar

from greenloop.testing.simulation import Account

MOST_RUNS: Final = 200
"""How many runs it takes at most."""


class Ended(Protocol):
    """A run that has ended: all that is asked of it here."""

    @property
    def exception(self) -> BaseException | None:
        """The failure, or None."""

    @property
    def account(self) -> Account:
        """What the run did. It is asked only of runs that failed."""


_E = TypeVar("_E", bound=Ended)


Run: TypeAlias = Callable[[list[tuple[int, int]], "int | None"], _E]
"""Runs the program with these deviations from asyncio's order, and with this fault."""


def shrink(run: Run[_E], failure: _E) -> tuple[_E, int]:
    """Return a run with fewer deviations that fails as `failure` does, and how many were tried.

    A fault is left out if that can be. Deviations are left out in halves, quarters and so on (delta
    debugging; Zeller and Hildebrandt, 2002), and those that are needed are made smaller. Two
    failures are the same if their exceptions have the same type.

    Args:
        run: Runs the program.
        failure: The run that failed.
    """
    return _Shrinking(run, failure).shrink()


class _Shrinking(Generic[_E]):
    def __init__(self, run: Run[_E], failure: _E) -> None:
        self._run = run
        self._best = failure
        self._fault = failure.account.schedule.fault
        self._tried = 0

    def shrink(self) -> tuple[_E, int]:
        self._leave_out_fault()
        count = 2
        while len(self._deviations) > 1 and self._may_try():
            pieces = _pieces(self._deviations, min(count, len(self._deviations)))
            if self._fails_with_one_of(pieces):
                count = 2
            elif self._fails_without_one_of(pieces):
                count = max(count - 1, 2)
            elif count < len(self._deviations):
                count = min(2 * count, len(self._deviations))
            else:
                break
        self._make_smaller()
        return self._best, self._tried

    @property
    def _deviations(self) -> list[tuple[int, int]]:
        return list(self._best.account.deviations)

    def _may_try(self) -> bool:
        return self._tried < MOST_RUNS

    def _fails(self, deviations: list[tuple[int, int]]) -> bool:
        """Run with these; if it fails in the same way it is the best run from now on."""
        if not self._may_try():
            return False
        self._tried += 1
        outcome = self._run(deviations, self._fault)
        if type(outcome.exception) is not type(self._best.exception):
            return False
        if len(outcome.account.deviations) > len(self._deviations):
            return False
        self._best = outcome
        return True

    def _leave_out_fault(self) -> None:
        # Without a deviation either it is the first run of all, which did not fail.
        if self._fault is None or not self._deviations:
            return
        fault, self._fault = self._fault, None
        if not self._fails(self._deviations):
            self._fault = fault

    def _fails_with_one_of(self, pieces: list[list[tuple[int, int]]]) -> bool:
        return any(len(piece) < len(self._deviations) and self._fails(piece) for piece in pieces)

    def _fails_without_one_of(self, pieces: list[list[tuple[int, int]]]) -> bool:
        if len(pieces) <= 2:
            return False
        rests = [
            [each for piece in pieces if piece is not left_out for each in piece]
            for left_out in pieces
        ]
        return any(self._fails(rest) for rest in rests)

    def _make_smaller(self) -> None:
        for index, (_, by) in enumerate(self._deviations):
            for smaller in range(1, by):
                deviations = self._deviations
                if index >= len(deviations):
                    return
                deviations[index] = (deviations[index][0], smaller)
                if not self._may_try() or self._fails(deviations):
                    break


def _pieces(deviations: list[tuple[int, int]], count: int) -> list[list[tuple[int, int]]]:
    size, rest = divmod(len(deviations), count)
    pieces, start = [], 0
    for number in range(count):
        end = start + size + (number < rest)
        pieces.append(deviations[start:end])
        start = end
    return pieces
