"""What this package raises, beside the exceptions of the program and `greenloop.Deadlock`."""

from __future__ import annotations


class EndlessRun(RuntimeError):  # noqa: N818  # It is called as the state is.
    """A run did more steps than it was allowed to. The text tells what its tasks do."""


class Diverged(RuntimeError):  # noqa: N818  # It is called as the state is.
    """A run was not the one that its schedule is of: the program does other things than then.

    Something has changed, or the program does what no schedule decides: it asks the system's clock
    or chance, or another process.
    """


class Leaked(AssertionError):  # noqa: N818  # It is called as what has happened is.
    """A block has left something behind. The text names each thing."""
