"""What the tasks of a simulated run do, in words."""

from __future__ import annotations

from typing import Final

MOST_TASKS: Final = 20
"""How many tasks are told of."""


def described() -> str:
    """Tell what each task waits for, in a line for each."""
    # Imported when there is something to tell: a run that ends well needs none of it.
    from greenloop.watching import snapshot

    tasks = snapshot.take()["tasks"]
    lines = []
    for task in tasks[:MOST_TASKS]:
        wait, place = task["wait"], task["place"]
        what = "is ready" if wait is None else f"waits for {wait['text']}"
        at = f" at {place['file']}:{place['line']} in {place['function']}" if place else ""
        lines.append(f"  {task['name']} ({task['coroutine']}) {what}{at}")
    if len(tasks) > MOST_TASKS:
        lines.append(f"  and {len(tasks) - MOST_TASKS} more")
    return "\n".join(lines) or "  there is no task"
