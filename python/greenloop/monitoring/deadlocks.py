"""The texts about deadlocks: every party, what it holds and waits for, and where."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from greenloop.monitoring import words
from greenloop.monitoring.report import Deadlock, Party
from greenloop.monitoring.screen import Screen

_WHY: Final[Mapping[str, str]] = {
    "cycle": "each waits for the next one",
    "nothing-can-happen": "nothing is left that could wake them",
    "unreachable": "nobody else can reach what they wait for",
    "broken-hand-over": "what they wait for is free, and nobody was told",
}
_MOST_BEHIND: Final = 10


def deadlock_lines(
    deadlock: Deadlock, screen: Screen, *, now: float | None = None
) -> Iterator[str]:
    """Iterate over the lines about a deadlock.

    Args:
        deadlock: The deadlock.
        screen: What the lines are for.
        now: When the report was made, as Unix time in seconds: then its age is said.
    """
    title, *details = _as_said(deadlock) or _in_own_words(deadlock)
    if now is not None and deadlock.found is not None:
        title += f"; found {words.duration(now - deadlock.found)} ago"
    for line in screen.wrap(title):
        yield screen.paint(line, "red")
    for line in details:
        yield from screen.wrap(line)


def _as_said(deadlock: Deadlock) -> list[str]:
    """Return the lines of the process itself, which knows the most; none if it says nothing."""
    return [line.rstrip() for line in deadlock.text if line.strip()]


def _in_own_words(deadlock: Deadlock) -> list[str]:
    why = _WHY.get(deadlock.why, deadlock.why)
    found = [f"deadlock: {words.amount(len(deadlock.parties), 'task')}, {why}"]
    found += [f"  {line}" for line in _of_parties(deadlock)]
    if deadlock.behind:
        tasks = words.amount(len(deadlock.behind), "more task")
        numbers = words.some(map(str, deadlock.behind), _MOST_BEHIND)
        verb = "waits" if len(deadlock.behind) == 1 else "wait"
        found.append(f"  {tasks} {verb} for these: {numbers}")
    return found


def _of_parties(deadlock: Deadlock) -> Iterator[str]:
    for party in deadlock.parties:
        yield _of_party(party)
        for held in party.holds:
            where = words.place(held.place)
            yield f"  holds {held.text}" + (f", taken at {where}" if where else "")


def _of_party(party: Party) -> str:
    where = words.place(party.place)
    waits = f" waits for {words.what(party.wait)}" if party.wait is not None else ""
    return f"{party.name} ({party.task}){waits}" + (f", at {where}" if where else "")
