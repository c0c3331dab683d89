"""Whether something grows that should not: objects the collector knows, memory, descriptors.

Work is done once to warm up (caches, freelists, the arenas of malloc) and then again, until one
time adds nothing. What leaks adds each time; a cache that fills late, or an allocator that needs
another arena since its own are in pieces, does not.
"""

import gc
import os
from typing import NamedTuple

from descriptors import open_descriptors

ROUNDS = 5
TIMES = 4

# Cancelled timers may wait for a compaction, as up to half of the heap does in asyncio.
SPARE_OBJECTS = 250
SPARE_BYTES = 3 * 2**20


class Usage(NamedTuple):
    """What this process has: objects that the collector knows, bytes in RAM, open descriptors."""

    objects: int
    size: int
    descriptors: int

    def growth_since(self, before):
        return Usage(*(now - then for now, then in zip(self, before, strict=True)))

    def is_nothing(self):
        return self.objects <= SPARE_OBJECTS and self.size <= SPARE_BYTES and self.descriptors == 0


def usage():
    gc.collect()
    return Usage(len(gc.get_objects()), resident_bytes(), open_descriptors())


def resident_bytes():
    """How much memory this process has in RAM."""
    with open("/proc/self/statm") as status:
        return int(status.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def assert_steady(work, warm_up=None):
    """Call `work` until it leaves nothing, `TIMES` times at most; `warm_up` goes before."""
    (warm_up or work)()
    growths = []
    for _ in range(TIMES):
        before = usage()
        work()
        growth = usage().growth_since(before)
        if growth.is_nothing():
            return
        growths.append(growth)
    raise AssertionError(f"each time left something: {growths}")


def assert_nothing_stays(loop, operation, count=ROUNDS):
    """Run the coroutine function `operation` many times, and count what is left."""

    def rounds(count):
        for _ in range(count):
            loop.run_until_complete(operation())

    assert_steady(lambda: rounds(count), lambda: rounds(2 + count))
