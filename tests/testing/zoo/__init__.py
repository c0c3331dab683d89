"""Twenty concurrency bugs, each beside its mended twin: the proof of `greenloop.testing`.

Each module is a program of plain asyncio with `broken()` and `mended()`. `broken()` passes in
asyncio's default order and fails in another one, by an exception or by a deadlock; `mended()`
passes in every order, also if any ready job is late.
"""

BUGS = (
    "lost_update",
    "cache_stampede",
    "lazy_init_twice",
    "double_close",
    "pool_closed_connection",
    "crossed_locks",
    "lost_permit",
    "writer_starvation",
    "condition_without_loop",
    "missed_pulse",
    "queue_close",
    "wait_for_race",
    "duplicating_retry",
    "timeout_in_finally",
    "cancelled_exit",
    "leaking_shield",
    "swallowed_cancel",
    "forgotten_task",
    "equal_timers",
    "thread_before_start",
)
