"""Reports by hand: documents as a process that watches itself would answer them."""

from __future__ import annotations

from typing import Any

NOW = 1764500000.0


def report(*tasks: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """A report with these tasks."""
    return {
        "format": "greenloop-report/1",
        "pid": 4711,
        "program": ["app.py", "--fast"],
        "python": "3.13.0",
        "greenloop": "0.1.0",
        "time": NOW,
        "watched_for": 12.3,
        "stale": None,
        "loops": [loop()],
        "tasks": list(tasks),
        "resources": [],
        "deadlocks": [],
        "stalls": [],
        "counters": {
            "tasks": len(tasks),
            "tasks_left_out": 0,
            "steps": 7,
            "stalls": 0,
            "deadlocks": 0,
        },
        **fields,
    }


def loop(**fields: Any) -> dict[str, Any]:
    """A loop that waits for something to do."""
    return {
        "id": 1,
        "thread": 4711,
        "state": "idle",
        "task": None,
        "ready": 0,
        "timers": 3,
        "descriptors": 2,
        "steps": 123456,
        "lag": {"count": 10, "p50": 0.0001, "p99": 0.002, "max": 0.02},
        **fields,
    }


def place(line: int = 12, function: str = "consume", file: str = "/srv/app.py") -> dict[str, Any]:
    """A place in a source."""
    return {"file": file, "line": line, "function": function}


def wait(kind: str = "queue.get", text: str = "", **fields: Any) -> dict[str, Any]:
    """What a task waits for."""
    return {
        "kind": kind,
        "resource": None,
        "text": text or kind,
        "tasks": [],
        "line": None,
        "ends_in": None,
        **fields,
    }


def task(number: int, name: str = "", coroutine: str = "consume", **fields: Any) -> dict[str, Any]:
    """A task that waits, or does what the fields say."""
    where = fields.pop("place", place(function=coroutine))
    return {
        "id": number,
        "loop": 1,
        "name": name or f"Task-{number}",
        "coroutine": coroutine,
        "state": "waiting",
        "since": 1.25,
        "steps": None,
        "wait": wait(),
        "timeout": None,
        "place": where,
        "stack": [place(40, "main"), where],
        "awaited_by": [],
        **fields,
    }


def resource(number: int, kind: str = "queue", name: str | None = None, **fields: Any):
    """What tasks wait for."""
    return {
        "id": number,
        "kind": kind,
        "name": name,
        "class": kind.title(),
        "text": "",
        "holders": [],
        "waiters": [],
        **fields,
    }


def holder(number: int, name: str, **fields: Any) -> dict[str, Any]:
    """Who holds a lock."""
    return {"task": number, "name": name, "since": 1.3, "place": place(20, "take"), **fields}


def stall(number: int = 1, **fields: Any) -> dict[str, Any]:
    """A step that takes too long, and is not over."""
    return {
        "id": number,
        "loop": 1,
        "began": NOW - 0.35,
        "length": 0.35,
        "over": False,
        "kind": "system-call",
        "text": "in the system call read(7): a socket",
        "task": 7,
        "name": "consumer",
        "awaited_by": ["main"],
        "place": place(),
        "stack": [place(40, "main"), place()],
        **fields,
    }


def crossed_locks() -> dict[str, Any]:
    """Two tasks of a group, each of which waits for the lock that the other holds."""
    first = wait("lock", "lock 'journal'", resource=12, line=1)
    second = wait("lock", "lock 'accounts'", resource=11, line=1)
    parties = [
        {
            "task": 7,
            "name": "pay",
            "coroutine": "transfer",
            "wait": first,
            "place": place(21, "transfer"),
            "holds": [{"resource": 11, "text": "lock 'accounts'", "place": place(20, "take")}],
        },
        {
            "task": 8,
            "name": "refund",
            "coroutine": "transfer",
            "wait": second,
            "place": place(31, "transfer"),
            "holds": [{"resource": 12, "text": "lock 'journal'", "place": None}],
        },
    ]
    return report(
        task(1, "main", "main", wait=wait("task-group", "task group of 2", tasks=[7, 8])),
        task(7, "pay", "transfer", wait=first, place=place(21, "transfer"), awaited_by=[1]),
        task(8, "refund", "transfer", wait=second, place=place(31, "transfer"), awaited_by=[1]),
        resources=[
            resource(11, "lock", "accounts", holders=[holder(7, "pay")], waiters=[8]),
            resource(12, "lock", "journal", holders=[holder(8, "refund")], waiters=[7]),
        ],
        deadlocks=[
            {
                "id": 1,
                "found": NOW - 3,
                "why": "cycle",
                "parties": parties,
                "behind": [1],
                "text": "",
            }
        ],
    )
