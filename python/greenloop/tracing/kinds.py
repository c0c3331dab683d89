"""The numbers of a trace and their names: kinds of events, kinds of wait, causes, outcomes.

`docs/trace-format.md` defines them; this is the only place in Python that repeats it, and a test
compares the two. A number that has no name here is passed on as the number that it is, so that a
trace with one more kind of event can still be read.
"""

from __future__ import annotations

import enum


class _Named(enum.IntEnum):
    """A number with the name that the format gives it."""

    @property
    def label(self) -> str:
        """The name: words are joined by hyphens, and a class and its method by a dot."""
        name = self.name.lower()
        return name.replace("_", "." if name.startswith(("queue_", "stream_")) else "-")


class Kind(_Named):
    """The kinds of events: the field `kind`."""

    TASK_CREATED = 1
    STEP_BEGAN = 2
    STEP_ENDED = 3
    WAIT_BEGAN = 4
    WOKEN = 5
    TASK_FINISHED = 6
    CANCEL_REQUESTED = 7
    RESOURCE_MADE = 8
    PUT = 9
    GET = 10
    ACQUIRED = 11
    RELEASED = 12
    SET = 13
    CLEARED = 14
    NOTIFIED = 15
    POLL_BEGAN = 16
    POLL_ENDED = 17
    CALLBACK_BEGAN = 18
    CALLBACK_ENDED = 19
    THREAD_CALLED = 20
    JOB_SUBMITTED = 21
    JOB_FINISHED = 22
    TIMER_EXPIRED = 23
    SENT = 24
    RECEIVED = 25
    LOST = 26
    LOOP_STARTED = 27
    LOOP_STOPPED = 28
    TASK_DONE_SEEN = 29
    NAMED = 30


class Wait(_Named):
    """The kinds of wait: the detail of `wait-began`, and of `resource-made`."""

    QUEUE_GET = 1
    QUEUE_PUT = 2
    QUEUE_JOIN = 3
    LOCK = 4
    SEMAPHORE = 5
    EVENT = 6
    CONDITION = 7
    BARRIER = 8
    SLEEP = 9
    TIMEOUT = 10
    GATHER = 11
    WAIT = 12
    TASK_GROUP = 13
    SHIELD = 14
    FUTURE = 15
    TASK = 16
    STREAM_READ = 17
    STREAM_DRAIN = 18
    SOCKET = 19
    NAME_LOOKUP = 20
    SUBPROCESS = 21
    EXECUTOR = 22
    RUST_FUTURE = 23
    FOREIGN = 24
    YIELD = 25
    CONNECT = 26
    ACCEPT = 27


class Cause(_Named):
    """The causes for which a task becomes ready: the detail of `woken`."""

    TASK = 1
    TIMER = 2
    DESCRIPTOR = 3
    THREAD = 4
    SIGNAL = 5
    CALLBACK = 6
    CANCELLATION = 7


class Outcome(_Named):
    """How a task or a job ended: the detail of `task-finished`, and of `job-finished`."""

    RETURNED = 1
    RAISED = 2
    CANCELLED = 3


DETAILS: dict[int, type[_Named]] = {
    Kind.WAIT_BEGAN: Wait,
    Kind.RESOURCE_MADE: Wait,
    Kind.WOKEN: Cause,
    Kind.TASK_FINISHED: Outcome,
    Kind.JOB_FINISHED: Outcome,
}
"""The meaning of the detail, by the kind of event. The detail of any other kind says nothing."""

_KIND_NAMES = {int(kind): kind.label for kind in Kind}
_KIND_NUMBERS = {kind.label: int(kind) for kind in Kind}
_DETAIL_NAMES = {
    int(kind): {int(detail): detail.label for detail in details}
    for kind, details in DETAILS.items()
}
_DETAIL_NUMBERS = {
    int(kind): {detail.label: int(detail) for detail in details}
    for kind, details in DETAILS.items()
}


def name_of_kind(kind: int) -> str | int:
    """Return the name of a kind of event, or the number itself if it has none."""
    return _KIND_NAMES.get(kind, kind)


def name_of_detail(kind: int, detail: int) -> str | int:
    """Return the name of a detail for this kind of event, or the number itself if it has none."""
    return _DETAIL_NAMES.get(kind, {}).get(detail, detail)


def number_of_kind(name: str | int) -> int:
    """Return the number of the kind of event that `name_of_kind` calls so.

    Raises:
        KeyError: No kind has this name.
    """
    return name if isinstance(name, int) else _KIND_NUMBERS[name]


def number_of_detail(kind: int, name: str | int) -> int:
    """Return the number of the detail that `name_of_detail` calls so for this kind of event.

    Raises:
        KeyError: No detail of this kind has this name.
    """
    return name if isinstance(name, int) else _DETAIL_NUMBERS.get(kind, {})[name]
