"""Interactions between tasks, read from the events of a trace.

An event is about one task; an interaction has the other one, too. A `get` belongs to the oldest
`put` into the same queue that nothing has got yet, a `woken` to the wait that it ends, a result to
the task that takes it. A wait is an interaction of a task with itself.
"""

from __future__ import annotations

import enum
from collections import defaultdict, deque
from typing import Final

from greenloop.tracing.document import Event, Trace
from greenloop.tracing.kinds import Cause, Kind, Outcome, Wait

OUTSIDE: Final = 0
"""Stands for all that is no task: callbacks, other threads, the program around the loop."""

NETWORK: Final = -1
"""Stands for the other ends of connections that are not in this trace."""


class Sort(enum.Enum):
    """The sorts of interactions."""

    SPAWN = "spawn"
    PASS = "put → get"
    """An item goes through a queue, from the put to the get."""
    WAKE = "wake"
    """One task ends the wait of another; `detail` is the kind of wait."""
    RESULT = "result"
    """A task is done and another takes the result; `detail` is the outcome."""
    CANCEL = "cancel"
    CARRY = "send → receive"
    """Bytes go through a connection both ends of which are in this trace."""
    SEND = "send"
    RECEIVE = "receive"
    WAIT = "wait"
    """A task waits until `end`; `detail` is the kind of wait."""
    STUCK = "stuck"
    """A task still waited when the recording ended; `detail` is the kind of wait."""
    END = "end"
    """A task ended by an exception that no other task takes; `detail` is the outcome."""


class Interaction:
    """One arrow or one wait, between the numbers of tasks. Times are in nanoseconds."""

    __slots__ = ("detail", "end", "resource", "sort", "source", "start", "target")

    def __init__(
        self, sort: Sort, source: int, target: int, start: int, end: int, resource: int, detail: int
    ) -> None:
        self.sort = sort
        self.source = source
        self.target = target
        self.start = start
        self.end = end
        self.resource = resource
        self.detail = detail

    def __repr__(self) -> str:
        return (
            f"{self.sort.name} {self.source}→{self.target} {self.start}…{self.end}"
            f" of {self.resource}, {self.detail}"
        )


_FOR_TASKS = frozenset(
    {Wait.TASK, Wait.GATHER, Wait.WAIT, Wait.TASK_GROUP, Wait.SHIELD, Wait.TIMEOUT}
)
"""Waits for other tasks: their results are the arrows."""

_WITHOUT_ARROW = frozenset({Wait.QUEUE_GET, Wait.SLEEP, Wait.YIELD})
"""Waits that end with an arrow of another sort, or with none."""


def interactions(trace: Trace) -> list[Interaction]:
    """Return the interactions between the tasks of a trace, in the order of the events.

    An interaction stands where it is completed: a passed item where it is got, a result where it is
    taken. Only waits stand where they begin.
    """
    reader = _Reader(trace)
    handlers = {
        int(Kind.TASK_CREATED): reader.task_created,
        int(Kind.STEP_BEGAN): reader.step_began,
        int(Kind.WAIT_BEGAN): reader.wait_began,
        int(Kind.WOKEN): reader.woken,
        int(Kind.TASK_FINISHED): reader.task_finished,
        int(Kind.TASK_DONE_SEEN): reader.task_done_seen,
        int(Kind.CANCEL_REQUESTED): reader.cancel_requested,
        int(Kind.PUT): reader.put,
        int(Kind.GET): reader.get,
        int(Kind.SENT): reader.sent,
        int(Kind.RECEIVED): reader.received,
    }
    now = 0
    for event in trace.events():
        now = event.time
        handler = handlers.get(event.kind)
        if handler is not None:
            handler(event)
    return reader.all(now)


