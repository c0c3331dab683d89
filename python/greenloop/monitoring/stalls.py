"""The texts about stalls: which step kept a loop, for how long, doing what, and where."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from greenloop.monitoring import words
from greenloop.monitoring.report import Place, Stall
from greenloop.monitoring.screen import Screen

_ENTRANCES: Final = ("run", "run_until_complete", "run_forever", "_run_once")
"""The functions of a loop below which the program's own code runs."""

_LOOPS: Final = ("asyncio", "greenloop", "uvloop")
"""The packages that have them."""


def stalls(found: Sequence[Stall], screen: Screen, *, apart: bool = False) -> Iterator[str]:
    """Iterate over the lines that `stalls` prints: those that last first, then the latest.

    Args:
        found: The stalls of a report, in any order.
        screen: What the lines are for.
        apart: Whether stalls that are over are told of one by one, also at the same place.
    """
    if not found:
        yield "no stalls"
    for index, alike in enumerate(_in_order(found, apart=apart)):
        if index:
            yield ""
        yield from stall_lines(alike, screen)


def stall_lines(alike: Sequence[Stall], screen: Screen) -> Iterator[str]:
    """Iterate over the lines about a stall, or about several at the same place.

    Args:
        alike: The stalls, the latest first.
        screen: What the lines are for.
    """
    stall, times = alike[0], len(alike)
    title = (
        f"{_who(stall)} {_what(stall)} {_how_long(alike)}: {stall.text or stall.kind or 'unknown'}"
    )
    if stall.place is not None:
        title += f", at {words.place(stall.place)}"
    for line in screen.wrap(title):
        yield screen.paint(line, "dim" if stall.over else "red")
    began = f"  began at {words.clock(stall.began)}" if times == 1 else ""
    if times > 1:
        began = f"  {times:,} times, the last at {words.clock(stall.began)}"
    if stall.awaited_by:
        began += f"; awaited by {words.some(stall.awaited_by)}"
    yield screen.fit(began)
    for place in stall.stack if screen.width is None else _of_the_program(stall.stack):
        yield screen.shorten(f"    {words.place(place, whole=True)}")


def _in_order(found: Sequence[Stall], *, apart: bool) -> list[list[Stall]]:
    """Return the stalls with those that are over and happened at one place together."""
    alike: dict[object, list[Stall]] = {}
    for stall in sorted(found, key=lambda each: (each.over, -(each.began or 0.0), -each.id)):
        where = stall.place, stall.kind, stall.text, stall.loop, stall.name
        alone = apart or not stall.over or stall.place is None
        alike.setdefault(id(stall) if alone else where, []).append(stall)
    return list(alike.values())


def _who(stall: Stall) -> str:
    if stall.task is None and not stall.name:
        return "a callback"
    number = f" ({stall.task})" if stall.task is not None else ""
    return f"{stall.name or 'a task'}{number}"


def _what(stall: Stall) -> str:
    if stall.kind == "starved":
        # The line that was running is not to blame: the machine ran something else.
        return f"was not run by the machine, with loop {stall.loop}, for"
    return f"{'kept' if stall.over else 'has kept'} loop {stall.loop} for"


def _how_long(alike: Sequence[Stall]) -> str:
    lengths = [stall.length for stall in alike if stall.length is not None]
    longest = words.duration(max(lengths)) if lengths else words.duration(None)
    return longest if len(alike) == 1 else f"up to {longest}"


def _of_the_program(stack: Sequence[Place]) -> Sequence[Place]:
    """Return the places below the loop that runs the step; all if there is none."""
    for index in range(len(stack) - 2, -1, -1):
        folders = stack[index].file.split("/")
        if (
            stack[index].function.rpartition(".")[2] in _ENTRANCES
            and len(folders) > 1
            and folders[-2] in _LOOPS
        ):
            return stack[index + 1 :]
    return stack
