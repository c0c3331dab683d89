"""Synthetic traces: a small loop with a clock of its own runs a program and writes its events.

The program has producers and consumers at a queue, a lock that consumers share, a task group's
parent that waits for all of them, and an event that says when the producers are through. Its length
is given in events; the same arguments give the same trace.
"""

from __future__ import annotations

import array
import heapq
import random
from collections import deque
from collections.abc import Generator, Iterator
from typing import Any

WAITS = {"queue.get": 1, "queue.put": 2, "lock": 4, "event": 6, "sleep": 9, "task-group": 13}
PUT, GET, ACQUIRED, RELEASED, SET = 9, 10, 11, 12, 13
BY_TASK, BY_TIMER = 1, 2

Wait = tuple[str, int]
Program = Generator[Wait, None, None]


class Loop:
    """A loop that runs generators, each `yield` of which is a wait, and records every change."""

    def __init__(self, seed: int = 1) -> None:
        self.random = random.Random(seed)
        self.now = 0.0
        self.time, self.value = array.array("d"), array.array("d")
        self.task, self.other, self.site = array.array("I"), array.array("I"), array.array("I")
        self.kind, self.detail = array.array("B"), array.array("B")
        self.tasks: dict[str, dict[str, Any]] = {}
        self.resources: dict[str, dict[str, Any]] = {}
        self.sites: list[dict[str, Any] | None] = [None]
        self._numbers = 0
        self._programs: dict[int, Program] = {}
        self._ready: deque[int] = deque()
        self._timers: list[tuple[float, int]] = []
        self._waiting: dict[int, deque[int]] = {}
        self.running = 0

    def emit(
        self, kind: int, task: int = 0, other: int = 0, detail: int = 0, value: float = 0, site=0
    ) -> None:
        """Write one event, which takes a little of the clock."""
        self.now += 40 + self.random.random() * 60
        self.time.append(float(int(self.now)))
        self.value.append(value)
        self.task.append(task)
        self.other.append(other)
        self.site.append(site)
        self.kind.append(kind)
        self.detail.append(detail)

    def place(self, line: int, function: str, text: str) -> int:
        """A place in the source of the program."""
        self.sites.append({"file": "/srv/app.py", "line": line, "function": function, "text": text})
        return len(self.sites) - 1

    def number(self) -> int:
        """The next number of a task or resource."""
        self._numbers += 1
        return self._numbers

    def resource(self, kind: str, type: str, name: str, capacity: int = 0) -> int:
        """A resource that tasks can wait for."""
        number = self.number()
        self.resources[str(number)] = {
            "kind": kind,
            "type": type,
            "name": name,
            "maker": self.running,
            "site": 1,
            "capacity": capacity,
        }
        self.emit(8, self.running, number, WAITS[kind], capacity)
        return number

    def spawn(self, name: str, coroutine: str, program: Program, site: int = 0) -> int:
        """A new task, which is ready at once."""
        number = self.number()
        self.tasks[str(number)] = {
            "name": name,
            "coroutine": coroutine,
            "parent": self.running,
            "site": site,
        }
        self._programs[number] = program
        self.emit(1, self.running, number, site=site)
        self._ready.append(number)
        return number

    def busy(self, nanoseconds: float) -> None:
        """The running step works for about so long."""
        self.now += nanoseconds * (0.5 + self.random.random())

    def wake(self, resource: int, cause: int = BY_TASK, everybody: bool = False) -> None:
        """Wake the first that waits for a resource, or all that do."""
        line = self._waiting.get(resource, deque())
        while line:
            task = line.popleft()
            self.emit(5, self.running, task, cause)
            self._ready.append(task)
            if not everybody:
                break

    def run(self) -> None:
        """Run until nothing is left to do."""
        self.emit(27)
        while self._ready or self._timers:
            self.emit(16)
            if not self._ready:
                self.now = max(self.now, self._timers[0][0])
            self.emit(17)
            while self._timers and self._timers[0][0] <= self.now:
                _, task = heapq.heappop(self._timers)
                self.emit(23, other=task)
                self.emit(5, 0, task, BY_TIMER)
                self._ready.append(task)
            for _ in range(len(self._ready)):
                self._step(self._ready.popleft())
        self.emit(28)

    def _step(self, task: int) -> None:
        self.running = task
        self.emit(2, task)
        try:
            kind, what = next(self._programs[task])
        except StopIteration:
            self.emit(6, task, detail=1)
            self.emit(3, task)
            self.wake(-task)
        else:
            if kind == "sleep":
                due = self.now + what
                self.emit(4, task, 0, WAITS[kind], due, self._site_of(kind))
                heapq.heappush(self._timers, (due, task))
            else:
                self.emit(4, task, what, WAITS[kind], 0, self._site_of(kind))
                self._waiting.setdefault(what, deque()).append(task)
            self.emit(3, task)
        self.running = 0

    def _site_of(self, kind: str) -> int:
        return 1 + list(WAITS).index(kind) % (len(self.sites) - 1) if len(self.sites) > 1 else 0

    def head(self) -> dict[str, Any]:
        """The head of the trace."""
        return {
            "format": "greenloop-trace",
            "version": 1,
            "process": {
                "pid": 4711,
                "argv": ["app.py"],
                "python": "3.13.0",
                "greenloop": "0.1.0",
                "thread": "MainThread",
            },
            "started": 1767052800.25,
            "events": len(self.time),
            "lost": 0,
            "tasks": self.tasks,
            "resources": self.resources,
            "sites": self.sites,
        }

    def columns(self) -> bytes:
        """The columns of the trace."""
        columns = (
            self.time,
            self.value,
            self.task,
            self.other,
            self.site,
            self.kind,
            self.detail,
        )
        return b"".join(column.tobytes() for column in columns)


