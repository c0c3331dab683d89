"""Random programs: their form, and how Hypothesis writes one.

A program is plain data: bodies (what coroutines do), callbacks (what functions do) and a few
settings of the loop. A statement is a tuple, its verb first; `program_interpreter` says what each
verb means. Body and callback number n may only start numbers above n, so that every program ends
and no two tasks await each other.
"""

import sys
from dataclasses import dataclass, replace

from hypothesis import strategies as st

BODIES = 5
CALLBACKS = 4
FUTURES = 3
VARIABLES = 2
QUEUE_SIZES = (0, 1, 2)

Statement = tuple
Statements = list[Statement]


@dataclass(frozen=True)
class Body:
    """A coroutine: its statements, and how many exceptions it swallows before one ends it."""

    statements: Statements
    tolerance: int


@dataclass(frozen=True)
class Program:
    """Everything two loops need to do the same thing."""

    bodies: list[Body]
    callbacks: list[Statements]
    roots: int
    until_complete: bool
    eager: bool
    debug: bool
    queue_size: int


def without(verb: str, program: Program) -> Program:
    """Leave the statements with this verb out of a program."""

    def kept(statements: Statements) -> Statements:
        return [
            tuple(kept(part) if _is_block(part) else part for part in statement)
            for statement in statements
            if statement[0] != verb
        ]

    bodies = [replace(body, statements=kept(body.statements)) for body in program.bodies]
    callbacks = [kept(callback) for callback in program.callbacks]
    return replace(program, bodies=bodies, callbacks=callbacks)


def _is_block(part: object) -> bool:
    return isinstance(part, list) and all(isinstance(one, tuple) for one in part)


def programs() -> st.SearchStrategy[Program]:
    """Write a program of everything there is."""
    return st.builds(
        Program,
        bodies=st.tuples(*[_body(number) for number in range(BODIES)]).map(list),
        callbacks=st.tuples(*[_callback(number) for number in range(CALLBACKS)]).map(list),
        roots=st.sampled_from([3, 2, 1]),
        until_complete=st.booleans(),
        eager=st.booleans() if sys.version_info >= (3, 12) else st.just(False),
        debug=st.sampled_from([False] * 7 + [True]),
        queue_size=st.sampled_from(QUEUE_SIZES),
    )


def programs_of_primitives() -> st.SearchStrategy[Program]:
    """Write a program in which tasks do little but wait for each other, by queues, locks and so on.

    All of them start at once, cancel each other and give up; callbacks disturb them.
    """
    return st.builds(
        Program,
        bodies=st.tuples(*[_body_of_primitives(number) for number in range(BODIES)]).map(list),
        callbacks=st.tuples(*[_callback_of_primitives() for _ in range(CALLBACKS)]).map(list),
        roots=st.sampled_from([BODIES, BODIES - 1, 3]),
        until_complete=st.just(False),
        eager=st.booleans() if sys.version_info >= (3, 12) else st.just(False),
        debug=st.sampled_from([False] * 7 + [True]),
        queue_size=st.sampled_from(QUEUE_SIZES),
    )


def _body_of_primitives(number: int) -> st.SearchStrategy[Body]:
    waiting = _waiting_use_of_primitives()
    disturbing = st.one_of(
        st.tuples(st.just("yield"), st.integers(1, 3)),
        st.tuples(st.just("cancel"), st.tuples(st.just("task"), _task_numbers), _messages),
        st.tuples(st.just("call_soon"), st.integers(0, CALLBACKS), st.just(False), st.just(False)),
        st.tuples(
            st.just("wait_for"),
            st.tuples(st.just("primitive"), _raw_awaitables),
            st.sampled_from([None, 0.0, 60.0]),
        ),
    )
    simple = st.one_of(waiting, waiting, _immediate_use_of_primitives(), disturbing)
    inside = st.lists(simple, max_size=3)
    compound = st.one_of(
        st.tuples(st.just("timeout"), _timeouts, inside),
        _holding_statement(inside),
        _holding_statement(inside),
        st.tuples(st.just("finally"), inside, inside),
    )
    statements = st.lists(st.one_of(simple, simple, compound), min_size=1, max_size=8)
    return st.builds(Body, statements=statements, tolerance=st.sampled_from([9, 9, 2, 1, 0]))


def _callback_of_primitives() -> st.SearchStrategy[Statements]:
    cancelling = st.tuples(st.just("cancel"), st.tuples(st.just("task"), _task_numbers), _messages)
    return st.lists(st.one_of(_immediate_use_of_primitives(), cancelling), max_size=3)


