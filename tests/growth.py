"""Whether something grows that should not: objects the collector knows, and memory in use.

An operation runs a few rounds to warm up (caches, freelists, the arenas of malloc) and then many
more; the number of objects must stay the same, and memory about the same.
"""

import gc
import os

ROUNDS = 5

# Cancelled timers may wait for a compaction, as up to half of the heap does in asyncio.
SPARE_OBJECTS = 250
SPARE_BYTES = 3 * 2**20


def resident_bytes():
    """How much memory this process has in RAM."""
    with open("/proc/self/statm") as status:
        return int(status.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def assert_nothing_stays(loop, operation, count=ROUNDS):
    """Run the coroutine function `operation` many times, and count what is left."""
    _after_rounds(loop, operation, 2)
    objects, size = _after_rounds(loop, operation, count)
    more_objects, more_size = _after_rounds(loop, operation, count)
    if more_objects - objects > SPARE_OBJECTS:
        # A cache that filled late does not grow again.
        objects, size = more_objects, more_size
        more_objects, more_size = _after_rounds(loop, operation, count)
    assert more_objects - objects <= SPARE_OBJECTS
    assert more_size - size <= SPARE_BYTES


def _after_rounds(loop, operation, count):
    for _ in range(count):
        loop.run_until_complete(operation())
    gc.collect()
    return len(gc.get_objects()), resident_bytes()
