"""`SimulatedLoops`: while a test runs, each loop that the test makes follows its schedule.

```text
  made ─1► simulated ─2► told of ─► closed
              ▲ └─3──► told of ─► as in production, until a further run ─┐
              └──────────────────────────4───────────────────────────────┘
```
1. `EventLoop.__init__`, which is replaced meanwhile. 2. `EventLoop.close`, likewise. 3. The run of
the test ends, but the loop belongs to a fixture of wider scope. 4. The test runs again, or another
test that uses the fixture.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

import greenloop
from greenloop.event_loop import EventLoop
from greenloop.testing.network import Network
from greenloop.testing.schedule import Schedule
from greenloop.testing.simulation import Account, account, end_simulation, simulate

# The loops that were made during a run of a test and have not been closed.
_open_loops: weakref.WeakSet[EventLoop] = weakref.WeakSet()


class SimulatedLoops:
    """The loops of one run of a test. A loop that is made in another thread is left alone."""

    # The runs that go on: a test of a plugin may run tests itself.
    _current: ClassVar[list[SimulatedLoops]] = []

    def __init__(
        self,
        schedule: Schedule,
        deviations: Sequence[tuple[int, int]] | None = None,
        *,
        limits: bool = False,
    ) -> None:
        """Prepare a run; the arguments are those of `simulate`."""
        self.accounts: list[Account] = []
        """What the loops have done that are not simulated any more, or were begun anew."""
        self._schedule = schedule
        self._deviations = deviations
        self._limits = limits
        self._is_undisturbed = False
        self._network: Network | None = None
        self._thread = threading.current_thread()

    @contextmanager
    def simulated(self) -> Iterator[None]:
        """Have all loops follow the schedule that are made meanwhile, and those that are idle."""
        init: Any = EventLoop.__init__
        close: Any = EventLoop.close

        def simulated_init(loop: EventLoop, *arguments: Any, **keywords: Any) -> None:
            init(loop, *arguments, **keywords)
            if threading.current_thread() is self._thread:
                _open_loops.add(loop)
                self._begin(loop)

        def told_close(loop: EventLoop) -> None:
            if loop in _open_loops:
                self._end(loop)
                if not loop.is_running():
                    _open_loops.discard(loop)
            close(loop)

        loop_class: Any = EventLoop
        loop_class.__init__ = simulated_init
        loop_class.close = told_close
        try:
            for loop in list(_open_loops):
                self._begin(loop)
            self._current.append(self)
            yield
        finally:
            self._current.remove(self)
            loop_class.__init__ = init
            loop_class.close = close
            for loop in list(_open_loops):
                self._end(loop)

    @classmethod
    def current(cls) -> SimulatedLoops | None:
        """Return the loops of the run that goes on, if one does."""
        return cls._current[-1] if cls._current else None

    @contextmanager
    def networked(self, network: Network) -> Iterator[None]:
        """Have the loops use a network meanwhile, those that are made later as well."""
        self._network = network
        try:
            for loop in list(_open_loops):
                if not loop.is_running():
                    self._connect(loop)
            yield
        finally:
            self._network = None
            for loop in list(_open_loops):
                network.detach(loop)

    def _connect(self, loop: EventLoop) -> None:
        native: Any = loop
        if self._network is not None and native._is_simulated and Network.of(loop) is None:
            self._network.attach(loop)

    @contextmanager
    def undisturbed(self) -> Iterator[None]:
        """Have the loops run in asyncio's order meanwhile, and begin the schedule afterwards.

        What they do meanwhile is in no account.
        """
        if self._is_undisturbed:
            yield
            return
        self._is_undisturbed = True
        self._begin_anew(is_counted=False)
        try:
            yield
        finally:
            self._is_undisturbed = False
            self._begin_anew(is_counted=False)

    def begin_anew(self) -> None:
        """Have each idle loop begin the schedule from its start."""
        self._begin_anew(is_counted=True)

    def _begin_anew(self, *, is_counted: bool) -> None:
        for loop in list(_open_loops):
            if not loop.is_running():
                self._end(loop, is_counted=is_counted)
                self._begin(loop)

    def _begin(self, loop: EventLoop) -> None:
        native: Any = loop
        if native._is_simulated or loop.is_running() or loop.is_closed():
            return
        if self._is_undisturbed:
            base = self._schedule
            undisturbed = Schedule.asyncios(orders=base.orders, clock=base.clock, late=base.late)
            simulate(loop, undisturbed)
        else:
            simulate(loop, self._schedule, deviations=self._deviations, limits=self._limits)
        self._connect(loop)

    def _end(self, loop: EventLoop, *, is_counted: bool = True) -> None:
        native: Any = loop
        if native._is_simulated and not loop.is_running():
            if is_counted and not self._is_undisturbed:
                self.accounts.append(account(loop))
            end_simulation(loop)


@contextmanager
def installed() -> Iterator[None]:
    """Have asyncio use Greenloop meanwhile, if it does not anyway."""
    if greenloop.installed_names():
        yield
        return
    greenloop.install()
    try:
        yield
    finally:
        greenloop.uninstall()