def _body(number: int) -> st.SearchStrategy[Body]:
    simple = _simple_statement(number)
    statement = st.one_of(simple, simple, _compound_statement(number, simple))
    # What the first bodies do decides whether anything happens at all, so they are never empty.
    statements = st.lists(statement, min_size=(4, 2, 1, 0, 0)[number], max_size=8)
    return st.builds(Body, statements=statements, tolerance=st.sampled_from([9, 5, 2, 1, 0]))


def _callback(number: int) -> st.SearchStrategy[Statements]:
    return st.lists(_immediate_statement(body=0, callback=number + 1), max_size=3)


def _simple_statement(number: int) -> st.SearchStrategy[Statement]:
    """Statements without statements inside, for the body of this number."""
    return st.one_of(_immediate_statement(number + 1, 0), _waiting_statement(number))


def _compound_statement(
    number: int, simple: st.SearchStrategy[Statement]
) -> st.SearchStrategy[Statement]:
    inside = st.lists(simple, max_size=4)
    return st.one_of(
        st.tuples(st.just("timeout"), _timeouts, inside),
        st.tuples(st.just("task_group"), st.lists(_later_bodies(number + 1), max_size=3), inside),
        _holding_statement(inside),
        st.tuples(st.just("finally"), inside, inside),
    )


# Every deadline is past, far away, or waited for on the spot: no order depends on how fast a
# machine is. The one exception is SHORT: `asyncio.timeout` schedules a callback instead of a timer
# if the time is up before it is entered, some microseconds after it was made.
SHORT = 0.001
_timeouts = st.sampled_from([None, -1.0, 0.0, SHORT, 60.0])
_waits = st.sampled_from([None, 0.0, 60.0])
_messages = st.sampled_from([None, "stop", 7])
_future_numbers = st.integers(0, FUTURES - 1)
_task_numbers = st.integers(0, BODIES - 1)
_variable_numbers = st.integers(0, VARIABLES - 1)
_values = st.integers(0, 9)
_errors = st.sampled_from(
    ["ValueError"] * 4
    + ["KeyError", "CancelledError", "CancelledError", "StrangeBaseException", "TimeoutError"]
    + ["StopIteration", "StopAsyncIteration", "GeneratorExit", "SystemExit", "KeyboardInterrupt"]
)
_queues = st.integers(0, 2)
_events = st.integers(0, 1)
_locks = st.sampled_from(["lock", "shared", "semaphore", "bounded"])
_conditions = st.sampled_from(["condition", "sharing"])
_gates = st.one_of(_locks, _conditions)
_raw_awaitables = st.one_of(
    st.tuples(st.just("get_of"), _queues),
    st.tuples(st.just("acquisition"), _gates),
    st.tuples(st.just("event_wait"), _events),
)
_flavours = st.sampled_from(["loop", "loop", "loop", "own", "stdlib"])


def _later_bodies(first: int) -> st.SearchStrategy[int]:
    """A body from this number on; BODIES itself stands for an empty one."""
    return st.integers(min(first, BODIES), BODIES)


def _awaitable(first_body: int) -> st.SearchStrategy[tuple]:
    return st.one_of(
        st.tuples(st.just("future"), _future_numbers),
        st.tuples(st.just("task"), _later_bodies(first_body)),
        st.tuples(st.just("coroutine"), _later_bodies(first_body)),
        st.tuples(st.just("primitive"), _raw_awaitables),
    )


def _target() -> st.SearchStrategy[tuple]:
    return st.one_of(
        st.tuples(st.just("future"), _future_numbers), st.tuples(st.just("task"), _task_numbers)
    )


