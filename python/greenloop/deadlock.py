"""`Deadlock`: the exception for tasks that can never go on."""

from __future__ import annotations


class Deadlock(RuntimeError):  # noqa: N818  # It is called as the state is.
    """A task waits for what can never happen. The text is the report of it.

    `greenloop.watch(on_deadlock="raise")` throws it into the tasks that wait for each other.
    """
