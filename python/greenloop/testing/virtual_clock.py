"""`VirtualClock`: the time of a test's loop, which the test can have pass."""

from __future__ import annotations

import asyncio
from typing import Any

from greenloop.testing.blocking import is_blocked
from greenloop.testing.simulation import account


class VirtualClock:
    """The clock of the running loop, which has to be simulated and virtual."""

    def time(self) -> float:
        """Return the time in seconds; it is 0.0 when the loop begins.

        Raises:
            RuntimeError: No loop with a virtual clock runs.
        """
        time: float = self._loop().time()
        return time

    async def advance(self, seconds: float) -> None:
        """Have so many seconds pass: all that is due by then happens, in its order.

        Raises:
            ValueError: The number is below 0, or is none.
            RuntimeError: No loop with a virtual clock runs.
        """
        if not seconds >= 0:
            raise ValueError(f"time passes forwards, not by {seconds!r} seconds")
        self._loop()
        await asyncio.sleep(seconds)
        await self.until_idle()

    async def until_idle(self) -> None:
        """Have all run that can, without any time passing.

        Raises:
            RuntimeError: No loop with a virtual clock runs.
        """
        # What a schedule holds back looks blocked. It is late by a known number of turns at most.
        turns = account(self._loop()).schedule.late + 1
        this = asyncio.current_task()
        quiet = 0
        while quiet < turns:
            await asyncio.sleep(0)
            others = [task for task in asyncio.all_tasks() if task is not this]
            quiet = quiet + 1 if all(task.done() or is_blocked(task) for task in others) else 0

    def _loop(self) -> Any:
        loop: Any = asyncio.get_running_loop()
        if not getattr(loop, "_is_simulated", False) or account(loop).schedule.clock != "virtual":
            raise RuntimeError(
                "the loop has no virtual clock: the test needs the marker greenloop, or an option "
                "such as --greenloop-seeds"
            )
        return loop