def _immediate_statement(body: int, callback: int) -> st.SearchStrategy[Statement]:
    """Statements that do not wait, so that a plain callback can do them too."""
    bodies = _later_bodies(body)
    callbacks = st.integers(callback, CALLBACKS)
    timers = st.lists(
        st.tuples(st.integers(-3, 3), callbacks, st.booleans()), min_size=1, max_size=5
    )
    return st.one_of(
        st.tuples(st.just("spawn"), bodies, _flavours, st.booleans(), st.booleans()),
        st.tuples(st.just("set_result"), _future_numbers, _values),
        st.tuples(st.just("set_exception"), _future_numbers, _errors),
        st.tuples(st.just("cancel"), _target(), _messages),
        st.tuples(st.just("cancel"), st.tuples(st.just("task"), _task_numbers), _messages),
        st.tuples(st.just("uncancel"), _task_numbers),
        st.tuples(st.just("new_future"), _future_numbers, _flavours),
        st.tuples(st.just("call_soon"), callbacks, st.booleans(), st.booleans()),
        st.tuples(st.just("call_soon_threadsafe"), st.lists(callbacks, min_size=1, max_size=3)),
        st.tuples(st.just("timers"), timers),
        st.tuples(st.just("add_done_callback"), _target(), callbacks, st.booleans()),
        st.tuples(st.just("remove_done_callback"), _target(), callbacks),
        st.tuples(st.just("set_variable"), _variable_numbers, _values),
        st.tuples(st.just("set_name"), _task_numbers, _values),
        st.tuples(st.just("look"), _target()),
        st.tuples(st.just("tasks")),
        st.tuples(st.just("raise"), _errors),
        st.tuples(
            st.just("exception_handler"), st.sampled_from(["record", "record", "raise", "none"])
        ),
        _immediate_use_of_primitives(),
        st.tuples(st.just("stop")),
    )


def _waiting_statement(number: int) -> st.SearchStrategy[Statement]:
    """Statements that may suspend the coroutine."""
    awaitable = _awaitable(number + 1)
    awaitables = st.lists(awaitable, max_size=4)
    return st.one_of(
        st.tuples(st.just("yield"), st.integers(1, 4)),
        st.tuples(st.just("yield"), st.integers(1, 4)),
        st.tuples(st.just("sleep"), st.integers(0, 3)),
        st.tuples(st.just("await"), awaitable),
        st.tuples(st.just("await"), awaitable),
        st.tuples(st.just("shield"), awaitable),
        st.tuples(st.just("wait_for"), awaitable, st.sampled_from([None, -1.0, 0.0, 60.0])),
        st.tuples(st.just("gather"), awaitables, st.booleans()),
        st.tuples(
            st.just("wait"),
            awaitables,
            st.sampled_from(["FIRST_COMPLETED", "FIRST_EXCEPTION", "ALL_COMPLETED"]),
            _waits,
        ),
        st.tuples(st.just("as_completed"), awaitables),
        st.tuples(st.just("iterate"), st.integers(1, 4), st.integers(0, 4)),
        _waiting_use_of_primitives(),
        _waiting_use_of_primitives(),
        st.tuples(st.just("executor"), _values),
        st.tuples(
            st.just("bad_yield"), st.sampled_from(["None", "number", "own_future", "object"])
        ),
    )


def _immediate_use_of_primitives() -> st.SearchStrategy[Statement]:
    """Statements on queues, locks and events that do not wait."""
    statements = [
        st.tuples(st.just("set_event"), _events, st.booleans()),
        st.tuples(st.just("put_nowait"), _queues, _values),
        st.tuples(st.just("put_nowait"), _queues, _values),
        st.tuples(st.just("get_nowait"), _queues),
        st.tuples(st.just("task_done"), _queues),
        st.tuples(st.just("release"), _gates),
        st.tuples(st.just("release"), _gates),
        st.tuples(st.just("notify_without_lock"), _conditions),
        st.tuples(st.just("look_at"), _gates),
    ]
    if sys.version_info >= (3, 13):
        statements.append(st.tuples(st.just("shutdown"), _queues, st.booleans()))
    return st.one_of(*statements)


def _waiting_use_of_primitives() -> st.SearchStrategy[Statement]:
    """Statements on primitives that may suspend the coroutine."""
    return st.one_of(
        st.tuples(st.just("wait_event"), _events),
        st.tuples(st.just("get"), _queues),
        st.tuples(st.just("get"), _queues),
        st.tuples(st.just("put"), _queues, _values),
        st.tuples(st.just("put"), _queues, _values),
        st.tuples(st.just("join"), _queues),
        st.tuples(st.just("acquire"), _gates),
        st.tuples(st.just("acquire"), _gates),
        st.tuples(st.just("wait_condition"), _conditions),
        st.tuples(st.just("wait_until"), _conditions, _values),
        st.tuples(st.just("notify"), _conditions, st.integers(0, 2)),
        st.tuples(st.just("wait_barrier")),
        st.tuples(st.just("wait_barrier")),
        st.tuples(st.just("reset_barrier")),
        st.tuples(st.just("abort_barrier")),
    )


def _holding_statement(inside: st.SearchStrategy[Statements]) -> st.SearchStrategy[Statement]:
    return st.one_of(
        st.tuples(st.just("holding"), _gates, inside),
        st.tuples(st.just("within_barrier"), inside),
    )
