"""The texts about stalls: which step kept a loop, for how long, doing what, and where."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from greenloop.watching import words
from greenloop.watching.report import Stall
from greenloop.watching.screen import Screen


def stalls(found: Sequence[Stall], screen: Screen) -> Iterator[str]:
    """Iterate over the lines that `stalls` prints: those that last first, then the latest.

    Args:
        found: The stalls of a report, in any order.
        screen: What the lines are for.
    """
    if not found:
        yield "no stalls"
    ordered = sorted(found, key=lambda each: (each.over, -(each.began or 0.0), -each.id))
    for index, stall in enumerate(ordered):
        if index:
            yield ""
        yield from stall_lines(stall, screen)


def stall_lines(stall: Stall, screen: Screen) -> Iterator[str]:
    """Iterate over the lines about a stall.

    Args:
        stall: The stall.
        screen: What the lines are for.
    """
    if stall.task is not None or stall.name:
        number = f" ({stall.task})" if stall.task is not None else ""
        who = f"{stall.name or 'a task'}{number}"
    else:
        who = "a callback"
    length = words.duration(stall.length)
    verb = f"kept loop {stall.loop} for" if stall.over else f"has kept loop {stall.loop} for"
    if stall.kind == "starved":
        # The line that was running is not to blame: the machine ran something else.
        verb = f"was not run by the machine, with loop {stall.loop}, for"
    title = f"{who} {verb} {length}: {stall.text or stall.kind or 'unknown'}"
    for line in screen.wrap(title):
        yield screen.paint(line, "dim" if stall.over else "red")
    since = f"  began at {words.clock(stall.began)}"
    if stall.awaited_by:
        since += f"; awaited by {words.some(stall.awaited_by)}"
    yield screen.fit(since)
    places = stall.stack or ((stall.place,) if stall.place is not None else ())
    for place in places:
        yield screen.shorten(f"    {words.place(place, whole=True)}")
