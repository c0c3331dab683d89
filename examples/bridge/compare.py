"""What awaiting Rust costs, beside what awaiting a native future costs.

Each row is the median of interleaved rounds, in nanoseconds of the process's CPU time per
operation. A module `greenloop_tokio_example` that offers `ready` and `Flag` by way of
pyo3-async-runtimes is measured as well, if there is one.
"""

import statistics
import time

import greenloop_bridge_example as example

import greenloop

try:
    import greenloop_tokio_example as tokio_example
except ImportError:
    tokio_example = None

COUNT = 20_000
ROUNDS = 15


async def kept_future(loop, _):
    """Await one done future again and again"""
    future = loop.create_future()
    future.set_result(None)
    for _ in range(COUNT):
        await future


async def done_future(loop, _):
    """Make a future, finish it, await it"""
    for _ in range(COUNT):
        future = loop.create_future()
        future.set_result(None)
        await future


async def ready(_, example):
    """Make a Rust future that is ready, await it"""
    for _ in range(COUNT):
        await example.ready(None)


async def future_wakes(loop, _):
    """Wait for a future that a callback finishes"""
    for _ in range(COUNT):
        future = loop.create_future()
        loop.call_soon(future.set_result, None)
        await future


async def flag_wakes(loop, example):
    """Wait for a Rust future that a callback wakes"""
    flag = example.Flag()
    for _ in range(COUNT):
        loop.call_soon(flag.set)
        await flag.wait()


async def wakes_again(loop, example):
    """Wake one Rust future again and again"""
    flag, left = example.Flag(), COUNT

    def wake():
        nonlocal left
        left -= 1
        flag.set()
        if left:
            loop.call_soon(wake)

    loop.call_soon(wake)
    await flag.wait(COUNT)


ROWS = {
    "kept future": (kept_future, None),
    "done future": (done_future, None),
    "ready": (ready, example),
    "future wakes": (future_wakes, None),
    "flag wakes": (flag_wakes, example),
    "wakes again": (wakes_again, example),
}
if tokio_example is not None:
    ROWS["ready, tokio"] = (ready, tokio_example)
    ROWS["flag wakes, tokio"] = (flag_wakes, tokio_example)


def main():
    """Print the table, and what the rows are to each other"""
    times = {name: [] for name in ROWS}
    loop = greenloop.new_event_loop()
    for _ in range(ROUNDS):
        for name, (row, extension) in ROWS.items():
            before = time.process_time_ns()
            loop.run_until_complete(row(loop, extension))
            times[name].append((time.process_time_ns() - before) / COUNT)
    loop.close()
    medians = {name: statistics.median(values) for name, values in times.items()}
    for name, median in medians.items():
        print(f"{name:20} {ROWS[name][0].__doc__:50} {median:8.0f} ns")
    for one, other in [
        ("ready", "done future"),
        ("ready", "kept future"),
        ("flag wakes", "future wakes"),
        ("wakes again", "future wakes"),
        ("ready, tokio", "ready"),
        ("flag wakes, tokio", "flag wakes"),
    ]:
        if one in medians:
            print(f"{one} / {other}: {medians[one] / medians[other]:.2f}")


if __name__ == "__main__":
    main()
