"""What the tasks did in a run that failed: a recording of it, and its sequence diagram as text."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from greenloop.observation import trace

if TYPE_CHECKING:
    from greenloop.tracing import Trace

_T = TypeVar("_T")

MOST_EVENTS: Final = 1 << 16
"""How many events are kept of a run that failed: its last ones, in two megabytes."""

MOST_ROWS: Final = 40
"""About how many rows its diagram has at most."""


def recorded(run: Callable[[], _T]) -> tuple[_T, Trace | None]:
    """Call a function; return what it returns, and what all tasks did meanwhile.

    If the process is recorded already there is no recording of this run alone, and the second one
    is None.
    """
    recording = trace(events=MOST_EVENTS)
    with ExitStack() as stack:
        try:
            stack.enter_context(recording)
        except RuntimeError:
            return run(), None
        result = run()
    return result, recording.result


def diagram(trace: Trace) -> str:
    """Return the sequence diagram of a run as text.

    Waits have no durations: they would be those of the system's clock.
    """
    # Imported when there is something to show: a run that ends well needs none of it.
    from greenloop.tracing.sequence import sequence
    from greenloop.tracing.text import text

    return text(sequence(trace, MOST_ROWS), durations=False)


def write(trace: Trace, path: Path) -> None:
    """Write a run into a file for a browser.

    Raises:
        OSError: It cannot be written.
    """
    from greenloop.tracing import files

    files.write(trace, path)
