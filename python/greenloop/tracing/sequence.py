"""The sequence diagram of a trace: which task made, woke or gave something to which other one.

`interactions` reads the arrows from the events, `lifelines` joins tasks that are many, `folding`
finds rounds; here they become one diagram, which `mermaid` and `svg` draw. Rows that neither
fold nor fit are drawn as a `Crowd`: each arrow once, with its count, and the remark that they mix.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from greenloop.tracing.document import Trace
from greenloop.tracing.folding import Once, Repeat, Row, fold, height, occurrences
from greenloop.tracing.interactions import Interaction, Sort, interactions
from greenloop.tracing.kinds import Kind, Outcome, Wait, name_of_detail
from greenloop.tracing.lifelines import Lifeline, Lifelines, resource_names

MOST_ROWS = 200
"""A diagram with more rows than these is shortened."""

_LEAST = 8
"""A loop whose round has room for fewer rows than these is not shortened inside."""


@dataclass(frozen=True, slots=True)
class Shape:
    """An arrow, or a note on one lifeline. Times are not a part of it."""

    sort: Sort
    source: int
    """The index of the lifeline where the arrow begins, or that has the note."""
    target: int
    """The index of the lifeline where the arrow ends; of a note, that of `source`."""
    text: str

    @property
    def is_note(self) -> bool:
        """Whether it is a note on the lifeline of `source`, not an arrow."""
        return self.sort in _NOTES

    @property
    def is_answer(self) -> bool:
        """Whether the arrow brings something back, and is drawn dashed."""
        return self.sort is Sort.RESULT


@dataclass(slots=True)
class Crowd:
    """Rows in changing order, which are too many to be drawn one by one."""

    count: int
    """How many things they were, in one round of the loops around them."""
    rows: list[Once[Shape]]
    """Each different one once, with its count and with its times."""
    whole: bool
    """Whether that is all of them, not only those that come most often."""


Drawn = Row[Shape] | Crowd


@dataclass(frozen=True, slots=True)
class Diagram:
    """A sequence diagram."""

    lifelines: list[Lifeline]
    rows: list[Drawn]
    duration: int
    """Nanoseconds from the beginning of the recording to its last event."""


def sequence(trace: Trace, most_rows: int = MOST_ROWS) -> Diagram:
    """Return the sequence diagram of a trace.

    Args:
        trace: The recording.
        most_rows: About how many rows are drawn at most. If rounds are found once and there are
            still more, those in the middle are drawn as a `Crowd`.
    """
    found = interactions(trace)
    lifelines = Lifelines(trace, found)
    rows = fold(_shapes(found, lifelines, resource_names(trace)))
    last = int(trace.time[-1]) if len(trace) else 0
    return Diagram(lifelines.all, _shortened(rows, most_rows), last)


def label(row: Once[Shape], rounds: int = 1, *, durations: bool = True) -> str:
    """Return the text of a row: the event, its duration if it is a wait, and its count.

    Args:
        row: The row.
        rounds: How often the rows around it say that it happens.
        durations: Whether waits have theirs.
    """
    text = row.thing.text
    if durations and row.thing.sort in (Sort.WAIT, Sort.STUCK):
        text += f" {span(row.shortest, row.longest)}"
    if row.count > rounds:
        text += f" ×{row.count // rounds}"  # noqa: RUF001
    return text


def inside(row: Drawn) -> Sequence[Drawn]:
    """Return the rows of a loop or a crowd; nothing is inside of a single row."""
    return row.rows if isinstance(row, Crowd) else row.body if isinstance(row, Repeat) else ()


def is_framed(row: Drawn) -> bool:
    """Whether a frame is drawn around the rows inside: one that repeats alone has its count."""
    rows = inside(row)
    return isinstance(row, Crowd) or len(rows) > 1 or (len(rows) == 1 and is_framed(rows[0]))


def title(row: Drawn) -> str:
    """Return the text at the top of a frame."""
    if isinstance(row, Crowd):
        return f"{row.count} in changing order" + ("" if row.whole else ", the most frequent")
    return f"{row.count} times"


def span(shortest: int, longest: int) -> str:
    """Return a duration in words, or two if the longest differs: `2 s`, `1.2 ms to 3 ms`."""
    one, other = duration(shortest), duration(longest)
    return one if longest <= shortest * 1.05 or one == other else f"{one} to {other}"


def duration(nanoseconds: int) -> str:
    """Return a duration with three digits and its unit: `2 s`, `1.25 ms`, `30 µs`."""
    for unit, size in (("s", 10**9), ("ms", 10**6), ("µs", 10**3)):
        if nanoseconds >= size * 0.9995:
            value = nanoseconds / size
            return f"{value:.0f} {unit}" if value >= 1000 else f"{value:.3g} {unit}"
    return f"{nanoseconds} ns"


_NOTES = frozenset({Sort.WAIT, Sort.STUCK, Sort.END})

_WAITS: dict[int, str] = {
    Wait.QUEUE_GET: "get",
    Wait.QUEUE_PUT: "put",
    Wait.QUEUE_JOIN: "join",
    Wait.LOCK: "acquire",
    Wait.SEMAPHORE: "acquire",
    Wait.EVENT: "wait",
    Wait.CONDITION: "wait",
    Wait.STREAM_READ: "read",
    Wait.STREAM_DRAIN: "drain",
}
"""The methods that wait, where the name of the kind of wait is not the word for it."""

_WAKES: dict[int, str] = {
    Wait.QUEUE_PUT: "get → put",
    Wait.QUEUE_JOIN: "task_done → join",
    Wait.LOCK: "release → acquire",
    Wait.SEMAPHORE: "release → acquire",
    Wait.EVENT: "set → wait",
    Wait.CONDITION: "notify → wait",
    Wait.BARRIER: "wait → wait",
    Wait.FUTURE: "set → await",
}
"""The method of the waker and the one that the woken task waited in."""

_OUTCOMES: dict[int, str] = {
    Outcome.RETURNED: "result",
    Outcome.RAISED: "exception",
    Outcome.CANCELLED: "cancelled",
}


def _shapes(
    found: list[Interaction], lifelines: Lifelines, names: dict[int, str]
) -> Iterator[tuple[Shape, int, int]]:
    of = lifelines.of
    # Making a shape costs more than finding it, and most of them are made again and again.
    made: dict[tuple[Sort, int, int, str, int], Shape] = {}
    for each in found:
        source, target = of[each.source], of[each.target]
        name = names.get(each.resource, "")
        if not name and each.resource in of:
            name = lifelines.all[of[each.resource]].name if each.resource else ""
        key = (each.sort, source, target, name, each.detail)
        shape = made.get(key)
        if shape is None:
            shape = made[key] = Shape(each.sort, source, target, _text(each, name))
        yield shape, each.start, each.end


def _text(each: Interaction, name: str) -> str:
    if each.sort in (Sort.WAIT, Sort.STUCK):
        wait = name_of_detail(Kind.WAIT_BEGAN, each.detail)
        method = _WAITS.get(each.detail)
        text = f"{method}({name})" if method else f"{wait} {name}" if name else f"{wait}"
        return f"{text}: still waiting after" if each.sort is Sort.STUCK else text
    if each.sort is Sort.WAKE:
        wake = _WAKES.get(each.detail, "wakes")
        return f"{name}: {wake}" if name else wake
    if each.sort in (Sort.RESULT, Sort.END):
        return _OUTCOMES.get(each.detail, "result")
    return f"{name}: {each.sort.value}" if name else each.sort.value


def _shortened(rows: list[Row[Shape]], most: int, rounds: int = 1) -> list[Drawn]:
    """Return rows of at most about this height: loops are shortened inside if that is enough."""
    heights = [height([row]) for row in rows]
    if sum(heights) <= most:
        return [*rows]
    share = _share(heights, most)
    if share >= _LEAST:
        return [
            row
            if own <= share or isinstance(row, Once)
            else Repeat(row.count, _shortened(row.body, share, rounds * row.count))  # type: ignore[arg-type]
            for row, own in zip(rows, heights, strict=True)
        ]
    first, last, left = 0, len(rows), most
    while heights[first if first <= len(rows) - last else last - 1] <= left:
        if first <= len(rows) - last:
            left -= heights[first]
            first += 1
        else:
            last -= 1
            left -= heights[last]
    return [*rows[:first], _crowd(rows[first:last], most, rounds), *rows[last:]]


def _share(heights: list[int], most: int) -> int:
    """Return how high each row may be for all of them to fit: lower ones leave more to others."""
    left = len(heights)
    for own in sorted(heights):
        if own * left > most:
            break
        most -= own
        left -= 1
    return most // left


def _crowd(rows: list[Row[Shape]], most: int, rounds: int) -> Crowd:
    kinds: dict[Shape, Once[Shape]] = {}
    for once in occurrences(rows):
        known = kinds.get(once.thing)
        if known is None:
            kinds[once.thing] = once
        else:
            known.count += once.count
            known.last = max(known.last, once.last)
            known.shortest = min(known.shortest, once.shortest)
            known.longest = max(known.longest, once.longest)
    count = sum(once.count for once in kinds.values()) // rounds
    kept = sorted(kinds.values(), key=lambda once: -once.count)[:most]
    kept.sort(key=lambda once: once.start)
    return Crowd(count, kept, len(kept) == len(kinds))
