"""The numbers of a trace and their names: kinds of events, kinds of wait, causes, outcomes.

`docs/trace-format.md` defines them; this is the only place in Python that repeats it, and a test
compares the two. A number that has no name here is passed on as the number that it is, so that a
trace with one more kind of event can still be read.
"""

from __future__ import annotations

import enum
from typing import Self


class _Named(enum.IntEnum):
    """A number with the name that the format gives it."""

    label: str

    def __new__(cls, number: int, label: str) -> Self:
        member = int.__new__(cls, number)
        member._value_ = number
        member.label = label
        return member


class Kind(_Named):
    """What an event says: the field `kind`."""

    TASK_CREATED = 1, "task-created"
    STEP_BEGAN = 2, "step-began"
    STEP_ENDED = 3, "step-ended"
    WAIT_BEGAN = 4, "wait-began"
    WOKEN = 5, "woken"
    TASK_FINISHED = 6, "task-finished"
    CANCEL_REQUESTED = 7, "cancel-requested"
    RESOURCE_MADE = 8, "resource-made"
    PUT = 9, "put"
    GET = 10, "get"
    ACQUIRED = 11, "acquired"
    RELEASED = 12, "released"
    SET = 13, "set"
    CLEARED = 14, "cleared"
    NOTIFIED = 15, "notified"
    POLL_BEGAN = 16, "poll-began"
    POLL_ENDED = 17, "poll-ended"
    CALLBACK_BEGAN = 18, "callback-began"
    CALLBACK_ENDED = 19, "callback-ended"
    THREAD_CALLED = 20, "thread-called"
    JOB_SUBMITTED = 21, "job-submitted"
    JOB_FINISHED = 22, "job-finished"
    TIMER_EXPIRED = 23, "timer-expired"
    SENT = 24, "sent"
    RECEIVED = 25, "received"
    LOST = 26, "lost"
    LOOP_STARTED = 27, "loop-started"
    LOOP_STOPPED = 28, "loop-stopped"
    TASK_DONE_SEEN = 29, "task-done-seen"


class Wait(_Named):
    """What a task waits for: the detail of `wait-began`, and of `resource-made`."""

    QUEUE_GET = 1, "queue.get"
    QUEUE_PUT = 2, "queue.put"
    QUEUE_JOIN = 3, "queue.join"
    LOCK = 4, "lock"
    SEMAPHORE = 5, "semaphore"
    EVENT = 6, "event"
    CONDITION = 7, "condition"
    BARRIER = 8, "barrier"
    SLEEP = 9, "sleep"
    TIMEOUT = 10, "timeout"
    GATHER = 11, "gather"
    WAIT = 12, "wait"
    TASK_GROUP = 13, "task-group"
    SHIELD = 14, "shield"
    FUTURE = 15, "future"
    TASK = 16, "task"
    STREAM_READ = 17, "stream.read"
    STREAM_DRAIN = 18, "stream.drain"
    SOCKET = 19, "socket"
    NAME_LOOKUP = 20, "name-lookup"
    SUBPROCESS = 21, "subprocess"
    EXECUTOR = 22, "executor"
    RUST_FUTURE = 23, "rust-future"
    FOREIGN = 24, "foreign"
    YIELD = 25, "yield"
    CONNECT = 26, "connect"
    ACCEPT = 27, "accept"


class Cause(_Named):
    """What made a task ready: the detail of `woken`."""

    TASK = 1, "task"
    TIMER = 2, "timer"
    DESCRIPTOR = 3, "descriptor"
    THREAD = 4, "thread"
    SIGNAL = 5, "signal"
    CALLBACK = 6, "callback"
    CANCELLATION = 7, "cancellation"


class Outcome(_Named):
    """How a task or a job ended: the detail of `task-finished`, and of `job-finished`."""

    RETURNED = 1, "returned"
    RAISED = 2, "raised"
    CANCELLED = 3, "cancelled"


DETAILS: dict[int, type[_Named]] = {
    Kind.WAIT_BEGAN: Wait,
    Kind.RESOURCE_MADE: Wait,
    Kind.WOKEN: Cause,
    Kind.TASK_FINISHED: Outcome,
    Kind.JOB_FINISHED: Outcome,
}
"""What the detail of an event is, by its kind. The detail of any other kind says nothing."""

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
