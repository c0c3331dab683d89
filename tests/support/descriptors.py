"""How many descriptors this process has, and how to leave it without any."""

import contextlib
import gc
import os
import resource


def open_descriptors():
    return len(os.listdir("/proc/self/fd"))


@contextlib.contextmanager
def exhausted(left=0):
    """Have no more than so many descriptors left for whoever wants some."""
    # What earlier tests have left must not free descriptors in the middle of this one.
    gc.collect()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    used = sorted(int(name) for name in os.listdir("/proc/self/fd"))
    # Each new one is the lowest that is free: no hole is left below the highest.
    taken = [os.dup(0) for _ in range(used[-1] + 1 - len(used) + 1)]
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(taken[-1], used[-1]) + 1 + left, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for number in taken:
            os.close(number)
