"""Writes traces by hand, event by event, with the names that the format gives to its numbers."""

from greenloop.tracing import Trace
from greenloop.tracing.document import Event, columns_of
from greenloop.tracing.kinds import number_of_detail, number_of_kind

MICROSECOND = 1_000
MILLISECOND = 1_000_000
SECOND = 1_000_000_000


class TraceBuilder:
    """A trace that grows. Every event takes a microsecond; `advance` lets more time pass."""

    def __init__(self):
        self.now = 0
        self.tasks = {}
        self.resources = {}
        self.sites = [None]
        self.rows = []
        self.lost = 0

    def task(self, name, coroutine="", parent=0):
        """Give a task its number. No event says so: see `spawn`."""
        number = self._next()
        self.tasks[number] = {
            "name": name, "coroutine": coroutine or name, "parent": parent, "site": 0
        }  # fmt: skip
        return number

    def resource(self, name, kind, type, capacity=0, **more):
        """Give a resource its number."""
        number = self._next()
        self.resources[number] = {
            "kind": kind, "type": type, "name": name, "maker": 0, "site": 0, "capacity": capacity
        } | more  # fmt: skip
        return number

    def site(self, file, line, function, text=""):
        """Give a place in the source its index."""
        self.sites.append({"file": file, "line": line, "function": function, "text": text})
        return len(self.sites) - 1

    def add(self, kind, task=0, other=0, detail=0, value=0, site=0):
        """Add an event a microsecond after the last one; kind and detail are names or numbers."""
        kind = number_of_kind(kind)
        self.now += MICROSECOND
        self.rows.append(
            Event(self.now, kind, number_of_detail(kind, detail), task, other, site, value)
        )

    def advance(self, nanoseconds):
        """Let time pass, as if the loop slept in its poll."""
        self.now += nanoseconds

    def spawn(self, parent, name, coroutine=""):
        """Have a task make another one."""
        number = self.task(name, coroutine, parent)
        self.add("task-created", parent, number)
        return number

    def step(self, task, *events):
        """Have a task take a step in which these events happen, as the arguments of `add`."""
        self.add("step-began", task)
        for kind, *rest in events:
            self.add(kind, task, *rest)
        self.add("step-ended", task)

    def wake(self, task, waker=0, cause="timer"):
        """Make a task ready."""
        self.add("woken", waker, task, cause)

    def head(self):
        """The head as the JSON object of the document."""
        return {
            "format": "greenloop-trace",
            "version": 1,
            "process": {
                "pid": 4711, "argv": ["app.py"], "python": "3.13.0", "greenloop": "0.1.0",
                "thread": "MainThread",
            },
            "started": 1767052800.25,
            "events": len(self.rows),
            "lost": self.lost,
            "tasks": {str(number): task for number, task in self.tasks.items()},
            "resources": {str(number): each for number, each in self.resources.items()},
            "sites": self.sites,
        }  # fmt: skip

    def build(self):
        """The trace of the events so far."""
        return Trace(self.head(), columns_of(self.rows))

    def _next(self):
        return len(self.tasks) + len(self.resources) + 1