class _Reader:
    """The state of tasks and queues at one moment of a trace."""

    def __init__(self, trace: Trace) -> None:
        self.resources = trace.resources
        self.parents = {number: task.parent for number, task in trace.tasks.items()}
        self.found: list[Interaction] = []
        self.waits: dict[int, Interaction] = {}
        """The wait in which each task is now."""
        self.queued: defaultdict[int, deque[tuple[int, int]]] = defaultdict(deque)
        """The putter of each item that a queue has, and the time of the put."""
        self.flying: defaultdict[int, deque[list[int]]] = defaultdict(deque)
        """Bytes that an end of a connection has not received: sender, time and number."""
        self.finished: dict[int, Interaction] = {}
        """The ends of tasks."""
        self.children: defaultdict[int, list[int]] = defaultdict(list)
        """The tasks among them that their makers have not waited for so far, by the maker."""
        self.takers: defaultdict[int, set[int]] = defaultdict(set)
        """The tasks that took the result of each task."""

    def all(self, now: int) -> list[Interaction]:
        for wait in self.waits.values():
            # It stands where it began like those that ended, or it would part a round from its
            # equals; that it has not ended is said at the end.
            wait.end = now
            self._add(
                Sort.STUCK, wait.source, wait.source, wait.start, now, wait.resource, wait.detail
            )
        return [
            each
            for each in self.found
            if each.sort is not Sort.END
            or (each.detail != Outcome.RETURNED and not self.takers.get(each.source))
        ]

    def _add(
        self, sort: Sort, source: int, target: int, start: int, end: int, of: int, detail: int = 0
    ) -> Interaction:
        interaction = Interaction(sort, source, target, start, end, of, detail)
        self.found.append(interaction)
        return interaction

    def _wait_ended(self, now: int, task: int) -> Interaction | None:
        wait = self.waits.pop(task, None)
        if wait is not None:
            wait.end = now
        return wait

    def task_created(self, event: Event) -> None:
        now, maker, task = event.time, event.task, event.other
        self.parents[task] = maker
        if maker:
            self._add(Sort.SPAWN, maker, task, now, now, 0)

    def wait_began(self, event: Event) -> None:
        now, task = event.time, event.task
        self._wait_ended(now, task)
        if event.detail != Wait.YIELD:
            wait = self._add(Sort.WAIT, task, task, now, now, event.other, event.detail)
            self.waits[task] = wait

    def step_began(self, event: Event) -> None:
        # The event that woke the task may be among those that were lost.
        self._wait_ended(event.time, event.task)

    def woken(self, event: Event) -> None:
        now, waker, task = event.time, event.task, event.other
        wait = self._wait_ended(now, task)
        if wait is None:
            return
        if wait.detail in _FOR_TASKS:
            self._results(now, task, wait)
            return
        another = event.detail == Cause.TASK and waker not in (OUTSIDE, task)
        if another and wait.detail not in _WITHOUT_ARROW:
            self._add(Sort.WAKE, waker, task, now, now, wait.resource, wait.detail)

    def _results(self, now: int, taker: int, wait: Interaction) -> None:
        """Draw the results that end a wait: of the task waited for, or of the taker's own tasks."""
        if wait.resource in self.parents:
            self._result(now, taker, wait.resource)
            return
        for task in self.children.pop(taker, ()):
            if self.finished[task].start >= wait.start:
                self._result(now, taker, task)

    def _result(self, now: int, taker: int, task: int) -> None:
        end = self.finished.get(task)
        if end is not None and taker not in self.takers[task]:
            self.takers[task].add(taker)
            self._add(Sort.RESULT, task, taker, end.start, now, 0, end.detail)

    def task_finished(self, event: Event) -> None:
        now, task = event.time, event.task
        self._wait_ended(now, task)
        self.finished[task] = self._add(Sort.END, task, task, now, now, 0, event.detail)
        maker = self.parents.get(task, 0)
        if maker:
            self.children[maker].append(task)

    def task_done_seen(self, event: Event) -> None:
        if event.task:
            self._result(event.time, event.task, event.other)

    def cancel_requested(self, event: Event) -> None:
        self._add(Sort.CANCEL, event.task, event.other, event.time, event.time, 0)

    def put(self, event: Event) -> None:
        self.queued[event.other].append((event.task, event.time))

    def get(self, event: Event) -> None:
        queue, queued = self.resources.get(event.other), self.queued[event.other]
        if queued:
            # Which item a priority queue gives is not recorded; it is taken for a plain one.
            last_first = queue is not None and queue.type == "LifoQueue"
            putter, start = queued.pop() if last_first else queued.popleft()
            self._add(Sort.PASS, putter, event.task, start, event.time, event.other)

    def sent(self, event: Event) -> None:
        now, task, connection = event.time, event.task, event.other
        peer = self._peer(connection)
        if peer:
            self.flying[peer].append([task, now, event.value])
        else:
            self._add(Sort.SEND, task, NETWORK, now, now, connection)

    def received(self, event: Event) -> None:
        now, task, connection, left = event.time, event.task, event.other, event.value
        if not self._peer(connection):
            self._add(Sort.RECEIVE, NETWORK, task, now, now, connection)
            return
        # One read may take the bytes of several tasks, and a part of those of the last one.
        flying = self.flying[connection]
        senders: dict[int, int] = {}
        while flying and left > 0:
            sender, start, count = flying[0]
            senders.setdefault(sender, start)
            flying[0][2] -= left
            left -= count
            if flying[0][2] <= 0:
                flying.popleft()
        for sender, start in senders.items():
            self._add(Sort.CARRY, sender, task, start, now, connection)

    def _peer(self, connection: int) -> int:
        known = self.resources.get(connection)
        return known.peer if known is not None else 0
