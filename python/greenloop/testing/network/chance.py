"""`Chance`: the one source of everything that a network leaves to chance.

Nothing else in the package asks a generator, so that a run is the same for the same schedule and
seed.
"""

from __future__ import annotations

import random


class Chance:
    """Numbers by a seed."""

    def __init__(self, seed: int) -> None:
        """Begin with the first number of that seed."""
        self._random = random.Random(seed)

    def draw(self) -> float:
        """Return the next number, from 0.0 to below 1.0, all of them equally likely."""
        return self._random.random()