def factory(events: int, producers: int = 3, consumers: int = 5, seed: int = 1) -> Loop:
    """A loop that has run producers, consumers and a lock for about so many events."""
    loop = Loop(seed)
    for line, function, text in (
        (31, "consume", "order = await orders.get()"),
        (19, "produce", "await orders.put(order)"),
        (33, "consume", "async with ledger:"),
        (44, "report", "await closing.wait()"),
        (18, "produce", "await asyncio.sleep(pace)"),
        (52, "main", "async with asyncio.TaskGroup() as group:"),
    ):
        loop.place(line, function, text)
    each = max(2, events // (producers * 14) + 1)
    loop.spawn("main", "main", _main(loop, producers, consumers, each), 6)
    loop.run()
    return loop


def _main(loop: Loop, producers: int, consumers: int, each: int) -> Program:
    orders = loop.resource("queue.get", "Queue", "orders", 8)
    ledger = loop.resource("lock", "Lock", "ledger")
    closing = loop.resource("event", "Event", "closing")
    group = loop.resource("task-group", "TaskGroup", "group")
    items: deque[int] = deque()
    state = {"locked": 0, "producing": producers, "children": producers + consumers + 1}
    shared = (loop, orders, ledger, closing, group, items, state)
    loop.spawn("report", "report", _report(*shared), 6)
    for index in range(producers):
        loop.spawn(f"producer-{index + 1}", "produce", _produce(*shared, each), 6)
    for index in range(consumers):
        loop.spawn(f"consumer-{index + 1}", "consume", _consume(*shared, producers, each), 6)
    while state["children"]:
        yield ("task-group", group)


def _child_ends(loop: Loop, group: int, state: dict[str, int]) -> None:
    state["children"] -= 1
    if not state["children"]:
        loop.wake(group)


def _produce(loop, orders, ledger, closing, group, items, state, each) -> Program:
    for index in range(each):
        loop.busy(3_000)
        while len(items) >= 8:
            yield ("queue.put", orders)
        items.append(index)
        loop.emit(PUT, loop.running, orders, value=len(items), site=2)
        loop.wake(orders)
        if loop.random.random() < 0.4:
            yield ("sleep", int(20_000 + loop.random.random() * 60_000))
    state["producing"] -= 1
    if not state["producing"]:
        loop.emit(SET, loop.running, closing, site=4)
        loop.wake(closing, everybody=True)
        loop.wake(orders, everybody=True)
    _child_ends(loop, group, state)


def _consume(loop, orders, ledger, closing, group, items, state, producers, each) -> Program:
    while state["producing"] or items:
        while not items:
            if not state["producing"]:
                break
            yield ("queue.get", orders)
        if not items:
            break
        items.popleft()
        loop.emit(GET, loop.running, orders, value=len(items), site=1)
        loop.wake(orders)
        loop.busy(4_000)
        while state["locked"]:
            yield ("lock", ledger)
        state["locked"] = loop.running
        loop.emit(ACQUIRED, loop.running, ledger, site=3)
        loop.busy(6_000)
        if loop.random.random() < 0.3:
            yield ("sleep", int(8_000 + loop.random.random() * 20_000))
        loop.emit(RELEASED, loop.running, ledger, value=1, site=3)
        state["locked"] = 0
        loop.wake(ledger)
    _child_ends(loop, group, state)


def _report(loop, orders, ledger, closing, group, items, state) -> Iterator[Wait]:
    yield ("event", closing)
    loop.busy(9_000)
    _child_ends(loop, group, state)


def deadlock() -> Loop:
    """A loop that has run two tasks until each of them waits for the lock that the other holds."""
    loop = Loop()
    loop.place(7, "transfer", "async with second:")
    first, second = (loop.resource("lock", "Lock", name) for name in ("accounts", "journal"))

    def transfer(mine: int, theirs: int) -> Program:
        loop.emit(ACQUIRED, loop.running, mine, site=1)
        yield ("sleep", 50_000)
        yield ("lock", theirs)

    loop.spawn("pay", "transfer", transfer(first, second), 1)
    loop.spawn("refund", "transfer", transfer(second, first), 1)
    loop.run()
    return loop
